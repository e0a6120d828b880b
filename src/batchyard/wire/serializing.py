"""From the dict an operation returns to the bytes of its answer.

Only members of the output shape go out and nothing that is None: clients test for a key's presence, so an absent member
must be left out, not sent as null. Numbers stay what they are; AWS Batch's times are integers already.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from batchyard.wire.model import Operation, Shape

_encode = msgspec.json.Encoder().encode

_Write = Callable[[Any], Any]


def serialize(operation: Operation, output: Mapping[str, object]) -> bytes:
    """The JSON body of a successful answer; `{}` for an operation without output members."""
    return _encode(answer_writer(operation)(output))


@functools.cache
def answer_writer(operation: Operation) -> _Write:
    """The compiled filter of an operation's output. Calling it ahead moves the cost off the first request."""
    return _structure(operation.output) if operation.output is not None else lambda _output: {}


def _writer(shape: Shape) -> _Write | None:
    """How to write a value of this shape, or None if it goes out as it is."""
    match shape.type_name:
        case "structure":
            return _structure(shape)
        case "list":
            return _list(shape)
        case "map":
            return _map(shape)
        case "string" | "integer" | "long" | "float" | "double" | "boolean":
            return None
        case other:
            raise AssertionError(f"{shape.name} is of a type not met before: {other}")


def _structure(shape: Shape) -> _Write:
    writers = {name: _writer(member) for name, member in shape.members.items()}

    def write(value: Any) -> Any:
        written = {}
        for name, item in value.items():
            if item is not None and name in writers:
                writer = writers[name]
                written[name] = item if writer is None else writer(item)
        return written

    return write


def _list(shape: Shape) -> _Write:
    writer = _writer(shape.member)
    # A tuple or any other iterable of rows is as good as a list.
    return list if writer is None else lambda value: [writer(item) for item in value]


def _map(shape: Shape) -> _Write:
    writer = _writer(shape.value)
    if writer is None:
        return lambda value: {key: item for key, item in value.items() if item is not None}
    return lambda value: {key: writer(item) for key, item in value.items() if item is not None}
