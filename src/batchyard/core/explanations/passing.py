"""Of a queue with backfill: why a job has not passed the blocked one before it."""

from typing import NamedTuple

from batchyard.core.backfill import LOOK_AHEAD
from batchyard.core.explanations.causes import Facts
from batchyard.core.explanations.verdicts import Verdict, Waiting


class Passing(NamedTuple):
    """One sentence, and the seconds that it speaks of as data."""

    sentence: str
    facts: Facts


def why_not_past(waiting: Waiting, verdict: Verdict) -> Passing | None:
    """What keeps a job from passing the one that room is kept for; None where its queue lets nobody pass."""
    if waiting.heads is None or not waiting.heads.backfill or verdict.before not in waiting.plan.held:
        return None
    timeout, within = waiting.view.timeouts[waiting.candidate.seq], waiting.plan.room_within.get(verdict.before)
    seconds = {"roomWithinSeconds": within, "timeoutSeconds": timeout, "graceSeconds": waiting.view.grace_seconds}
    facts = {name: value for name, value in seconds.items() if value is not None}
    return Passing(f"Backfill: {_said(waiting, timeout, within)}.", facts)


def _said(waiting: Waiting, timeout: float | None, within: float | None) -> str:
    grace = waiting.view.grace_seconds
    if within is None:
        return "nobody passes that one, since the timeouts of what runs do not say when it has its room"
    soon = f"that one has its room in {within:,.0f} s at the latest"
    if waiting.candidate.consumes:
        return "what needs consumable resources passes nobody"
    if timeout is None:
        return f"{soon}, and this job has no timeout, so it passes nobody"
    if timeout + grace > within:
        return (
            f"{soon}, and the timeout of this job ends it within {timeout:,.0f} s and {grace:g} s more, which is later"
        )
    return f"it ends in time to pass that one, and does when it fits and is among the {LOOK_AHEAD} jobs behind it"
