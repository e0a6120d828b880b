"""Signature Version 4: what a signature says about its caller, and whether the caller really made it.

The credential is `ACCESS_KEY_ID/DATE/REGION/SERVICE/aws4_request` (Signature Version 4, credential scope). It stands in
the header `Authorization`, or in the query string of a presigned URL.

`caller` reads it and verifies nothing; what does not look like a credential counts as not sent. `verify` computes the
signature anew with botocore's own signer, from the request as it arrived, and compares in constant time. It is given
the very values that the request is carried out with (headers by name, the decoded query), so what is signed and what is
done cannot differ.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth
from botocore.credentials import Credentials

from batchyard.wire import faults
from batchyard.wire.model import ServiceName
from batchyard.wire.parsing import query_items
from batchyard.wire.routing import percent_decoded

DEFAULT_REGION = "us-east-1"

SKEW_SECONDS_MAX = 300
"""How far a request's time may be from ours, either way, as on AWS."""

PRESIGNED_SECONDS_MAX = 7 * 24 * 3600
"""The longest life of a presigned URL (Signature Version 4, X-Amz-Expires)."""

_CREDENTIAL = re.compile(
    r"(?P<access_key_id>[\w.-]{1,128})/(?P<day>\d{8})/(?P<region>[a-z0-9-]{1,32})/(?P<service>[a-z0-9-]{1,32})"
    r"/aws4_request",
    re.ASCII,
)
_HEADER = re.compile(r"AWS4-HMAC-SHA256\s[^\n]*?\bCredential=(?P<credential>[^\s,]{1,300})")
_QUERY = re.compile(r"(?:^|&)X-Amz-Credential=(?P<credential>[^&]{1,600})")
_ALGORITHM = "AWS4-HMAC-SHA256"
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_STAMP = "%Y%m%dT%H%M%SZ"
_STAMP_PATTERN = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


class Caller(NamedTuple):
    """Who says to be calling: region `us-east-1` and no access key for a request without signature."""

    access_key_id: str | None
    region: str


_ANONYMOUS = Caller(None, DEFAULT_REGION)


def caller(authorization: str | None, query: str) -> Caller:
    """The caller that the Authorization header, or else the query string, names."""
    if authorization is not None:
        found = _HEADER.match(authorization)
        return _from_credential(found["credential"]) if found else _ANONYMOUS
    found = _QUERY.search(query) if query else None
    return _from_credential(percent_decoded(found["credential"])) if found else _ANONYMOUS


def _from_credential(credential: str) -> Caller:
    match = _CREDENTIAL.fullmatch(credential)
    return Caller(match["access_key_id"], match["region"]) if match else _ANONYMOUS


# ----------------------------------------------------------------------------------------------------------- verifying


@dataclass(frozen=True, slots=True)
class Key:
    """What a caller must know. session_token: what must come along in `X-Amz-Security-Token`, None for nothing."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class Received(NamedTuple):
    """A request as it arrived: raw_path and query still encoded, headers by lower-case name."""

    service: ServiceName
    method: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Signed(NamedTuple):
    """A signature that was verified; signed_at in whole seconds since 1970."""

    access_key_id: str
    signature: str
    signed_at: int


class _Claim(NamedTuple):
    """What a request says about its signature; expires_seconds only where it is presigned."""

    credential: str
    signed_headers: tuple[str, ...]
    signature: str
    stamp: str
    token: str | None
    expires_seconds: int | None


def verify(received: Received, keys: Mapping[str, Key], now: float) -> Signed:
    """The signature of a request, if one of the keys made it. now is in seconds since 1970.

    Raises a Fault as AWS does: MissingAuthenticationTokenException without a signature, IncompleteSignatureException
    for half of one, UnrecognizedClientException for an unknown key or session token, InvalidSignatureException for a
    wrong signature or scope, one made more than five minutes before or after `now`, or a presigned URL that expired.
    """
    service = received.service
    items = query_items(received.query)
    claim = _claim(received, dict(items))
    scope = _CREDENTIAL.fullmatch(claim.credential)
    if scope is None:
        raise faults.incomplete_signature(
            service, "Credential must be of the form <access key id>/<date>/<region>/<service>/aws4_request."
        )
    key = keys.get(scope["access_key_id"])
    if key is None or not _same(claim.token or "", key.session_token or ""):
        raise faults.unrecognized_client(service)
    if scope["service"] != service:
        raise faults.invalid_signature(service, f"Credential should be scoped to correct service: '{service}'.")
    if scope["day"] != claim.stamp[:8]:
        raise faults.invalid_signature(
            service,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope['day']}' != '{claim.stamp[:8]}', from '{claim.stamp}'.",
        )
    signed_at = _check_time(service, claim, now)
    _check_what_is_signed(received, claim)
    if not _same(_signature(received, items, claim, key, scope["region"]), claim.signature):
        raise faults.invalid_signature(service)
    return Signed(key.access_key_id, claim.signature, signed_at)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _claim(received: Received, query: Mapping[str, str]) -> _Claim:
    headers, service = received.headers, received.service
    if (authorization := headers.get("authorization")) is not None:
        algorithm, _, rest = authorization.partition(" ")
        parts = dict(_pair(part) for part in rest.split(","))
        named = [parts.get(name, "") for name in ("Credential", "SignedHeaders", "Signature")]
        stamp, token, expires = _stamp(headers), headers.get("x-amz-security-token"), None
        where = "Authorization header"
    elif "X-Amz-Signature" in query:
        algorithm = query.get("X-Amz-Algorithm", "")
        named = [query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")]
        stamp, token = query.get("X-Amz-Date", ""), query.get("X-Amz-Security-Token")
        expires = _expires_seconds(service, query.get("X-Amz-Expires", ""))
        where = "Query string"
    else:
        raise faults.missing_authentication(service)
    if algorithm != _ALGORITHM:
        raise faults.incomplete_signature(service, f"{where} requires the algorithm {_ALGORITHM}.")
    credential, signed_headers, signature = named
    if not credential or not signed_headers or not _SIGNATURE.fullmatch(signature):
        raise faults.incomplete_signature(
            service, f"{where} requires 'Credential', 'SignedHeaders' and 'Signature' parameters."
        )
    if not _STAMP_PATTERN.fullmatch(stamp):
        raise faults.incomplete_signature(service, f"{where} requires existence of either a 'X-Amz-Date' or 'Date'.")
    return _Claim(credential, tuple(signed_headers.split(";")), signature, stamp, token, expires)


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name, value


def _stamp(headers: Mapping[str, str]) -> str:
    """The time of signing, in the form it is signed in; empty if the request does not say it."""
    if (stamp := headers.get("x-amz-date")) is not None:
        return stamp
    try:
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC).strftime(_STAMP)
    except (ValueError, OverflowError):
        return ""


def _expires_seconds(service: ServiceName, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= PRESIGNED_SECONDS_MAX):
        raise faults.incomplete_signature(service, f"X-Amz-Expires must be between 1 and {PRESIGNED_SECONDS_MAX}.")
    return int(text)


def _check_time(service: ServiceName, claim: _Claim, now: float) -> int:
    """When the request was signed, in seconds since 1970."""
    try:
        signed_at = int(datetime.strptime(claim.stamp, _STAMP).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise faults.incomplete_signature(service, "'X-Amz-Date' is not a date.") from None
    if claim.expires_seconds is not None and signed_at + claim.expires_seconds < now:
        expired_at = _written(signed_at + claim.expires_seconds)
        raise faults.invalid_signature(service, f"Signature expired: {expired_at} is now earlier than {_written(now)}")
    if claim.expires_seconds is None and signed_at < int(now) - SKEW_SECONDS_MAX:
        raise expired(service, signed_at, now)
    if signed_at > int(now) + SKEW_SECONDS_MAX:
        latest = _written(now + SKEW_SECONDS_MAX)
        raise faults.invalid_signature(
            service,
            f"Signature not yet current: {claim.stamp} is still later than {latest} ({_written(now)} + 5 min.)",
        )
    return signed_at


def expired(service: ServiceName, signed_at: int, now: float) -> faults.Fault:
    """The request was signed more than five minutes ago."""
    earliest = _written(now - SKEW_SECONDS_MAX)
    return faults.invalid_signature(
        service,
        f"Signature expired: {_written(signed_at)} is now earlier than {earliest} ({_written(now)} - 5 min.)",
    )


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime(_STAMP)


def _check_what_is_signed(received: Received, claim: _Claim) -> None:
    """Nothing that changes what a request means may be left out of its signature."""
    service, headers = received.service, received.headers
    signed = set(claim.signed_headers)
    for name in headers:
        if (name == "host" or name.startswith("x-amz-")) and name not in signed:
            raise faults.invalid_signature(
                service, f"'{name}' must be a 'SignedHeader' in the AWS Authorization."[:200]
            )
    if "host" not in headers or not signed <= headers.keys():
        raise faults.invalid_signature(service)
    # The signer reads a `#` as the end of the path, the router does not.
    if "#" in received.raw_path:
        raise faults.invalid_signature(service)


# ------------------------------------------------------------------------------------------------- computing it anew


class _Headers(dict[str, str]):
    """Headers as the signer asks for them."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]]


@dataclass(slots=True)
class _Request:
    """A request as the signer asks for it."""

    method: str
    url: str
    params: list[tuple[str, str]]
    headers: Mapping[str, str]
    signed_headers: _Headers
    context: dict[str, Any]


class _Signer(SigV4Auth):  # type: ignore[misc]  # botocore ships no types
    """botocore's signer, which signs the headers that the caller signed instead of choosing itself."""

    def headers_to_sign(self, request: _Request) -> _Headers:
        return request.signed_headers


def _signature(received: Received, items: list[tuple[str, str]], claim: _Claim, key: Key, region: str) -> str:
    """The signature that the key makes of this request.

    The payload is always the hash of the body, so a header that announces another hash, or none
    (`UNSIGNED-PAYLOAD`), is a wrong signature.
    """
    payload = sha256(received.body).hexdigest()
    announced = received.headers.get("x-amz-content-sha256", payload)
    if announced != payload:
        raise faults.invalid_signature(received.service)
    request = _Request(
        method=received.method,
        url=f"http://localhost{received.raw_path}",
        params=[item for item in items if item[0] != "X-Amz-Signature"] if claim.expires_seconds is not None else items,
        headers={"X-Amz-Content-SHA256": payload},
        signed_headers=_Headers((name, received.headers[name]) for name in claim.signed_headers),
        context={"timestamp": claim.stamp},
    )
    signer = _Signer(Credentials(key.access_key_id, key.secret_access_key), received.service, region)
    signature: str = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return signature
