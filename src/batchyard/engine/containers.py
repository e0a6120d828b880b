"""What is recorded of the containers of attempts that have several; an attempt of one says it all itself."""

from collections.abc import Mapping, Sequence

from batchyard.core.ids import Millis, container_id
from batchyard.core.jobs import Attempt, StopCause
from batchyard.core.resolved_tasks import placed_containers
from batchyard.engine.apply import Changes
from batchyard.executors.interface import ContainerExit
from batchyard.store.attempt_containers import AttemptContainer


def containers_started(changes: Changes, attempt: Attempt) -> None:
    """The attempt runs: each of its containers has a log stream from now on."""
    rows = _rows(changes, attempt)
    changes.tx.attempt_containers.put(row._replace(started_at=attempt.started_at) for row in rows)


def containers_ended(changes: Changes, attempt: Attempt, at: Millis, exits: Sequence[ContainerExit]) -> None:
    """The attempt has ended, and these are the ends of its containers; none if nobody can say."""
    told = _told(attempt, exits)
    rows = []
    for row in _rows(changes, attempt):
        if found := told.get(row.position):
            rows.append(
                row._replace(
                    started_at=found.started_at, stopped_at=found.at, exit_code=found.exit_code, reason=found.reason
                )
            )
        else:
            rows.append(row._replace(started_at=attempt.started_at, stopped_at=at))
    changes.tx.attempt_containers.put(rows)


def _told(attempt: Attempt, exits: Sequence[ContainerExit]) -> Mapping[int, ContainerExit]:
    """What is told of containers, by position; an attempt that counts as lost with its host tells nothing of them."""
    if attempt.stop_wanted is StopCause.HOST_TERMINATED and attempt.exit_code is None:
        return {}
    return {each.position: each for each in exits}


def _rows(changes: Changes, attempt: Attempt) -> list[AttemptContainer]:
    resolved = changes.terms(attempt.key.seq).resolved
    several = placed_containers(resolved.containers)
    if len(several) == 1:
        return []
    return [
        AttemptContainer(
            job_seq=attempt.key.seq,
            attempt_id=attempt.attempt_id,
            position=placed.position,
            log_id=container_id(attempt.attempt_id, placed.position),
            log_group=placed.container.log_group,
            log_stream=placed.log_stream(attempt.attempt_id, resolved.log_stream_prefix),
            placed_at=attempt.placed_at,
        )
        for placed in several
    ]
