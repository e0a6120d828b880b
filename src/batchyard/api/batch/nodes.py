"""The nodes of a multi-node parallel job, as DescribeJobs (`id#3`) and ListJobs (multiNodeJobId) show them (F 8.7).

A node has no rows of its own: it is one or several containers of its job's attempts. How each ended is known once the
attempt has ended; until then a node that has started is RUNNING. A child node that was stopped because the main node
ended shares the job's status; one that ended before has its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.api.batch.clusters import Clusters
from batchyard.api.batch.job_details import attempt_detail, container_detail
from batchyard.api.batch.task_details import Fate, decisive, ecs_properties, eks_attempt, eks_properties, fates
from batchyard.api.context import Context
from batchyard.core import reasons
from batchyard.core.jobs import Attempt, Job, JobStatus, Terms
from batchyard.core.resolved_nodes import ranges_of_nodes
from batchyard.store.jobs import JobRow


def is_node(terms: Terms, node: int) -> bool:
    """Whether the job has such a node."""
    properties = terms.resolved.node_properties
    return properties is not None and 0 <= node < properties["numNodes"]


class Nodes:
    """The nodes of one job."""

    def __init__(self, context: Context, row: JobRow, terms: Terms, attempts: Sequence[Attempt]) -> None:
        assert terms.resolved.node_properties is not None
        self._context = context
        self._row = row
        self._terms = terms
        self._properties = terms.resolved.node_properties
        self._attempts = [fates(context, row.seq, terms, attempt) for attempt in attempts]

    @property
    def number(self) -> int:
        """How many there are."""
        return int(self._properties["numNodes"])

    def job(self, node: int) -> Job:
        """The node as if it were a job."""
        job = self._row.job
        mains = self._of_node(self._main, self._attempts[-1]) if self._attempts else []
        of_node = self._of_node(node, self._attempts[-1]) if self._attempts else []
        if node == self._main or not of_node:
            return job
        first, main = decisive(of_node), decisive(mains)
        job = job._replace(started_at=first.started_at or job.started_at)
        if not job.status.is_terminal:
            return job
        job = job._replace(stopped_at=first.stopped_at or job.stopped_at)
        stopped, main_stopped = first.stopped_at or 0, main.stopped_at or 0
        if first.exit_code == 0:
            return job._replace(status=JobStatus.SUCCEEDED, status_reason=reasons.ESSENTIAL_CONTAINER_EXITED)
        if first.exit_code is not None and stopped < main_stopped:
            return job._replace(status=JobStatus.FAILED, status_reason=reasons.ESSENTIAL_CONTAINER_EXITED)
        return job

    def detail(self, parent: Mapping[str, Any], clusters: Clusters, node: int) -> dict[str, Any]:
        """Describe a node; `parent` is its job's own detail."""
        job = self.job(node)
        job_id = f"{self._row.job_id}#{node}"
        block, latest = self._range(node), self._latest(node)
        ended = [self._of_node(node, each) for each in self._attempts if each[0].attempt.stopped_at]
        pod = block.get("eksProperties")
        found = {
            **{name: value for name, value in parent.items() if name != "nodeProperties"},
            "jobArn": self._context.arn(f"job/{job_id}"),
            "jobId": job_id,
            "status": job.status.value,
            "statusReason": job.status_reason,
            "startedAt": job.started_at,
            "stoppedAt": job.stopped_at,
            "attempts": [self._attempt(clusters, block, each) for each in ended] if pod is None else [],
            "eksAttempts": [] if pod is None else [eks_attempt(pod, each) for each in ended],
            "container": container_detail(clusters, block.get("container") or {}, latest),
            "ecsProperties": ecs_properties(clusters, block.get("ecsProperties"), latest),
            "eksProperties": eks_properties(pod, latest),
            "nodeDetails": {"nodeIndex": node, "isMainNode": node == self._main},
        }
        return {name: value for name, value in found.items() if value is not None}

    def summary_properties(self, node: int) -> dict[str, Any]:
        """`nodeProperties` of a node in ListJobs."""
        return {"isMainNode": node == self._main, "numNodes": self.number, "nodeIndex": node}

    def outcome(self, node: int) -> dict[str, Any] | None:
        """`container` of a node in ListJobs: exitCode and reason, once its latest attempt has ended."""
        latest = self._latest(node)
        if not latest or latest[0].attempt.stopped_at is None:
            return None
        return {name: value for name, value in decisive(latest).outcome().items() if name != "logStreamName"}

    @property
    def _main(self) -> int:
        return int(self._properties["mainNode"])

    def _of_node(self, node: int, attempt: Sequence[Fate]) -> list[Fate]:
        return [fate for fate in attempt if fate.placed.node == node]

    def _latest(self, node: int) -> list[Fate]:
        return self._of_node(node, self._attempts[-1]) if self._attempts else []

    def _range(self, node: int) -> Mapping[str, Any]:
        """The node range that a node belongs to, which says what it runs."""
        ranges = self._properties["nodeRangeProperties"]
        found: Mapping[str, Any] = ranges[ranges_of_nodes(ranges, self.number)[node]]
        return found

    def _attempt(self, clusters: Clusters, block: Mapping[str, Any], found: Sequence[Fate]) -> dict[str, Any]:
        """A node has times of its own."""
        first = decisive(found)
        times = {"startedAt": first.started_at, "stoppedAt": first.stopped_at}
        detail = attempt_detail(clusters, block.get("ecsProperties"), found) | times
        return {name: value for name, value in detail.items() if value is not None}
