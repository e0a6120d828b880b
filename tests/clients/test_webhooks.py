"""Webhooks of a real server: every event, in order and signed, whatever becomes of the receiver and of the server."""

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.event_client import EventClient
from tests.clients.server_process import ServerProcess, steady_port, wait_for
from tests.clients.webhook_receiver import Posted, Receiver
from tests.clients.yard import Yard

pytestmark = pytest.mark.process

SECRET = "a-secret-of-more-than-sixteen-characters"
SIZE = 200


def serve(folder: Path, url: str, more: str = "", name: str = "tests") -> Yard:
    file = folder / "yard.toml"
    file.write_text(f'[[webhooks]]\nname = "{name}"\nurl = "{url}"\nsecret = "{SECRET}"\n{more}\n')
    file.chmod(0o600)
    server = ServerProcess(folder, "--config", str(file), "--max-vcpus", "8", "--max-memory", "65536")
    server.start(steady_port())
    return Yard.at(server)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def yard(tmp_path: Path, receiver: Receiver) -> Iterator[Yard]:
    made = serve(tmp_path, receiver.url)
    yield made
    made.server.end()


def is_authentic(posted: Posted, secret: str = SECRET) -> bool:
    """The check that docs/events.md shows."""
    headers = posted.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + posted.body
    expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    is_recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    given = [each.removeprefix("v1,") for each in headers["webhook-signature"].split()]
    return is_recent and any(hmac.compare_digest(each, expected) for each in given)


def stream(server: ServerProcess, last_job: str) -> list[dict[str, Any]]:
    """Every event up to the end of a job, as the stream tells it."""
    client, found = EventClient(server, "0"), []
    for told in client.events():
        found.append(json.loads(told.data))
        if found[-1]["detail"]["jobId"] == last_job and found[-1]["detail"]["status"] == "SUCCEEDED":
            break
    client.leave()
    return found


def check(server: ServerProcess, receiver: Receiver, last_job: str) -> list[str]:
    """Wait until all was taken that the stream tells; see that it was in order and signed. Returns the ids."""
    expected = [event["id"] for event in stream(server, last_job)]
    wait_for(lambda: expected[-1] in [p.headers["webhook-id"] for p in receiver.taken[-50:]], "the last event", 60)
    ids = [posted.headers["webhook-id"] for posted in receiver.taken]
    assert list(dict.fromkeys(ids)) == expected, "missing, or for the first time in another order"
    assert all(is_authentic(posted) for posted in receiver.taken)
    assert not any(is_authentic(posted, SECRET + "!") for posted in receiver.taken)
    for posted in receiver.taken:
        assert json.loads(posted.body)["id"] == posted.headers["webhook-id"]
        assert posted.headers["content-type"] == "application/json"
    return ids


def test_every_event_once_and_in_order(yard: Yard, receiver: Receiver) -> None:
    yard.run(["true"], size=SIZE)
    job = yard.run(["true"])
    ids = check(yard.server, receiver, job["jobId"])
    assert len(ids) == len(set(ids)) > 3 * SIZE
    (body,) = [json.loads(p.body)["detail"] for p in receiver.taken if p.headers["webhook-id"] == ids[-1]]
    assert body["tags"].pop("resourceArn") == job["jobArn"]
    assert body == job


def test_a_receiver_that_fails_and_recovers(yard: Yard, receiver: Receiver) -> None:
    receiver.answers = iter((500, 0, 302))
    job = yard.run(["true"])
    check(yard.server, receiver, job["jobId"])
    ids = [posted.headers["webhook-id"] for posted in receiver.posted]
    assert len(set(ids[:4])) == 1, "nothing may overtake an event that was not taken"
    assert len(set(ids)) == len(ids) - 3
    log = yard.server.log.read_text()
    assert "status 500" in log
    assert "takes events again, after 4 tries" in log
    assert SECRET not in log
    assert receiver.url not in log


def test_retry_after_is_heeded(yard: Yard, receiver: Receiver, tmp_path: Path) -> None:
    yard.server.end()
    receiver.close()
    patient = Receiver([503], {"retry-after": "2"}, receiver.port)
    yard.server.start(steady_port())
    job = Yard.at(yard.server).run(["true"])
    check(yard.server, patient, job["jobId"])
    first, second = (int(posted.headers["webhook-timestamp"]) for posted in patient.posted[:2])
    assert second - first >= 1, "seconds are cut, so two may look like one"
    assert "again in 2 s" in yard.server.log.read_text()
    patient.close()


@pytest.mark.slow
def test_nothing_is_lost_when_the_server_is_killed(yard: Yard, receiver: Receiver) -> None:
    port = yard.server.port
    array = yard.submit(["true"], size=SIZE)
    for number in range(1, 4):
        wait_for(lambda: len(receiver.posted) > 40 * number, "some events", 30)  # noqa: B023
        yard.server.kill()
        yard.server.start(port)
    yard.ended(array, seconds=60)
    receiver.close()
    job = yard.run(["true"])
    wait_for(lambda: "did not take event" in yard.server.log.read_text(), "that it is missed")
    yard.server.kill()
    yard.server.start(port)
    again = Receiver(port=receiver.port)
    again.posted = receiver.posted
    check(yard.server, again, job["jobId"])
    again.close()


def test_a_receiver_that_never_answers_holds_up_nobody(tmp_path: Path) -> None:
    yard = serve(tmp_path, "http://127.0.0.1:1/nobody")
    assert yard.run(["true"], size=SIZE)["status"] == "SUCCEEDED"
    wait_for(lambda: "NewConnectionError" in yard.server.log.read_text(), "a line in the log")
    started = time.monotonic()
    assert yard.server.terminate() == 0
    assert time.monotonic() - started < 8
    yard.server.end()


def test_a_new_webhook_begins_now_and_an_old_one_where_it_was(tmp_path: Path, receiver: Receiver) -> None:
    yard = serve(tmp_path, "http://127.0.0.1:1/nobody", name="old")
    missed = yard.run(["true"])["jobId"]
    yard.server.end()
    yard = serve(tmp_path, receiver.url, name="new")
    seen = yard.run(["true"])["jobId"]
    wait_for(lambda: len(receiver.taken) >= 3, "three events")
    assert {json.loads(posted.body)["detail"]["jobId"] for posted in receiver.taken} == {seen}
    yard.server.end()
    receiver.posted.clear()
    yard = serve(tmp_path, receiver.url, name="old")
    wait_for(lambda: len(receiver.taken) >= 6, "six events")
    found = [json.loads(posted.body)["detail"]["jobId"] for posted in receiver.taken]
    assert [job_id for job_id, _ in itertools.groupby(found)] == [missed, seen]
    yard.server.end()


def test_only_what_is_asked_for(tmp_path: Path, receiver: Receiver) -> None:
    yard = serve(tmp_path, receiver.url, 'queues = ["other"]\nstatuses = ["SUCCEEDED", "FAILED"]')
    order = [{"order": 1, "computeEnvironment": "default"}]
    yard.batch.create_job_queue(jobQueueName="other", priority=1, computeEnvironmentOrder=order)
    jobs = [yard.run(["sh", "-c", f"exit {code}"], jobQueue=queue) for code in (0, 1) for queue in ("default", "other")]
    wait_for(lambda: len(receiver.taken) >= 2, "two events")
    yard.server.end()
    details = [json.loads(posted.body)["detail"] for posted in receiver.taken]
    assert [(detail["jobId"], detail["status"]) for detail in details] == [
        (jobs[1]["jobId"], "SUCCEEDED"),
        (jobs[3]["jobId"], "FAILED"),
    ]
