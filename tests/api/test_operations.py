"""The table of operations against the service models."""

import botocore.session
import pytest

from batchyard.api.operations import OPERATIONS

READING = ("Describe", "List", "Get", "Filter")
REFUSED = {"logs.CreateLogStream", "logs.PutLogEvents"}


@pytest.fixture(scope="module")
def modelled() -> set[str]:
    session = botocore.session.get_session()
    return {
        f"{service}.{operation}"
        for service in ("batch", "logs")
        for operation in session.get_service_model(service).operation_names
    }


def test_every_operation_is_in_a_model(modelled: set[str]) -> None:
    assert set(OPERATIONS) <= modelled


def test_operations_that_write_say_so() -> None:
    for name, endpoint in OPERATIONS.items():
        reads = name.partition(".")[2].startswith(READING) or name in REFUSED
        assert endpoint.writes is not reads, name


_KINDS = ("JobQueue", "ComputeEnvironment", "ConsumableResource", "ServiceEnvironment", "QuotaShare")
"""What the engine keeps copies of, or ends the phases of."""


def test_changes_of_queues_and_environments_reach_the_engine() -> None:
    for name, endpoint in OPERATIONS.items():
        changes = endpoint.writes and name.endswith((*_KINDS, "UpdateSchedulingPolicy"))
        assert endpoint.changes_resources is changes, name
