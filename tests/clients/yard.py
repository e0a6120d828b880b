"""A running server as its clients see it: the boto3 clients, and the few sentences that every test says to them."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.clients.server_process import ServerProcess, wait_for

ENDED = ("SUCCEEDED", "FAILED")
STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", *ENDED)
LOG_GROUP = "/aws/batch/job"

Detail = dict[str, Any]

_numbers = itertools.count(1)


ANSWERED: set[str] = set()
"""The operations that clients of this file have been answered with success, as `batch.SubmitJob`."""


def client(service: str, url: str, **config: Any) -> Any:
    """A boto3 client of its own session, so that nothing of this machine's AWS configuration is read."""
    session = boto3.session.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret")
    settings = {"retries": {"mode": "standard", "max_attempts": 2}, "read_timeout": 30, **config}
    made = session.client(service, endpoint_url=url, region_name="us-east-1", config=Config(**settings))
    made.meta.events.register("after-call", lambda http_response, model, **_: _note(service, http_response, model))
    return made


def _note(service: str, response: Any, operation: Any) -> None:
    if response.status_code == 200:
        ANSWERED.add(f"{service}.{operation.name}")


@dataclass
class Yard:
    """batch and logs are boto3 clients; queue is where jobs go unless a request says otherwise."""

    server: ServerProcess
    batch: Any
    logs: Any
    queue: str = "default"
    submitted: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, server: ServerProcess) -> "Yard":
        """The clients of a server that listens."""
        return cls(server, client("batch", server.url), client("logs", server.url))

    def define(self, command: Sequence[str], **members: Any) -> str:
        """Register a definition of its own name; returns `name:1`.

        container: what to change of containerProperties; None takes a member out.
        """
        container = {"image": "busybox", "vcpus": 1, "memory": 64, "command": list(command)}
        container |= members.pop("container", {})
        container = {member: value for member, value in container.items() if value is not None}
        name = f"definition-{next(_numbers)}"
        answer = self.batch.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=container, **members
        )
        return f"{answer['jobDefinitionName']}:{answer['revision']}"

    def submit(self, definition: str | Sequence[str], **members: Any) -> str:
        """SubmitJob of a definition, or of a command that gets one; `size` makes an array. Returns the job's id."""
        if not isinstance(definition, str):
            definition = self.define(definition)
        if size := members.pop("size", None):
            members["arrayProperties"] = {"size": size}
        request = {"jobName": "job", "jobQueue": self.queue, "jobDefinition": definition, **members}
        job_id: str = self.batch.submit_job(**request)["jobId"]
        self.submitted.append(job_id)
        return job_id

    def shell(self, script: str, *arguments: object, **members: Any) -> str:
        """Submit `sh -c script`; the arguments are its $1, $2, ..."""
        return self.submit(["sh", "-c", script, "sh", *map(str, arguments)], **members)

    def describe(self, *job_ids: str) -> list[Detail]:
        """DescribeJobs, in the order of the ids."""
        found = {job["jobId"]: job for job in self.batch.describe_jobs(jobs=list(job_ids))["jobs"]}
        return [found[job_id] for job_id in job_ids]

    def job(self, job_id: str) -> Detail:
        """One job as DescribeJobs shows it now."""
        return self.describe(job_id)[0]

    def until(self, job_id: str, *statuses: str, seconds: float = 20.0) -> Detail:
        """The job as soon as it is in one of these statuses."""
        return wait_for(
            lambda: job if (job := self.job(job_id))["status"] in statuses else None,
            f"{job_id} in {statuses}",
            seconds,
        )

    def ended(self, job_id: str, seconds: float = 20.0) -> Detail:
        """The job as soon as it has ended."""
        return self.until(job_id, *ENDED, seconds=seconds)

    def run(self, definition: str | Sequence[str], **members: Any) -> Detail:
        """Submit and wait for the end."""
        return self.ended(self.submit(definition, **members))

    def children(self, job_id: str, size: int) -> list[Detail]:
        """The children of an array, by index."""
        return self.describe(*(f"{job_id}:{index}" for index in range(size)))

    def listed(self, **request: Any) -> list[Detail]:
        """ListJobs, all pages."""
        pages = self.batch.get_paginator("list_jobs").paginate(**request)
        return [job for page in pages for job in page["jobSummaryList"]]

    def log(self, job: Detail) -> list[str]:
        """The lines that a job's latest attempt wrote."""
        return [event["message"] for event in self.log_events(job["container"]["logStreamName"])]

    def log_events(self, stream: str, group: str = LOG_GROUP, **request: Any) -> Iterator[dict[str, Any]]:
        """GetLogEvents from the head, page by page until the token repeats, as every client does it."""
        token: dict[str, str] = {}
        while True:
            page = self.logs.get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True, **request, **token
            )
            yield from page["events"]
            if page["nextForwardToken"] == token.get("nextToken"):
                return
            token = {"nextToken": page["nextForwardToken"]}

    def output(self, job: Detail) -> str:
        """The log as one text."""
        return "\n".join(self.log(job))

    def environment(self, job: Detail) -> dict[str, str]:
        """What `env` printed in the job."""
        return dict(line.partition("=")[::2] for line in self.log(job))

    def clear(self) -> None:
        """Terminate what tests left and wait until all of it has ended, so that the next test finds an empty yard."""
        jobs, self.submitted = self.submitted, []
        for job_id in jobs:
            self.batch.terminate_job(jobId=job_id, reason="the test is over")
        for job_id in jobs:
            self.ended(job_id, seconds=45)


class Gate:
    """A file that jobs wait for: `gate.script` is what they run to wait, `open` lets them all go on."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"gate-{next(_numbers)}"
        self.script = f"until [ -e '{self._path}' ]; do sleep 0.02; done"

    def open(self) -> None:
        """Let everybody through."""
        self._path.touch()
