"""Who a request says to come from."""

import pytest

from batchyard.wire.faults import Fault
from batchyard.wire.sigv4 import Caller, caller

HEADER = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-west-1/batch/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=0f"
)


@pytest.mark.parametrize(
    ("authorization", "query", "expected"),
    [
        (HEADER, "", Caller("AKIDEXAMPLE", "eu-west-1")),
        (HEADER.replace(", ", ","), "", Caller("AKIDEXAMPLE", "eu-west-1")),
        (None, "a=b&X-Amz-Credential=AK%2F20260101%2Fap-south-1%2Flogs%2Faws4_request", Caller("AK", "ap-south-1")),
        (None, "", Caller(None, "us-east-1")),
        ("Bearer x", "", Caller(None, "us-east-1")),
        (HEADER.replace("eu-west-1", "EU/../x"), "", Caller(None, "us-east-1")),
        (HEADER.replace("eu-west-1", "e" * 33), "", Caller(None, "us-east-1")),
        (HEADER.replace("AKIDEXAMPLE", "a'b"), "", Caller(None, "us-east-1")),
        ("AWS4-HMAC-SHA256 " + "Credential=" * 10_000, "", Caller(None, "us-east-1")),
    ],
)
def test_region_and_key_come_from_the_credential_scope(authorization: str | None, query: str, expected: Caller) -> None:
    assert caller(authorization, query) == expected


def test_a_credential_that_cannot_be_decoded_is_refused() -> None:
    with pytest.raises(Fault):
        caller(None, "X-Amz-Credential=%zz")
