"""JSON columns: text in the database, plain objects above it."""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def dump(value: Any) -> str:
    """The value as compact JSON text."""
    return _encoder.encode(value).decode()


def load(text: str) -> Any:
    """The value of a JSON column."""
    return _decoder.decode(text)


def load_as(text: str, kind: type[T]) -> T:
    """The value of a JSON column that holds a dataclass, checked against its types."""
    return msgspec.json.decode(text, type=kind)
