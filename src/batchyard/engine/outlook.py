"""What the next plan would say, asked without deciding anything: for those who explain why a job waits.

The same rows are shown to the same pure function as in a tick, so an explanation cannot contradict the scheduler. It
costs what the plan of one tick costs, which does not depend on how many jobs wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from batchyard.core import placement
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.jobs import Attempt
from batchyard.core.placement import Plan, Room, Snapshot
from batchyard.engine.apply import Changes
from batchyard.engine.pace import Pace
from batchyard.engine.shares import Holders
from batchyard.engine.snapshot import Yard, snapshot
from batchyard.engine.terms import TermsCache
from batchyard.store.jobs import JobRow
from batchyard.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a plan depends on besides rows. is_connected: whether the executor answers. grace_seconds: between asking an
    attempt to end and killing it."""

    machine: Room
    pace: Pace
    is_connected: bool
    grace_seconds: float


@dataclass(frozen=True, slots=True)
class Foresight:
    """A plan that nobody carries out, and what it was shown."""

    yard: Yard
    view: Snapshot
    plan: Plan
    active: Sequence[Attempt]
    changes: Changes

    def row(self, seq: JobSeq) -> JobRow:
        """A job that exists."""
        return self.changes.row(seq)


def foresee(tx: Transaction, now: Millis, outlook: Outlook) -> Foresight:
    """The plan that the next tick would make of these rows, were nothing else to happen."""
    changes = Changes(tx, now, TermsCache())
    yard, active = Yard.read(tx), tx.attempts.active()
    view = snapshot(changes, yard, outlook.machine, active, outlook.pace, Holders(), outlook.grace_seconds)
    return Foresight(yard, view, placement.plan(view), active, changes)
