"""A yard for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.yard import Yard


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Compute environments `small` (2 vCPUs) and `large` (6), queues `urgent`, `normal` and `narrow`."""
    made = Yard(tmp_path)
    yield made
    made.close()
