"""Signatures that real signers make are taken; whatever is changed afterwards is noticed."""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from batchyard.wire.faults import Fault
from batchyard.wire.model import ServiceName
from batchyard.wire.replays import AGAIN_SECONDS, Replays
from batchyard.wire.sigv4 import Key, Received, Signed, verify

SECRET = "a secret of at least 16 characters"
KEYS = {
    "AKIDEXAMPLE": Key("AKIDEXAMPLE", SECRET),
    "ASIATEMPORARY": Key("ASIATEMPORARY", SECRET, "token of the session"),
}
ARN = "arn:aws:batch:us-east-1:123456789012:job-queue/high"
ENDPOINT = "http://127.0.0.1:22824"


def received(service: ServiceName, method: str, url: str, headers: Any, body: bytes = b"") -> Received:
    """The request as a server gets it."""
    parts = urlsplit(url)
    lower = {name.lower(): str(value) for name, value in headers.items()}
    return Received(service, method, parts.path, parts.query, {"host": parts.netloc, **lower}, body)


def called(service: ServiceName, operation: str, region: str = "us-east-1", **members: Any) -> Received:
    """What boto3's clients send for an operation, caught before it is sent."""
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", SECRET)
    client = session.create_client(service, region_name=region, endpoint_url=ENDPOINT)
    sent: list[Any] = []

    def catch(request: Any, **_: Any) -> None:
        sent.append(request)
        raise ConnectionAbortedError

    client.meta.events.register("before-send", catch)
    with pytest.raises(ConnectionAbortedError):
        getattr(client, operation)(**members)
    request = sent[0]
    headers = {name: v.decode() if isinstance(v, bytes) else v for name, v in request.headers.items()}
    return received(service, request.method, request.url, headers, request.body or b"")


def signed(
    *,
    path: str = "/v1/submitjob",
    body: bytes = b'{"jobName":"a"}',
    key: str = "AKIDEXAMPLE",
    secret: str = SECRET,
    token: str | None = None,
    scope: str = "batch",
    **headers: str,
) -> Received:
    """A POST that botocore's signer signed with these headers; underscores in their names are hyphens."""
    request = AWSRequest("POST", ENDPOINT + path, {n.replace("_", "-"): v for n, v in headers.items()}, body)
    SigV4Auth(Credentials(key, secret, token), scope, "eu-west-1").add_auth(request)
    return received("batch", "POST", request.url, request.headers, body)


def presigned(path: str, expires: int = 60, token: str | None = None) -> Received:
    request = AWSRequest("GET", ENDPOINT + path)
    key = "AKIDEXAMPLE" if token is None else "ASIATEMPORARY"
    SigV4QueryAuth(Credentials(key, SECRET, token), "batch", "us-east-1", expires).add_auth(request)
    return received("batch", "GET", request.url, {})


def refused(request: Received, after: float = 0.0) -> Fault:
    with pytest.raises(Fault) as caught:
        verify(request, KEYS, time.time() + after)
    return caught.value


@pytest.mark.parametrize(
    "make",
    [
        lambda: called("batch", "submit_job", jobName="a", jobQueue="q", jobDefinition="d", tags={"é": "雪 ☃"}),
        lambda: called("batch", "describe_job_queues"),
        lambda: called("batch", "list_tags_for_resource", resourceArn=ARN),
        lambda: called("batch", "tag_resource", resourceArn=ARN + " ~é", tags={"a": "b"}),
        lambda: called("batch", "untag_resource", resourceArn=ARN, tagKeys=["b c", "a/b", "z=&+%", "é"]),
        lambda: called("batch", "list_jobs", region="cn-north-1", jobQueue="q"),
        lambda: called("logs", "describe_log_groups", logGroupNamePrefix="/aws"),
        lambda: signed(key="ASIATEMPORARY", token="token of the session"),
        lambda: signed(
            content_type="application/json",
            content_length="15",
            amz_sdk_invocation_id="b7d9",
            amz_sdk_request="attempt=1; max=3",
            x_amz_user_agent="aws-sdk-js/3.1   ua/2.1",
            x_amz_content_sha256=hashlib.sha256(b'{"jobName":"a"}').hexdigest(),
        ),
        lambda: signed(Date="replaced by the signer"),
        lambda: presigned("/v1/tags/" + ARN.replace(":", "%3A").replace("/", "%2F")),
        lambda: presigned("/v1/tags/x?b=2&a=1%20", token="token of the session"),
    ],
    ids=lambda _: "",
)
def test_what_clients_sign_is_taken(make: Callable[[], Received]) -> None:
    request = make()
    found = verify(request, KEYS, time.time())
    assert found.access_key_id in KEYS
    assert abs(found.signed_at - time.time()) < 60
    # And not for anyone who knows no secret.
    others = {name: Key(name, "another secret of that length", key.session_token) for name, key in KEYS.items()}
    with pytest.raises(Fault) as caught:
        verify(request, others, time.time())
    assert (caught.value.code, caught.value.status) == (
        "InvalidSignatureException",
        403 if request.service == "batch" else 400,
    )


def test_a_signature_computed_by_the_rules_alone() -> None:
    """Canonical request, string to sign and signing key as the specification words them, without botocore."""
    stamp, path = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), "/v1/tags/arn%3Aaws%3Abatch"
    query = "tagKeys=b%20c&tagKeys=a"
    payload = hashlib.sha256(b"").hexdigest()
    canonical = (
        f"DELETE\n{path.replace('%', '%25')}\ntagKeys=a&tagKeys=b%20c\nhost:yard:1\nx-amz-date:{stamp}\n\n"
        f"host;x-amz-date\n{payload}"
    )
    scope = f"{stamp[:8]}/eu-west-1/batch/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope},SignedHeaders=host;x-amz-date,Signature={signature}"
    )
    headers = {"host": "yard:1", "x-amz-date": stamp, "authorization": authorization}
    request = Received("batch", "DELETE", path, query, headers, b"")
    assert verify(request, KEYS, time.time()).signature == signature


def changed(request: Received, header: str, old: str, new: str) -> Received:
    assert old in request.headers[header]
    return request._replace(headers={**request.headers, header: request.headers[header].replace(old, new)})


@pytest.mark.parametrize(
    "tamper",
    [
        lambda r: r._replace(body=r.body + b" "),
        lambda r: r._replace(body=b""),
        lambda r: r._replace(method="GET"),
        lambda r: r._replace(raw_path="/v1/terminatejob"),
        lambda r: r._replace(raw_path=r.raw_path + "#"),
        lambda r: r._replace(raw_path=r.raw_path + "%20"),
        lambda r: r._replace(query="a=b"),
        lambda r: changed(r, "host", "127", "128"),
        lambda r: changed(r, "content-type", "json", "xml"),
        lambda r: changed(r, "authorization", "eu-west-1", "eu-west-2"),
        lambda r: changed(r, "authorization", "content-type;", ""),
        lambda r: changed(r, "authorization", "host;", ""),
        lambda r: changed(r, "authorization", "host;", "host;x-amz-nothing;"),
        lambda r: changed(r, "authorization", "Signature=", "Signature=" + "0" * 64 + ",Was="),
        lambda r: r._replace(headers={**r.headers, "x-amz-target": "Logs_20140328.DeleteLogGroup"}),
        lambda r: r._replace(headers={**r.headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
        lambda r: r._replace(headers={k: v for k, v in r.headers.items() if k != "host"}),
    ],
    ids=lambda _: "",
)
def test_whatever_is_changed_is_noticed(tamper: Callable[[Received], Received]) -> None:
    request = signed(content_type="application/json")
    verify(request, KEYS, time.time())
    fault = refused(tamper(request))
    assert (fault.code, fault.status) == ("InvalidSignatureException", 403)


def test_a_payload_that_says_it_is_not_signed_is_refused() -> None:
    assert refused(signed(x_amz_content_sha256="UNSIGNED-PAYLOAD")).code == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (signed()._replace(headers={"host": "a"}), "MissingAuthenticationTokenException", "Missing Authentication"),
        (changed(signed(), "authorization", "AWS4-HMAC-SHA256", "Bearer"), "IncompleteSignatureException", "algorithm"),
        (changed(signed(), "authorization", "Signature=", "Sign="), "IncompleteSignatureException", "'Signature'"),
        (changed(signed(), "authorization", "SignedHeaders=", "S="), "IncompleteSignatureException", "'SignedHeaders'"),
        (changed(signed(), "authorization", "aws4_request", "aws5"), "IncompleteSignatureException", "Credential"),
        (changed(signed(), "x-amz-date", "Z", ""), "IncompleteSignatureException", "X-Amz-Date"),
        (signed(key="AKIDUNKNOWN"), "UnrecognizedClientException", "The security token included in the request is"),
        (signed(token="nobody asked for one"), "UnrecognizedClientException", "security token"),
        (signed(key="ASIATEMPORARY"), "UnrecognizedClientException", "security token"),
        (signed(key="ASIATEMPORARY", token="wrong"), "UnrecognizedClientException", "security token"),
        (signed(scope="s3"), "InvalidSignatureException", "Credential should be scoped to correct service: 'batch'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_refusal_is_called(request_: Received, code: str, text: str) -> None:
    fault = refused(request_)
    assert (fault.code, fault.status) == (code, 403)
    assert text in fault.text


def test_the_day_of_the_scope_is_that_of_the_request() -> None:
    request = signed()
    day = request.headers["x-amz-date"][:8]
    fault = refused(changed(request, "authorization", f"/{day}/", "/20200101/"))
    assert fault.code == "InvalidSignatureException"
    assert f"'20200101' != '{day}'" in fault.text


@pytest.mark.parametrize("skew", [-299, 299])
def test_a_clock_may_be_five_minutes_wrong(skew: float) -> None:
    assert verify(signed(), KEYS, time.time() + skew).access_key_id == "AKIDEXAMPLE"


def test_a_clock_that_is_more_wrong_is_refused_in_the_words_of_aws() -> None:
    late, early = refused(signed(), after=302), refused(signed(), after=-302)
    assert late.code == early.code == "InvalidSignatureException"
    assert late.text.startswith("Signature expired: 2")
    assert " is now earlier than 2" in late.text
    assert late.text.endswith("Z - 5 min.)")
    assert early.text.startswith("Signature not yet current: 2")
    assert early.text.endswith("Z + 5 min.)")


def test_a_presigned_url_lives_as_long_as_it_says() -> None:
    url = presigned("/v1/tags/x", expires=3600)
    assert verify(url, KEYS, time.time() + 3500)
    assert refused(url, after=3602).text.startswith("Signature expired: ")
    assert refused(url._replace(query=url.query.replace("X-Amz-Expires=3600", "X-Amz-Expires=36000"))).code
    assert refused(presigned("/v1/tags/x", expires=604_801)).code == "IncompleteSignatureException"
    assert refused(url._replace(query=url.query + "&a=b")).code == "InvalidSignatureException"


def test_secrets_do_not_show() -> None:
    key = KEYS["ASIATEMPORARY"]
    assert SECRET not in repr(key)
    assert "token of" not in repr(key)


def test_verifying_takes_little_time() -> None:
    request = called("batch", "submit_job", jobName="a", jobQueue="q", jobDefinition="d", parameters={"a": "b" * 500})
    now = time.time()
    best = min(_seconds_for(lambda: verify(request, KEYS, now)) for _ in range(50))
    assert best < 300e-6


def _seconds_for(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


# ------------------------------------------------------------------------------------------------------------- replays

NOW = 1_800_000_000


def once(number: int, signed_at: int = NOW) -> Signed:
    return Signed("AKIDEXAMPLE", f"{number:064x}", signed_at)


def test_equal_calls_of_a_moment_are_taken_and_later_ones_refused() -> None:
    replays = Replays()
    replays.admit("batch", once(1), NOW)
    replays.admit("batch", once(1), NOW + AGAIN_SECONDS)
    with pytest.raises(Fault, match="was made before"):
        replays.admit("batch", once(1), NOW + AGAIN_SECONDS + 0.1)
    replays.admit("batch", once(2), NOW + AGAIN_SECONDS + 0.1)


def test_a_signature_of_a_fast_clock_is_remembered_until_it_is_too_old() -> None:
    replays = Replays()
    replays.admit("batch", once(1, NOW + 299), NOW)
    for later in range(11, 900, 7):
        with pytest.raises(Fault):
            replays.admit("batch", once(1, NOW + 299), NOW + later)
        replays.admit("batch", once(later, NOW + later), NOW + later)


def test_what_is_forgotten_for_want_of_room_is_refused() -> None:
    replays = Replays(remembered_max=10)
    for number in range(25):
        replays.admit("batch", once(number, NOW + number), NOW + number)
    with pytest.raises(Fault, match="Signature expired"):
        replays.admit("batch", once(0, NOW), NOW + 25)
    with pytest.raises(Fault, match="Signature expired"):
        replays.admit("batch", once(99, NOW + 10), NOW + 25)
    replays.admit("batch", once(100, NOW + 24), NOW + 25)
