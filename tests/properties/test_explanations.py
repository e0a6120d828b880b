"""What is said of a job that waits is what the plan did with it, in any situation."""

from dataclasses import replace

from hypothesis import given

from batchyard.core.explanations.causes import Cause
from batchyard.core.explanations.verdicts import Place, Verdict, Waiting, is_full, judge, settled
from batchyard.core.ids import JobSeq
from batchyard.core.placement import Candidate, QueueHeads, Snapshot, plan
from tests.properties.test_placement import snapshots

NO_ROOM = (Cause.MACHINE_FULL, Cause.COMPUTE_ENVIRONMENT_FULL, Cause.OTHER_QUEUE_FIRST)


def verdicts(snapshot: Snapshot) -> list[tuple[Waiting, QueueHeads, Verdict]]:
    """Of all that the plan leaves over; queues are numbered as they stand."""
    queues = [replace(queue, queue_id=number) for number, queue in enumerate(snapshot.queues)]
    snapshot = replace(snapshot, queues=queues)
    jobs: dict[JobSeq, tuple[Candidate, QueueHeads]] = {c.seq: (c, q) for q in queues for c in q.candidates}
    made = plan(snapshot)
    view = settled(snapshot, made, lambda seq: jobs[seq][0])
    placed = dict.fromkeys(jobs, 0)
    for placement in made.placements:
        placed[placement.seq] += placement.number
    found = []
    for seq, (job, queue) in jobs.items():
        if placed[seq] < job.available:
            place = Place(queue.queue_id, None)
            is_open = any(snapshot.environments[name].accepts for name in queue.environments)
            heads = queue if is_open else None

            def place_of(other: JobSeq) -> Place:
                return Place(jobs[other][1].queue_id, None)

            waiting = Waiting(job, place, queue.environments, view, made, heads, place_of)
            found.append((waiting, queue, judge(waiting, None)))
    return found


@given(snapshots())
def test_who_is_not_placed_is_not_said_to_be_about_to_be(snapshot: Snapshot) -> None:
    for waiting, _, verdict in verdicts(snapshot):
        seq, made = waiting.candidate.seq, waiting.plan
        if not any(placement.seq == seq for placement in made.placements):
            assert verdict.cause is not Cause.ABOUT_TO_BE_PLACED
        assert (verdict.cause in NO_ROOM) or seq not in made.held
        assert verdict.cause is Cause.NEVER_FITS or seq not in made.misfits


@given(snapshots())
def test_what_is_said_to_be_missing_is(snapshot: Snapshot) -> None:
    for waiting, queue, verdict in verdicts(snapshot):
        of_queue = [waiting.view.environments[name] for name in queue.environments]
        job = waiting.candidate
        match verdict.cause:
            case Cause.MACHINE_FULL:
                assert not waiting.view.free.fits(job.need)
            case Cause.COMPUTE_ENVIRONMENT_FULL:
                assert all(is_full(e, job) for e in of_queue if e.accepts)
            case Cause.COMPUTE_ENVIRONMENT_CLOSED:
                assert not any(e.accepts and e.limit >= job.takes for e in of_queue)
            case Cause.BEHIND_IN_QUEUE:
                assert verdict.before in waiting.plan.held
                assert verdict.before < job.seq
            case Cause.OTHER_QUEUE_FIRST:
                assert verdict.before in waiting.plan.held
                first = next(q for q in snapshot.queues if any(c.seq == verdict.before for c in q.candidates))
                assert first.priority >= queue.priority
