"""`GET /events` of a real server: followed with interruptions, across crashes, by slow clients, and guarded."""

import contextlib
import http.client
import json
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.clients.event_client import EventClient, Told
from tests.clients.server_process import ServerProcess, steady_port, wait_for
from tests.clients.yard import Yard

pytestmark = pytest.mark.process

VCPUS = 4
CHILDREN = 10_000


@pytest.fixture
def own_yard(tmp_path: Path) -> Iterator[Yard]:
    server = ServerProcess(tmp_path, "--max-vcpus", str(VCPUS), "--max-memory", "65536")
    server.start(steady_port())
    yield Yard.at(server)
    server.end()


class Follower(threading.Thread):
    """Follows from the beginning until it is told of the end of the job named `last`, and comes back after each
    interruption: its own, at random points, and those of the server."""

    def __init__(self, server: ServerProcess, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.seen: list[Told] = []
        self.interruptions = 0
        self.trouble: Exception | None = None
        self._server = server
        self._chance = chance

    def run(self) -> None:
        try:
            while not self._follow():
                self.interruptions += 1
        except Exception as trouble:
            self.trouble = trouble

    def _follow(self) -> bool:
        position, patience = self.seen[-1].id if self.seen else "0", self._chance.choice((5, 300, 3000))
        try:
            client = EventClient(self._server, position)
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)  # between the death of a server and the next one
            return False
        try:
            for number, told in enumerate(client.events()):
                self.seen.append(told)
                if '"jobName":"last"' in told.data and told.detail["status"] == "SUCCEEDED":
                    return True
                if number >= self._chance.randrange(1, 2 * patience):
                    return False
        except (OSError, http.client.HTTPException):
            pass
        finally:
            client.leave()
        return False


@pytest.mark.slow
def test_fifty_thousand_events_with_interruptions_none_missed_none_repeated(own_yard: Yard) -> None:
    yard, server = own_yard, own_yard.server
    follower = Follower(server, random.Random(20171023))
    follower.start()
    blocker = yard.submit(["sleep", "600"], containerOverrides={"vcpus": VCPUS})
    yard.until(blocker, "RUNNING")
    expected: Counter[tuple[str, str]] = Counter()
    for number in range(3):
        array = yard.submit(["true"], size=CHILDREN)
        wait_for(lambda: len(follower.seen) > CHILDREN * (2 * number + 1) - 5000, "the follower", 60)  # noqa: B023
        if number == 1:
            server.kill()
            server.start(server.port)
        yard.batch.terminate_job(jobId=array, reason="enough")
        expected.update({(array, "PENDING"): 1, (array, "FAILED"): 1})
        for index in range(CHILDREN):
            expected.update({(f"{array}:{index}", "RUNNABLE"): 1, (f"{array}:{index}", "FAILED"): 1})
    yard.batch.terminate_job(jobId=blocker, reason="enough")
    ran = yard.submit(["sh", "-c", "sleep 0.01"], size=300)
    server.kill()
    server.start(server.port)
    yard.ended(ran, seconds=60)
    last = yard.submit(["true"], jobName="last")
    follower.join(60)
    assert not follower.is_alive(), len(follower.seen)
    assert follower.trouble is None

    assert len(follower.seen) > 50_000
    assert follower.interruptions > 30
    events = [json.loads(told.data) for told in follower.seen]
    assert len({event["id"] for event in events}) == len(events), "an event was repeated"
    found = Counter((event["detail"]["jobId"], event["detail"]["status"]) for event in events)
    waiting = {key: number for key, number in found.items() if not key[0].startswith((blocker, ran, last))}
    assert waiting == expected
    for name in (f"{ran}:{index}" for index in range(300)):
        assert found[name, "SUCCEEDED"] == 1
        assert found[name, "RUNNABLE"] == found[name, "STARTING"] == 1 + found[name, "FAILED"]
    assert [(told.id, told.data) for told in follower.seen] == uninterrupted(server, follower.seen[-1].id)


def uninterrupted(server: ServerProcess, until: str) -> list[tuple[str, str]]:
    """Everything from the beginning, in one go."""
    client, found = EventClient(server, "0"), []
    for told in client.events():
        found.append((told.id, told.data))
        if told.id == until:
            break
    client.leave()
    return found


def test_a_client_without_an_id_is_told_what_happens_from_now_on(yard: Yard) -> None:
    before = yard.run(["true"])["jobId"]
    client = EventClient(yard.server)
    blocks = client.blocks()
    begun = next(blocks)
    assert begun.id.isdigit()
    assert not begun.data
    job = yard.run(["true"])
    events = [told for told in (next(blocks) for _ in range(3)) if told.detail["jobId"] == job["jobId"]]
    assert [told.event for told in events] == ["Batch Job State Change"] * 3
    client.leave()
    assert not [told for told in following(yard, begun.id, 3) if told.detail["jobId"] == before]


def following(yard: Yard, after: str, number: int, **query: str) -> list[Told]:
    client = EventClient(yard.server, after=after, **query)
    events = client.events()
    found = [next(events) for _ in range(number)]
    client.leave()
    return found


def test_an_event_at_the_end_is_what_describe_jobs_says(yard: Yard) -> None:
    start = begin(yard)
    container = {
        "environment": [{"name": "A", "value": "1"}],
        "ulimits": [{"name": "nofile", "hardLimit": 9, "softLimit": 9}],
    }
    definition = yard.define(
        ["sh", "-c", "exit 3"],
        container=container,
        retryStrategy={"attempts": 2},
        timeout={"attemptDurationSeconds": 60},
    )
    job = yard.run(definition, tags={"a": "b"}, parameters={"p": "q"})
    (told,) = following(yard, start, 1, job=job["jobId"], status="FAILED")
    detail = told.detail
    assert detail["tags"].pop("resourceArn") == job["jobArn"]
    assert detail == job
    array = yard.run(["true"], size=2)
    (of_parent,) = following(yard, start, 1, job=array["jobId"], status="SUCCEEDED")[-1:]
    assert of_parent.detail["jobId"].startswith(array["jobId"])
    child = yard.job(f"{array['jobId']}:1")
    (of_child,) = following(yard, start, 1, job=child["jobId"], status="SUCCEEDED")
    detail = of_child.detail
    assert detail["tags"].pop("resourceArn") == child["jobArn"]
    assert detail == child


def begin(yard: Yard) -> str:
    """The id of the newest event."""
    client = EventClient(yard.server)
    found = next(client.blocks()).id
    client.leave()
    return found


def test_the_header_wins_over_the_query(yard: Yard) -> None:
    start = begin(yard)
    job = yard.run(["true"])
    ids = [told.id for told in following(yard, start, 3, job=job["jobId"])]
    client = EventClient(yard.server, ids[0], after="0", job=job["jobId"])
    assert next(client.events()).id == ids[1]
    client.leave()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"after": "yesterday"}, "'yesterday' is no id of an event"),
        ({"last-event-id": "5.x"}, "'5.x' is no id of an event"),
        ({"after": "999999999"}, "There has been no event 999999999 yet"),
        ({"status": "DONE"}, "'DONE' is no status of a job"),
        ({"job": "nobody"}, "There is no job 'nobody'"),
        ({"jobs": "x"}, "There is no parameter 'jobs'"),
    ],
)
def test_what_cannot_be_is_refused_in_plain_words(yard: Yard, query: dict[str, str], sentence: str) -> None:
    with pytest.raises(AssertionError, match="400") as refused:
        EventClient(yard.server, **query)
    assert sentence in str(refused.value)


def test_web_pages_and_head_requests(yard: Yard) -> None:
    with pytest.raises(AssertionError, match="403"):
        EventClient(yard.server, headers={"Origin": "http://example.com"})
    connection = http.client.HTTPConnection("127.0.0.1", yard.server.port, timeout=10)
    connection.request("HEAD", "/events")
    assert connection.getresponse().read() == b""
    connection.request("POST", "/events")
    assert connection.getresponse().status == 404
    connection.close()


def test_a_client_that_does_not_read_slows_only_itself(own_yard: Yard) -> None:
    yard = own_yard
    sleeper = EventClient(yard.server, "0", buffer_bytes=4096)
    array = yard.submit(["true"], size=CHILDREN, dependsOn=[{"jobId": yard.submit(["sleep", "600"])}])
    yard.batch.terminate_job(jobId=array, reason="enough")
    quick = EventClient(yard.server, "0", job=array)
    assert len([told for _, told in zip(range(CHILDREN + 1), quick.events(), strict=False)]) == CHILDREN + 1
    quick.leave()
    assert yard.run(["true"])["status"] == "SUCCEEDED"
    found = 1
    for told in sleeper.events():
        if '"status":"SUCCEEDED"' in told.data:
            break
        found += 1
    assert found > CHILDREN
    sleeper.leave()


def test_who_comes_back_too_late_is_told_so(own_yard: Yard) -> None:
    yard = own_yard
    first, second = yard.run(["true"]), yard.run(["true"])
    ids = [told.id for told in following(yard, "0", 6)]
    assert yard.server.terminate() == 0
    with contextlib.closing(sqlite3.connect(yard.server.data / "batchyard.sqlite3")) as records:
        records.execute("DELETE FROM history WHERE seq <= ?", (int(ids[2]),))
        records.commit()
    yard.server.start(yard.server.port)
    gap, *rest = following(yard, ids[0], 4)
    assert (gap.event, json.loads(gap.data)) == ("gap", {"oldest": ids[3]})
    assert [told.id for told in rest] == ids[3:]
    assert [told.id for told in following(yard, gap.id, 3)] == ids[3:], "the gap is told once"
    assert {told.detail["jobId"] for told in following(yard, "0", 3)} == {second["jobId"]} != {first["jobId"]}


def test_streams_end_when_the_server_stops(own_yard: Yard) -> None:
    client = EventClient(own_yard.server)
    started = time.monotonic()
    assert own_yard.server.terminate() == 0
    assert time.monotonic() - started < 8, "the stream held the server up"
    assert list(client.events()) == []


# ------------------------------------------------------------------------------------------------------ with [auth]

SECRET = "a-secret-of-more-than-sixteen-characters"
AUTH = "".join(
    f'[[auth.keys]]\naccess_key_id = "AKID{name}"\nsecret_access_key = "{SECRET}"\n{rest}\n'
    for name, rest in (("ROOT", 'role = "admin"'), ("HERS", 'role = "read"\nqueues = ["hers"]'))
)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Yard]:
    file = tmp_path / "yard.toml"
    file.write_text(AUTH)
    file.chmod(0o600)
    server = ServerProcess(tmp_path, "--config", str(file), "--max-vcpus", str(VCPUS))
    server.start()
    from tests.clients.test_security import client

    found = Yard(server, client(server, "root", SECRET), client(server, "root", SECRET, "logs"))
    order = [{"order": 1, "computeEnvironment": "default"}]
    found.batch.create_job_queue(jobQueueName="hers", priority=1, computeEnvironmentOrder=order)
    yield found
    server.end()


def signed(server: ServerProcess, who: str, path: str = "/events", secret: str = SECRET) -> dict[str, str]:
    request = AWSRequest("GET", f"{server.url}{path}")
    SigV4Auth(Credentials(f"AKID{who}", secret), "batch", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def test_only_who_may_is_told_and_only_of_queues_that_are_theirs(guarded: Yard) -> None:
    server = guarded.server
    jobs = {queue: guarded.run(["true"], jobQueue=queue)["jobId"] for queue in ("hers", "default")}
    for headers in ({}, signed(server, "ROOT", secret="wrong" * 5), signed(server, "NOBODY")):
        with pytest.raises(AssertionError, match="403"):
            EventClient(server, "0", headers=headers)
    everything = EventClient(server, "0", headers=signed(server, "ROOT")).events()
    assert {next(everything).detail["jobId"] for _ in range(6)} == set(jobs.values())
    hers = EventClient(server, "0", headers=signed(server, "HERS")).events()
    mark = guarded.run(["true"], jobQueue="hers")["jobId"]
    seen: list[str] = []
    while mark not in seen:
        seen.append(next(hers).detail["jobId"])
    assert set(seen) == {jobs["hers"], mark}
    for query in ("queue=default", f"job={jobs['default']}"):
        name, _, value = query.partition("=")
        with pytest.raises(AssertionError, match=r"403.*not authorized"):
            EventClient(server, "0", headers=signed(server, "HERS", f"/events?{query}"), **{name: value})


def test_a_presigned_url_will_do(guarded: Yard) -> None:
    job = guarded.run(["true"])
    request = AWSRequest("GET", f"{guarded.server.url}/events", params={"after": "0", "status": "SUCCEEDED"})
    SigV4QueryAuth(Credentials("AKIDROOT", SECRET), "batch", "us-east-1", expires=60).add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", guarded.server.port, timeout=10)
    connection.request("GET", request.prepare().url.removeprefix(guarded.server.url))
    answer = connection.getresponse()
    assert answer.status == 200
    found = next(line for line in iter(answer.readline, b"") if line.startswith(b"data: "))
    assert json.loads(found.removeprefix(b"data: "))["detail"]["jobId"] == job["jobId"]
    connection.close()
