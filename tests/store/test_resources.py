"""The rows of resources, definitions, tags and log groups, as any database must keep them."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from batchyard.core.ids import Millis
from batchyard.core.resources import ACTIVE, INACTIVE, ComputeEnvironment, JobQueue, QueueSettings
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction

NOW = Millis(1_700_000_000_000)

ENVIRONMENT = ComputeEnvironment(
    id=0,
    name="machine",
    type="MANAGED",
    state="ENABLED",
    status="VALID",
    status_reason="ComputeEnvironment Healthy",
    platform="EC2",
    max_vcpus=2.0,
    created_at=NOW,
    document={"computeResources": {"type": "EC2", "maxvCpus": 2}, "name with \u00fc": [None, 1.5]},
)
QUEUE = JobQueue(
    id=0,
    name="default",
    state="ENABLED",
    status="VALID",
    status_reason="JobQueue Healthy",
    priority=1,
    compute_environments=("machine", "other"),
    scheduling_policy=None,
    created_at=NOW,
    document={"jobQueueType": "ECS"},
    settings=QueueSettings(backfill=True, default_attempts=3),
)


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    database = Database.at(tmp_path, synchronous="OFF")
    database.migrate()
    with database.write() as transaction:
        yield transaction
    database.close()


def test_compute_environments(tx: Transaction) -> None:
    rows = tx.compute_environments
    first = rows.insert(ENVIRONMENT)
    second = rows.insert(replace(ENVIRONMENT, name="other", max_vcpus=None))
    assert rows.get("machine") == first
    assert rows.get("nothing") is None
    assert rows.all() == rows.page(0, 9) == [first, second]
    assert rows.page(first.id, 9) == [second]
    assert rows.page(0, 1) == [first]
    assert rows.named(["other", "nothing", "machine", "other"]) == [second, first]
    assert rows.count() == 2
    changed = replace(first, state="DISABLED", status="DELETING", status_reason="r", max_vcpus=9.0, document={})
    rows.update(changed)
    assert rows.all() == [changed, second]
    rows.delete("machine")
    assert rows.all() == [second]


def test_job_queues(tx: Transaction) -> None:
    rows = tx.job_queues
    first = rows.insert(QUEUE)
    second = rows.insert(replace(QUEUE, name="q", compute_environments=("mach",), scheduling_policy="arn"))
    assert rows.get("default") == first
    assert rows.all() == rows.page(0, 9) == [first, second]
    assert rows.page(first.id, 9) == [second]
    assert rows.named(["q", "nothing"]) == [second]
    assert rows.count() == 2
    assert rows.any_lists("other")
    assert not rows.any_lists("mac"), "names are compared whole"
    changed = replace(first, priority=7, state="DISABLED", compute_environments=("mach",))
    rows.update(changed)
    assert rows.get("default") == changed
    assert not rows.any_lists("other")
    rows.delete("default")
    assert rows.all() == [second]


def test_job_definitions(tx: Transaction) -> None:
    rows = tx.job_definitions
    first, second = (rows.insert("sleep", "container", NOW, {"parameters": {}}) for _ in range(2))
    other = rows.insert("other", "multinode", NOW, {})
    assert (first.revision, second.revision, other.revision) == (1, 2, 1)
    assert rows.get("sleep", 2) == rows.newest_active("sleep") == second
    assert rows.get("sleep", 3) is rows.newest_active("nothing") is None
    rows.deregister(second, NOW)
    assert rows.newest_active("sleep") == first
    assert rows.get("sleep", 2) == replace(second, status=INACTIVE)
    rows.deregister(second, Millis(NOW + 99))
    assert rows.references({first.id, other.id}) == {first.id: "sleep:1", other.id: "other:1"}
    assert rows.references(set()) == {}
    assert rows.insert("sleep", "container", NOW, {}).revision == 3


def test_pages_of_job_definitions(tx: Transaction) -> None:
    rows = tx.job_definitions
    made = [rows.insert(name, "container", NOW, {}) for name in ("a", "b", "a")]
    rows.deregister(made[0], NOW)

    def page(
        name: str | None = None, status: str | None = None, before: int | None = None, limit: int = 9
    ) -> list[str]:
        found = rows.page(name=name, status=status, before=before, limit=limit, deregistered_after=Millis(NOW - 1))
        return [definition.reference for definition in found]

    assert page() == ["a:2", "b:1", "a:1"]
    assert page(limit=2) == ["a:2", "b:1"]
    assert page(before=made[1].id) == ["a:1"]
    assert page(name="a") == ["a:2", "a:1"]
    assert page(name="a", before=2) == ["a:1"]
    assert page(status=ACTIVE) == ["a:2", "b:1"]
    assert page(name="a", status=INACTIVE) == ["a:1"]
    found = rows.page(name="a", status=None, before=None, limit=9, deregistered_after=NOW)
    assert [definition.revision for definition in found] == [2], "one deregistered long ago is not shown"


def test_tags(tx: Transaction) -> None:
    tx.tags.put("job-queue/q", {"b": "1", "a": "2"})
    tx.tags.put("job-queue/q", {"b": "3"})
    tx.tags.put("job-queue/other", {"c": "4"})
    tx.tags.put("job-queue/none", {})
    assert tx.tags.get("job-queue/q") == {"a": "2", "b": "3"}
    tx.tags.remove("job-queue/q", ["a", "nothing"])
    tx.tags.remove("job-queue/q", [])
    assert tx.tags.get("job-queue/q") == {"b": "3"}
    tx.tags.delete("job-queue/q")
    assert tx.tags.get("job-queue/q") == {}
    assert tx.tags.get("job-queue/other") == {"c": "4"}


def test_which_resources_exist(tx: Transaction) -> None:
    tx.compute_environments.insert(ENVIRONMENT)
    tx.job_queues.insert(QUEUE)
    tx.job_definitions.insert("sleep", "container", NOW, {})
    present = ["compute-environment/machine", "job-queue/default", "job-definition/sleep:1"]
    absent = ["job-queue/machine", "job-definition/sleep:2", "job-definition/sleep:x", "job/x", "odd/x", "odd"]
    assert [tail for tail in present + absent if tx.tags.resource_exists(tail)] == present


def test_log_groups(tx: Transaction) -> None:
    groups = tx.log_groups
    default = groups.get("/aws/batch/job")
    assert default is not None
    assert default.created_at == 0
    groups.ensure("mine", NOW)
    groups.ensure("mine", Millis(NOW + 1))
    groups.ensure("/aws/batch/job", NOW)
    mine = groups.get("mine")
    assert mine is not None
    assert mine.created_at == NOW
    assert groups.page(prefix="", pattern="", after="", limit=9) == [default, mine]
    assert groups.page(prefix="", pattern="", after=default.name, limit=9) == [mine]
    assert groups.page(prefix="MI", pattern="", after="", limit=9) == []
    assert groups.page(prefix="", pattern="in", after="", limit=9) == [mine]
    groups.delete("mine", NOW)
    assert groups.get("mine") is None
    groups.delete("/aws/batch/job", NOW)
    assert groups.page(prefix="", pattern="", after="", limit=9) == [replace(default, created_at=NOW)]


def test_what_is_remembered_is_forgotten_with_every_change_and_with_what_is_undone(tmp_path: Path) -> None:
    database = Database.at(tmp_path)
    database.migrate()
    with database.write() as tx:
        made = tx.job_queues.insert(QUEUE)
        assert tx.job_queues.get("default") is tx.job_queues.get("default"), "read once"
        assert tx.job_queues.get("other") is None
        tx.job_queues.insert(replace(QUEUE, name="other"))
        assert tx.job_queues.get("other") is not None
    with contextlib.suppress(ZeroDivisionError), database.write() as tx:
        tx.job_queues.update(replace(made, priority=7))
        assert tx.job_queues.get("default") == replace(made, priority=7)
        raise ZeroDivisionError
    with database.write() as tx:
        assert tx.job_queues.get("default") == made
        with contextlib.suppress(ZeroDivisionError), tx.savepoint():
            tx.job_queues.delete("default")
            assert tx.job_queues.get("default") is None
            raise ZeroDivisionError
        assert tx.job_queues.get("default") == made
    database.close()
