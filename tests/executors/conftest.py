"""Images are made once for each process of the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors import images


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A storage of images; skips where there can be none."""
    if reason := images.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("storage")
    with pytest.MonkeyPatch.context() as patch:
        images.make_storage(folder, patch)
        yield folder
    images.remove_storage(folder)
