"""The history told as events: what each says is what DescribeJobs said then, and what it says for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from batchyard.api.context import Context, Settings
from batchyard.api.events.feed import Feed, Filter, Page
from batchyard.core.access import Principal
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.job_events import Position
from batchyard.core.jobs import JobKey, JobStatus
from batchyard.engine.clock import RandomIds
from batchyard.engine.terms import TermsCache
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction
from tests.engine.yard import Yard
from tests.simulation.world import World

Event = dict[str, Any]
ALL = Filter()
BEGINNING = Position(0)


def context_in(tx: Transaction, region: str, principal: Principal | None = None) -> Context:
    return Context(tx, Millis(0), region, Settings(), RandomIds(), TermsCache(), principal)


def read(database: Database, position: Position = BEGINNING, wanted: Filter = ALL, limit: int = 7) -> list[Page]:
    """The pages behind a position."""
    feed, pages = Feed(context_in, wanted), []
    while True:
        with database.read() as tx:
            pages.append(feed.read(tx, position, limit))
        assert len(pages[-1].events) <= limit
        position = pages[-1].position
        if pages[-1].is_last:
            return pages


def told(yard: Yard, wanted: Filter = ALL, position: Position = BEGINNING) -> list[Event]:
    return [json.loads(event.body) for page in read(yard.world.database, position, wanted) for event in page.events]


def story(yard: Yard, name: str) -> list[str]:
    """The statuses that were told of a job or child, in order."""
    return [event["detail"]["status"] for event in told(yard) if event["detail"]["jobId"] == name]


def last(yard: Yard, name: str) -> Event:
    """What was told last of a job or child, as DescribeJobs would say it."""
    detail: Event = [event["detail"] for event in told(yard) if event["detail"]["jobId"] == name][-1]
    assert detail["tags"].pop("resourceArn") == detail["jobArn"]
    return detail


def test_the_envelope_is_that_of_eventbridge(yard: Yard) -> None:
    job_id = yard.submit(tags={"team": "genomics"})
    event = told(yard)[-1]
    arn = yard.describe(job_id)["jobArn"]
    assert list(event) == [
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"
    ]  # fmt: skip
    assert (event["version"], event["source"]) == ("0", "aws.batch")
    assert event["detail-type"] == "Batch Job State Change"
    assert (event["account"], event["region"]) == ("123456789012", "us-east-1")
    assert event["resources"] == [arn]
    assert event["time"].endswith("Z")
    assert len(event["time"]) == len("2017-10-23T17:56:03Z")
    assert event["detail"]["tags"] == {"team": "genomics", "resourceArn": arn}
    assert list(event["detail"])[:4] == ["jobArn", "jobName", "jobId", "jobQueue"]
    assert isinstance(event["detail"]["createdAt"], int)


def test_a_retried_job_is_told_as_it_was(yard: Yard) -> None:
    job_id = yard.submit(retryStrategy={"attempts": 2})
    assert last(yard, job_id) == yard.describe(job_id)
    yard.finish(job_id, exit_code=3)
    assert last(yard, job_id) == yard.describe(job_id)
    assert last(yard, job_id)["attempts"][0]["container"]["exitCode"] == 3
    yard.finish(job_id)
    assert last(yard, job_id) == yard.describe(job_id)
    attempt = ["RUNNABLE", "STARTING", "RUNNING"]
    assert story(yard, job_id) == [*attempt, *attempt, "SUCCEEDED"]


def test_every_child_of_an_array_is_told_of(yard: Yard) -> None:
    first = yard.submit()
    array = yard.submit(size=40, after=[{"jobId": first}])
    assert last(yard, array) == yard.describe(array)
    yard.finish(first)
    running = yard.running()
    assert len(running) == 6
    for name in running:
        assert last(yard, name) == yard.describe(name)
    waiting = f"{array}:39"
    assert last(yard, waiting) == yard.describe(waiting)
    yard.ask("TerminateJob", jobId=waiting, reason="not this one")
    yard.finish_all()
    for name in (array, *(f"{array}:{index}" for index in range(40))):
        assert last(yard, name) == yard.describe(name)
    assert story(yard, array) == ["PENDING", "FAILED"]
    assert story(yard, f"{array}:0") == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    assert story(yard, waiting)[-2:] == ["RUNNABLE", "FAILED"]
    assert last(yard, waiting)["arrayProperties"] == {"statusSummary": {}, "index": 39}


def test_a_cancelled_job_is_told_with_its_end(yard: Yard) -> None:
    first = yard.submit()
    job_id = yard.submit(after=[{"jobId": first}])
    yard.ask("CancelJob", jobId=job_id, reason="no more")
    assert "isCancelled" not in last(yard, job_id)
    yard.finish(first)
    assert last(yard, job_id) == yard.describe(job_id)
    assert last(yard, job_id)["isCancelled"] is True


def test_reading_goes_on_within_a_row_about_many_children(yard: Yard) -> None:
    blocker = yard.submit()
    array = yard.submit(size=20, after=[{"jobId": blocker}])
    yard.ask("TerminateJob", jobId=array, reason="all of them")
    pages = read(yard.world.database, limit=1)
    events = [event for page in pages for event in page.events]
    assert len({event.event_id for event in events}) == len(events)
    positions = [event.position for event in events]
    many = [position for position in positions if position.array_index is not None]
    assert [position.array_index for position in many] == list(range(20))
    assert len({position.seq for position in many}) == 1
    for number, event in enumerate(events):
        rest = read(yard.world.database, event.position)
        assert [each.body for page in rest for each in page.events] == [each.body for each in events[number + 1 :]]


def test_filters(yard: Yard) -> None:
    single, array = yard.submit(jobQueue="normal"), yard.submit(size=3)
    yard.finish_all()
    numbers = {name: yard.world.key(name) for name in (single, array)}
    everything = told(yard)

    def expected(*, queue: str | None = None, name: str = "", status: str | None = None) -> list[Event]:
        return [
            event
            for event in everything
            if (queue is None or event["detail"]["jobQueue"].endswith(f"/{queue}"))
            and event["detail"]["jobId"].startswith(name)
            and status in (None, event["detail"]["status"])
        ]

    assert told(yard, Filter(queues=frozenset({"normal"}))) == expected(queue="normal") != []
    assert told(yard, Filter(queues=frozenset({"nobody's"}))) == []
    assert told(yard, Filter(job=numbers[array])) == expected(name=array)
    assert len(expected(name=array)) == 2 + 3 * 4
    child = JobKey(JobSeq(numbers[array].seq if numbers[array] else 0), 1)
    assert told(yard, Filter(job=child)) == expected(name=f"{array}:1")
    assert len(expected(name=f"{array}:1")) == 4
    ended = Filter(statuses=(JobStatus.SUCCEEDED,))
    assert told(yard, ended) == expected(status="SUCCEEDED")
    assert told(yard, Filter(frozenset({"urgent"}), child, (JobStatus.RUNNING,))) == expected(
        name=f"{array}:1", status="RUNNING"
    )


def test_a_long_way_to_what_is_asked_for_goes_in_pages(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchyard.api.events.feed.ROWS_AT_ONCE", 5)
    array, single = yard.submit(size=6), yard.submit(jobQueue="normal")
    yard.finish_all()
    for wanted in (Filter(queues=frozenset({"normal"})), Filter(job=yard.world.key(single))):
        pages = read(yard.world.database, wanted=wanted)
        assert len([page for page in pages if not page.events]) > 2
        assert [json.loads(e.body)["detail"]["jobId"] for page in pages for e in page.events] == [single] * 4
    assert story(yard, array) == ["PENDING", "SUCCEEDED"]


def test_what_is_forgotten_is_said(yard: Yard) -> None:
    yard.submit(size=3)
    yard.finish_all()
    events = [event for page in read(yard.world.database) for event in page.events]
    with yard.world.database.write() as tx:
        tx.statements.run("DELETE FROM history WHERE seq < 5")
    kept = [event for event in events if event.position.seq >= 5]

    def from_(position: Position) -> tuple[list[int | None], list[Any]]:
        pages = read(yard.world.database, position)
        return [page.forgotten for page in pages], [event for page in pages for event in page.events]

    for position in (Position(1), Position(3), Position(2, 0)):
        forgotten, found = from_(position)
        assert forgotten == [5, *[None] * (len(forgotten) - 1)]
        assert found == kept
    for position in (Position(0), Position(4)):
        forgotten, found = from_(position)
        assert not any(forgotten)
        assert found == kept
    with yard.world.database.write() as tx:
        tx.statements.run("DELETE FROM history")
    assert from_(Position(4)) == ([events[-1].position.seq + 1], [])
    yard.submit()
    assert from_(Position(events[-1].position.seq))[0] == [None]


@pytest.mark.parametrize("seed", range(4))
def test_an_event_says_for_ever_what_it_said_first(seed: int, tmp_path: Path) -> None:
    """In worlds of crashes, retries and lost hosts: told in the commit that made it, and told again at the end."""
    seen: list[tuple[str, Event]] = []
    position = BEGINNING

    def watch(world: World) -> None:
        nonlocal position
        for page in read(world.database, position, limit=100):
            seen.extend((event.event_id, json.loads(event.body)) for event in page.events)
            position = page.position

    world = World(f"events {seed}", tmp_path)
    try:
        world.run([watch])
        again = [(e.event_id, json.loads(e.body)) for page in read(world.database, limit=100) for e in page.events]
    finally:
        world.close()
    assert len(seen) > 40
    assert [event_id for event_id, _ in again] == [event_id for event_id, _ in seen]
    for (_, first), (_, later) in zip(seen, again, strict=True):
        assert _kept(later) == _kept(first)


def _kept(event: Event) -> Event:
    """Without what the rows cannot say for ever: tags are those of now, and a placement that was taken back is gone."""
    detail = dict(event["detail"])
    detail.pop("tags", None)  # events of service jobs have none
    if detail["status"] == "STARTING":
        for block in ("container", "ecsProperties", "eksProperties"):
            detail.pop(block, None)
    if detail["status"] == "SCHEDULED":
        detail.pop("latestAttempt", None)
    return {**event, "detail": detail}
