"""A few requests of every operation; `make fuzz` sends many more."""

from collections.abc import Iterator

import pytest

from batchyard.wire import model
from batchyard.wire.model import Operation
from tests.fuzz.fire import fire
from tests.fuzz.target import Target

EXAMPLES = 5
OPERATIONS = [
    pytest.param(operation, id=f"{service.name}.{name}")
    for service in (model.batch(), model.logs())
    for name, operation in service.operations.items()
]

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    target = Target(tmp_path_factory.mktemp("fuzz"))
    yield target
    target.end()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_any_request_has_an_answer(target: Target, operation: Operation) -> None:
    fire(target, operation, EXAMPLES)
