"""From the parts of an HTTP request to one dict of members, not yet checked.

Members of an input come from three places, and the model says which: the path, the query string, the JSON body.
What cannot be read at all ends here, as SerializationException: text that is not UTF-8 or not JSON, NaN and infinities,
nesting without end, half a surrogate pair. What can be read but breaks the model is validation's part.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from batchyard.wire.faults import SerializationFault
from batchyard.wire.model import Operation, Shape
from batchyard.wire.routing import percent_decoded

Parsed = dict[str, Any]
"""Members by name, values as JSON has them; may still hold nulls and members the model does not know."""

QUERY_ITEMS_MAX = 1000

_decode = msgspec.json.Decoder().decode


def parse(
    operation: Operation,
    body: bytes,
    *,
    query: str = "",
    labels: Mapping[str, str] | None = None,
    content_type: str | None = None,
) -> Parsed:
    """The members of a request.

    query is the raw query string, labels what routing found in the path. An empty body counts as `{}`. Clients send
    `application/json`, `application/x-amz-json-1.1` or no type at all, so anything that says JSON is believed.

    Raises SerializationFault for a body that claims another type, is not JSON or not an object.
    """
    members = _body_members(body, content_type)
    for read in _readers_outside_body(operation):
        read(members, labels or {}, query)
    return members


def _body_members(body: bytes, content_type: str | None) -> Parsed:
    if not body:
        return {}
    if content_type and "json" not in content_type.lower():
        raise SerializationFault("The request's content type must be application/json.")
    try:
        document = _decode(body)
    except RecursionError:
        raise SerializationFault("The request's JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise SerializationFault("The request's body is not UTF-8.") from None
    except msgspec.DecodeError as error:
        # The decoder's own sentence holds a position and no part of the input.
        raise SerializationFault(f"The request's body is not JSON: {error}") from None
    if type(document) is not dict:
        raise SerializationFault("The request's body must be a JSON object.")
    return document


_Reader = Callable[[Parsed, Mapping[str, str], str], None]


@functools.cache
def _readers_outside_body(operation: Operation) -> tuple[_Reader, ...]:
    """One reader for each member of the input that the path or the query string carries."""
    members = operation.input.members if operation.input is not None else {}
    return tuple(
        _reader(name, shape) for name, shape in members.items() if shape.serialization.get("location") is not None
    )


def _reader(name: str, shape: Shape) -> _Reader:
    location, wire_name = shape.serialization["location"], shape.serialization["name"]
    if location == "uri":

        def read_label(members: Parsed, labels: Mapping[str, str], _query: str) -> None:
            members[name] = labels[wire_name]

        return read_label
    assert location == "querystring", f"{name} travels in a place not met before: {location}"
    is_list = shape.type_name == "list"
    assert (shape.member if is_list else shape).type_name == "string", f"{name} is not text"

    def read_query(members: Parsed, _labels: Mapping[str, str], query: str) -> None:
        # A member of the query string is not one of the body, whatever the body says.
        members.pop(name, None)
        values = [value for key, value in query_items(query) if key == wire_name]
        if values:
            members[name] = values if is_list else values[-1]

    return read_query


def query_items(query: str) -> list[tuple[str, str]]:
    """Names and values of a raw query string, decoded; SerializationFault if it cannot be or has too many."""
    parts = [part for part in query.split("&") if part]
    if len(parts) > QUERY_ITEMS_MAX:
        raise SerializationFault("The request's query string has too many items.")
    pairs = (part.replace("+", " ").partition("=") for part in parts)
    return [(percent_decoded(key), percent_decoded(value)) for key, _, value in pairs]
