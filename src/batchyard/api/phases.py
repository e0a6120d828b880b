"""What is CREATING, UPDATING or DELETING, and what may not be done to it meanwhile (F 8.1, 1.6).

A yard has no machines to wait for, so a resource is in a phase only while something keeps it there: a queue that is
being deleted until its jobs have ended, a compute environment whose infrastructure is updated or that is being deleted
until the attempts in it have. `[compatibility] phase_seconds` holds every resource in every phase for a while, so that
programs which wait for VALID can be tried. The engine ends phases (engine/phases.py).
"""

from batchyard.api.context import Context
from batchyard.core import refusals
from batchyard.core.ids import Millis
from batchyard.core.resources import VALID, Phase


def begin(context: Context, resource: str, status: str, *, is_held: bool = False, stop_at: Millis | None = None) -> str:
    """Begin a phase of the resource with this tail, if `is_held` by something or the operator wishes to see it.

    Returns the status from now on: VALID if nothing keeps it. stop_at: see `Phase`.
    """
    seconds = context.settings.phase_seconds
    if not is_held and not seconds:
        return VALID
    due_at = Millis(context.now + round(1000 * seconds))
    context.tx.phases.put(Phase(resource, status, context.now, due_at, stop_at))
    return status


def status_of(context: Context, resource: str) -> str:
    """The status of a resource that has no column for it."""
    phase = context.tx.phases.get(resource)
    return VALID if phase is None else phase.status


def check_update(context: Context, resource: str) -> None:
    """Raises Refusal for an update of what is in a phase."""
    if context.tx.phases.get(resource) is not None:
        raise refusals.update_while_being_modified()


def check_delete(context: Context, resource: str) -> None:
    """Raises Refusal for the deletion of what is in a phase."""
    if context.tx.phases.get(resource) is not None:
        raise refusals.being_modified()
