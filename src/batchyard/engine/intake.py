"""Taking in what executors report: each report becomes an event in the life of the job whose attempt it names.

A report for an attempt that no row expects to be active (taken in before, or of another database) is passed over: the
row is the truth. A report that the lifecycle does not allow is a bug; it is logged with its story and the job is left
as it was, so that one job's trouble stops nobody else.
"""

import logging
from collections.abc import Sequence

from batchyard.core import events as e
from batchyard.core.ids import AttemptId
from batchyard.core.jobs import Attempt
from batchyard.core.lifecycle import InvalidTransition
from batchyard.engine.apply import Changes
from batchyard.engine.containers import containers_ended, containers_started
from batchyard.engine.pace import Pace
from batchyard.executors import interface as x

log = logging.getLogger(__name__)


def take_in(changes: Changes, active: dict[AttemptId, Attempt], reports: Sequence[x.Report], pace: Pace) -> None:
    """Apply reports in order; `active` is kept up to date (ended attempts leave it)."""
    known = [report for report in reports if report.attempt_id in active]
    changes.preload([active[report.attempt_id].key for report in known])
    for report in known:
        attempt = active.get(report.attempt_id)
        if attempt is None:
            continue
        try:
            _take(changes, active, attempt, report, pace)
        except InvalidTransition:
            log.exception("a report does not fit the job it is about", extra={"report": repr(report)})


def _take(changes: Changes, active: dict[AttemptId, Attempt], attempt: Attempt, report: x.Report, pace: Pace) -> None:
    match report:
        case x.AttemptStarted():
            started = changes.happen(attempt.key, e.AttemptStarted(report.at), attempt)
            assert started is not None
            active[attempt.attempt_id] = started
            containers_started(changes, started)
            return
        case x.AttemptExited():
            event = e.AttemptExited(
                report.at, report.exit_code, report.reason, report.started_at, report.failed_to_start
            )
            ended = changes.happen(attempt.key, event, attempt)
            containers_ended(changes, ended or attempt, report.at, report.containers)
            definition_id = changes.row(attempt.key.seq).definition_id
            if report.started_at is not None and definition_id is not None:
                pace.note(definition_id, report.at - report.started_at)
        case x.AttemptLost():
            lost = changes.happen(attempt.key, e.AttemptLost(report.at, report.started_at), attempt)
            containers_ended(changes, lost or attempt, report.at, ())
        case x.AttemptReturned():
            changes.give_back(attempt)
    del active[attempt.attempt_id]
