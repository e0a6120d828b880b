"""JSON columns: text in the database, plain objects above it."""

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def dump(value: Any) -> str:
    """The value as compact JSON text."""
    return _encoder.encode(value).decode()


def load(text: str) -> Any:
    """The value of a JSON column."""
    return _decoder.decode(text)
