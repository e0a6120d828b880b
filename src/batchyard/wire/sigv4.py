"""What a Signature Version 4 says about its caller, in the header `Authorization` or in the query string.

The credential is `ACCESS_KEY_ID/DATE/REGION/SERVICE/aws4_request` (Signature Version 4, credential scope). Nothing is
verified here; what does not look like a credential counts as not sent.
"""

import re
from typing import NamedTuple

from batchyard.wire.routing import percent_decoded

DEFAULT_REGION = "us-east-1"

_CREDENTIAL = re.compile(
    r"(?P<access_key_id>[\w.-]{1,128})/\d{8}/(?P<region>[a-z0-9-]{1,32})/[a-z0-9-]{1,32}/aws4_request", re.ASCII
)
_HEADER = re.compile(r"AWS4-HMAC-SHA256\s[^\n]*?\bCredential=(?P<credential>[^\s,]{1,300})")
_QUERY = re.compile(r"(?:^|&)X-Amz-Credential=(?P<credential>[^&]{1,600})")


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
