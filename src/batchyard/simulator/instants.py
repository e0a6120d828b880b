"""A record told again, moment by moment, for those who check it: nothing here knows what the planner was thinking."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from batchyard.core.ids import Millis
from batchyard.simulator.record import FOREVER, Record, Run


@dataclass(frozen=True, slots=True)
class Instant:
    """What happened at one moment: first jobs ended, then others were submitted, then some started, in this order."""

    at: Millis
    ended: list[Run] = field(default_factory=list)
    submitted: list[Run] = field(default_factory=list)
    started: list[Run] = field(default_factory=list)


def instants(record: Record) -> Iterator[Instant]:
    """Every moment at which anything happened, in order. Jobs that can never fit are left out."""
    starts = record.runs
    submissions = sorted((*starts, *record.waiting), key=attrgetter("submitted_at", "seq"))
    ends = sorted(starts, key=attrgetter("ended_at"))
    ended = submitted = started = 0
    while started < len(starts) or submitted < len(submissions) or ended < len(ends):
        now = min(
            starts[started].started_at if started < len(starts) else FOREVER,
            submissions[submitted].submitted_at if submitted < len(submissions) else FOREVER,
            ends[ended].ended_at if ended < len(ends) else FOREVER,
        )
        instant = Instant(now)
        while ended < len(ends) and ends[ended].ended_at == now:
            instant.ended.append(ends[ended])
            ended += 1
        while submitted < len(submissions) and submissions[submitted].submitted_at == now:
            instant.submitted.append(submissions[submitted])
            submitted += 1
        while started < len(starts) and starts[started].started_at == now:
            instant.started.append(starts[started])
            started += 1
        yield instant
