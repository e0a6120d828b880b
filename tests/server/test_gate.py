"""The gate with a clock of the test's own."""

import logging
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from batchyard.core.access import Role
from batchyard.server.access_keys import AccessKey
from batchyard.server.gate import Gate
from batchyard.server.rate import Rates
from batchyard.wire import model
from batchyard.wire.faults import Fault
from batchyard.wire.replays import AGAIN_SECONDS
from batchyard.wire.sigv4 import Received

SECRET = "x7Kq-not-to-be-seen-anywhere"
KEYS = [AccessKey(access_key_id="AKIDALICE", secret_access_key=SECRET, role=Role.SUBMIT, name="alice")]
SUBMIT = model.batch().operations["SubmitJob"]
LIST = model.batch().operations["ListJobs"]


class Clock:
    """Seconds since 1970, as many as a test says."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def request(secret: str = SECRET, key: str = "AKIDALICE") -> Received:
    signed = AWSRequest("POST", "http://127.0.0.1/v1/x", {}, b"{}")
    SigV4Auth(Credentials(key, secret), "batch", "us-east-1").add_auth(signed)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    return Received("batch", "POST", "/v1/x", "", {"host": "127.0.0.1", **headers}, b"{}")


def test_what_was_overheard_cannot_be_made_again() -> None:
    clock = Clock()
    gate, overheard = Gate(KEYS, clock=clock), request()
    for _ in range(2):  # a client that makes the same call twice in a second signs both alike
        assert getattr(gate.admit(SUBMIT, overheard), "name", None) == "alice"
    clock.now += AGAIN_SECONDS + 1
    with pytest.raises(Fault, match="InvalidSignatureException: The request was made before"):
        gate.admit(SUBMIT, overheard)
    assert gate.admit(LIST, overheard), "looking twice harms nobody"
    clock.now += 300
    for operation in (SUBMIT, LIST):
        with pytest.raises(Fault, match="InvalidSignatureException: Signature expired"):
            gate.admit(operation, overheard)


def test_a_refusal_is_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(KEYS)
    with caplog.at_level(logging.DEBUG), pytest.raises(Fault):
        gate.admit(LIST, request(secret="not the one that it should be"))
    with caplog.at_level(logging.DEBUG), pytest.raises(Fault):
        gate.admit(LIST, request(key="AKIDNOBODY"))
    gate.admit(LIST, request())
    assert [line.getMessage() for line in caplog.records if line.name.startswith("batchyard")] == [
        "refused access key AKIDALICE: InvalidSignatureException",
        "refused access key AKIDNOBODY: UnrecognizedClientException",
    ]
    assert SECRET not in caplog.text


def test_without_keys_nobody_is_asked_and_the_rate_is_everyones() -> None:
    unsigned = Received("batch", "POST", "/v1/x", "", {"host": "a"}, b"")
    assert not Gate([]).is_needed
    gate = Gate([], requests_per_second=0.001)
    assert gate.is_needed
    assert gate.admit(SUBMIT, unsigned) is None
    with pytest.raises(Fault) as caught:
        gate.admit(SUBMIT, unsigned)
    assert (caught.value.code, caught.value.status) == ("TooManyRequestsException", 429)
    with pytest.raises(Fault, match="ThrottlingException: Rate exceeded"):
        gate.admit(LIST, unsigned._replace(service="logs"))


def test_who_is_refused_costs_nobody_a_request() -> None:
    gate = Gate(KEYS, requests_per_second=0.001)
    for _ in range(5):
        with pytest.raises(Fault, match="InvalidSignatureException"):
            gate.admit(LIST, request(secret="not the one that it should be"))
    assert gate.admit(LIST, request())


def test_a_bucket_holds_a_second_and_fills_steadily() -> None:
    rates = Rates(4.0)
    assert [rates.take("a", 100.0) for _ in range(5)] == [True] * 4 + [False]
    assert rates.take("b", 100.0)
    assert [rates.take("a", 100.5) for _ in range(3)] == [True, True, False]
    assert sum(rates.take("a", 200.0) for _ in range(9)) == 4
    slow = Rates(0.5)
    assert [slow.take("a", now) for now in (0.0, 1.0, 2.0, 3.0)] == [True, False, True, False]
