"""Images are made once for each process of the tests."""

from tests.executors.images import storage

__all__ = ["storage"]
