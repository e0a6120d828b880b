"""A server with `[auth]`, asked by boto3 with right and wrong keys, and by someone who overhears."""

import http.client
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from batchyard.wire.replays import AGAIN_SECONDS
from tests.clients.server_process import ServerProcess, wait_for

SECRETS = {name: f"secret-of-{name}-" + "x" * 20 for name in ("root", "alice", "reader", "slow", "session")}
SETTINGS = f"""
[[auth.keys]]
access_key_id = "AKIDROOT"
secret_access_key = "{SECRETS["root"]}"
role = "admin"

[[auth.keys]]
access_key_id = "AKIDALICE"
secret_file = "alice.secret"
name = "alice"
role = "submit"
queues = ["hers"]

[[auth.keys]]
access_key_id = "AKIDREADER"
secret_access_key = "{SECRETS["reader"]}"
name = "reader"
role = "read"

[[auth.keys]]
access_key_id = "ASIASESSION"
secret_access_key = "{SECRETS["session"]}"
session_token = "a token/with+signs=="
role = "read"
"""
ARN = "arn:aws:batch:us-east-1:123456789012:job-queue"

pytestmark = pytest.mark.process


def serve(folder: Path, settings: str, *flags: str) -> ServerProcess:
    (folder / "alice.secret").write_text(SECRETS["alice"])
    (folder / "yard.toml").write_text(settings)
    for file in ("alice.secret", "yard.toml"):
        (folder / file).chmod(0o600)
    server = ServerProcess(folder, "--config", str(folder / "yard.toml"), "--max-vcpus", "4", *flags)
    server.start()
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Listening on every address, with a definition and the queues `default`, `hers` and `other`."""
    running = serve(tmp_path_factory.mktemp("guarded"), SETTINGS, "--host", "0.0.0.0")
    root = client(running, "root")
    order = [{"order": 1, "computeEnvironment": "default"}]
    for name in ("hers", "other"):
        root.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)
    container = {"image": "busybox", "vcpus": 1, "memory": 64, "command": ["true"]}
    root.register_job_definition(jobDefinitionName="true", type="container", containerProperties=container)
    yield running
    running.end()


def client(server: ServerProcess, who: str, secret: str | None = None, service: str = "batch", **more: Any) -> Any:
    return boto3.session.Session().client(
        service,
        endpoint_url=f"http://127.0.0.1:{server.port}",
        region_name="us-east-1",
        aws_access_key_id=("ASIA" if who == "session" else "AKID") + who.upper(),
        aws_secret_access_key=secret or SECRETS.get(who, "x" * 20),
        config=Config(retries=more.pop("retries", {"total_max_attempts": 1})),
        **more,
    )


def refusal(ask: Any, /, **members: Any) -> tuple[str, int, str]:
    """Code, status and text of the refusal that a call ends in."""
    with pytest.raises(ClientError) as caught:
        ask(**members)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def a_job(queue: str = "hers", **members: Any) -> dict[str, Any]:
    return {"jobName": "job", "jobQueue": queue, "jobDefinition": "true", **members}


def overhear(asking: Any) -> list[Any]:
    """The requests that a client sends from now on."""
    sent: list[Any] = []
    asking.meta.events.register("before-send", lambda request, **_: sent.append(request))
    return sent


def send(server: ServerProcess, request: Any, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
    """A request that was signed before, byte by byte but for the body if one is given."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    headers.pop("Content-Length", None)
    try:
        path = request.url.removeprefix(f"http://127.0.0.1:{server.port}")
        connection.request(request.method, path, request.body if body is None else body, headers)
        answer = connection.getresponse()
        return answer.status, {"code": answer.headers["x-amzn-ErrorType"], **json.loads(answer.read())}
    finally:
        connection.close()


def test_known_callers_are_served(server: ServerProcess) -> None:
    alice = client(server, "alice")
    job_id = alice.submit_job(**a_job(tags={"name": "Zoë ☃"}))["jobId"]
    arn = alice.describe_jobs(jobs=[job_id])["jobs"][0]["jobArn"]
    assert alice.list_tags_for_resource(resourceArn=arn)["tags"] == {"name": "Zoë ☃"}
    alice.tag_resource(resourceArn=arn, tags={"a b": "c/d", "e": "f"})
    alice.untag_resource(resourceArn=arn, tagKeys=["a b", "name"])
    assert alice.list_tags_for_resource(resourceArn=arn)["tags"] == {"e": "f"}
    assert client(server, "alice", service="logs").describe_log_groups()["logGroups"]
    session = client(server, "session", aws_session_token="a token/with+signs==")
    assert len(session.describe_job_queues()["jobQueues"]) == 3
    url = session.generate_presigned_url("list_tags_for_resource", {"resourceArn": arn}, ExpiresIn=60)
    assert ask_for(url) == (200, {"tags": {"e": "f"}})
    assert ask_for(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))[0] == 403


def ask_for(url: str) -> tuple[int, Any]:
    found = re.fullmatch(r"http://([^/]+)(/.*)", url)
    assert found
    connection = http.client.HTTPConnection(found[1], timeout=20)
    try:
        connection.request("GET", found[2])
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_health_is_for_everyone_and_nothing_else(server: ServerProcess) -> None:
    assert ask_for(f"{server.url.replace('0.0.0.0', '127.0.0.1')}/health") == (200, {"status": "ok"})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", "/v1/submitjob", json.dumps(a_job()))
    answer = connection.getresponse()
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, "MissingAuthenticationTokenException")
    assert json.loads(answer.read()) == {"message": "Missing Authentication Token"}
    connection.close()


def test_a_wrong_key(server: ServerProcess) -> None:
    said = ("UnrecognizedClientException", 403, "The security token included in the request is invalid.")
    assert refusal(client(server, "nobody").submit_job, **a_job()) == said
    assert refusal(client(server, "session").list_jobs, jobQueue="hers") == said
    assert refusal(client(server, "session", aws_session_token="wrong").list_jobs, jobQueue="hers") == said
    logs = client(server, "nobody", service="logs")
    assert refusal(logs.describe_log_groups) == (said[0], 400, said[2])


def test_a_wrong_signature(server: ServerProcess) -> None:
    code, status, text = refusal(client(server, "alice", SECRETS["root"]).submit_job, **a_job())
    assert (code, status) == ("InvalidSignatureException", 403)
    assert text.startswith("The request signature we calculated does not match the signature you provided.")


@pytest.mark.parametrize(("minutes", "said"), [(-5.1, "Signature expired: "), (5.1, "Signature not yet current: ")])
def test_a_skewed_clock(server: ServerProcess, monkeypatch: pytest.MonkeyPatch, minutes: float, said: str) -> None:
    alice = client(server, "alice")
    skew_clock(monkeypatch, minutes)
    code, status, text = refusal(alice.submit_job, **a_job())
    assert (code, status) == ("InvalidSignatureException", 403)
    assert text.startswith(said)


def skew_clock(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    """What this process signs from now on is signed at another time."""
    monkeypatch.setattr(
        "botocore.auth.get_current_datetime",
        lambda **_: (datetime.now(UTC) + timedelta(minutes=minutes)).replace(tzinfo=None),
    )


def test_a_clock_that_is_a_little_wrong(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = client(server, "alice")
    for minutes in (-4.9, 4.9):
        skew_clock(monkeypatch, minutes)
        assert alice.submit_job(**a_job())["jobId"]


def test_a_tampered_body(server: ServerProcess) -> None:
    alice = client(server, "alice")
    sent = overhear(alice)
    alice.submit_job(**a_job())
    status, answer = send(server, sent[0], sent[0].body.replace(b'"true"', b'"evil"'))
    assert (status, answer["code"]) == (403, "InvalidSignatureException")


def test_an_old_request_that_is_replayed(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = client(server, "alice")
    sent = overhear(alice)
    with monkeypatch.context() as patched:
        skew_clock(patched, -6)
        refusal(alice.submit_job, **a_job())
    status, answer = send(server, sent[0])
    assert (status, answer["code"]) == (403, "InvalidSignatureException")
    assert answer["message"].startswith("Signature expired: ")


@pytest.mark.slow
def test_a_recent_request_that_is_replayed(server: ServerProcess) -> None:
    alice = client(server, "alice")
    sent = overhear(alice)
    first = alice.submit_job(**a_job())["jobId"]
    started = time.monotonic()
    while (answer := send(server, sent[0]))[0] == 200:
        assert answer[1]["jobId"] != first
        assert time.monotonic() < started + AGAIN_SECONDS + 10
        time.sleep(1.0)  # the window is a span of the server's own clock: there is nothing else to wait for
    assert time.monotonic() > started + AGAIN_SECONDS - 1
    assert (answer[0], answer[1]["code"]) == (403, "InvalidSignatureException")
    assert alice.submit_job(**a_job())["jobId"]


def test_equal_calls_within_a_second(server: ServerProcess) -> None:
    alice = client(server, "alice")
    assert len({alice.submit_job(**a_job())["jobId"] for _ in range(5)}) == 5


def test_a_reader_that_submits(server: ServerProcess) -> None:
    reader = client(server, "reader")
    assert reader.list_jobs(jobQueue="other")["jobSummaryList"] == []
    assert refusal(reader.submit_job, **a_job()) == (
        "AccessDeniedException",
        403,
        "User: arn:aws:iam::123456789012:user/reader is not authorized to perform: batch:SubmitJob on resource: "
        f"{ARN}/hers",
    )


def test_a_key_of_another_queue(server: ServerProcess) -> None:
    alice, root = client(server, "alice"), client(server, "root")
    foreign = root.submit_job(**a_job("other"))["jobId"]
    user = "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: "
    denied = ("AccessDeniedException", 403)
    assert refusal(alice.submit_job, **a_job("other")) == (
        *denied,
        f"{user}batch:SubmitJob on resource: {ARN}/other",
    )
    assert refusal(alice.list_jobs, jobQueue="other") == (*denied, f"{user}batch:ListJobs on resource: {ARN}/other")
    job = f"arn:aws:batch:us-east-1:123456789012:job/{foreign}"
    assert refusal(alice.terminate_job, jobId=foreign, reason="no") == (
        *denied,
        f"{user}batch:TerminateJob on resource: {job}",
    )
    assert alice.describe_jobs(jobs=[foreign])["jobs"] == []
    assert refusal(alice.delete_job_queue, jobQueue="hers")[:2] == denied


def test_what_the_log_says(server: ServerProcess) -> None:
    with pytest.raises(ClientError) as caught:
        client(server, "alice", SECRETS["root"]).describe_job_queues()
    request_id = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    log = server.log.read_text()
    (line,) = [line for line in log.splitlines() if request_id in line]
    assert f"request_id={request_id}" in line
    assert '"refused access key AKIDALICE: InvalidSignatureException"' in line
    assert not any(secret in log for secret in SECRETS.values())


def test_too_many_requests(tmp_path: Path) -> None:
    server = serve(tmp_path, f"{SETTINGS}\n[limits]\nrequests_per_second = 0.01\n")
    try:
        reader = client(server, "reader")
        assert reader.describe_job_queues()["jobQueues"]
        assert refusal(reader.describe_job_queues) == ("TooManyRequestsException", 429, "Too Many Requests")
        assert client(server, "root").describe_job_queues()["jobQueues"], "another key has a rate of its own"
    finally:
        server.end()


def test_who_asks_too_often_waits_and_gets_through(tmp_path: Path) -> None:
    server = serve(tmp_path, f"{SETTINGS}\n[limits]\nrequests_per_second = 2.0\n")
    try:
        patient = client(server, "reader", retries={"mode": "standard", "total_max_attempts": 8})
        answers = [patient.describe_job_queues()["ResponseMetadata"] for _ in range(4)]
        assert {answer["HTTPStatusCode"] for answer in answers} == {200}
        assert sum(answer["RetryAttempts"] for answer in answers) > 0
    finally:
        server.end()


def why(server: ServerProcess, who: str, job_id: str) -> tuple[int, dict[str, Any]]:
    """Ask `GET /why/{jobId}` with the signature of a caller."""
    path = f"/why/{quote(job_id)}"
    request = AWSRequest("GET", f"http://127.0.0.1:{server.port}{path}")
    SigV4Auth(Credentials(f"AKID{who.upper()}", SECRETS[who]), "batch", "us-east-1").add_auth(request)
    return send(server, request.prepare())


def test_why_is_told_to_who_may_know_and_names_only_what_they_may_see(server: ServerProcess) -> None:
    root, alice = client(server, "root"), client(server, "alice")
    amounts = [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "64"}]
    overrides = {"resourceRequirements": amounts, "command": ["sleep", "600"]}
    holder = root.submit_job(**a_job("other", containerOverrides=overrides) | {"jobName": "secret"})["jobId"]
    array = alice.submit_job(**a_job(arrayProperties={"size": 2}))["jobId"]
    try:
        # Jobs of its kind may be short, and placed ahead for a moment.
        wait_for(lambda: why(server, "root", f"{array}:1")[1]["cause"] == "MACHINE_FULL", "it waits for room")
        status, found = why(server, "reader", f"{array}:1")
        assert (status, found["jobId"], found["cause"]) == (200, f"{array}:1", "MACHINE_FULL")
        assert holder in str(found)
        status, found = why(server, "alice", f"{array}:1")
        assert (status, found["cause"]) == (200, "MACHINE_FULL")
        assert holder not in str(found)
        assert "secret" not in str(found)
        assert found["facts"]["holders"][0]["vcpus"] == 4
        status, found = why(server, "alice", holder)
        assert (status, found["code"]) == (403, "AccessDeniedException")
        assert "alice is not authorized to perform: batch:GetWhy" in found["message"]
        assert ask_for(f"http://127.0.0.1:{server.port}/why/{array}")[0] == 403
    finally:
        root.terminate_job(jobId=holder, reason="seen")
        root.terminate_job(jobId=array, reason="seen")
