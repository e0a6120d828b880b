"""Requests for Hypothesis, from an operation's input shape: sound ones that reach deep, and ones broken on purpose."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from batchyard.wire.model import Operation
from tests.fuzz.seeds import BASES, BITING, NUMBERS
from tests.wire.shapes_strategy import INTEGER_RANGES

OPTIONAL_MEMBERS_MAX = 4
DEPTH_MAX = 6
ODD_ONE_IN = 12
SMALL = (0, 1, 2, 3, 5, 60, 64, 600, 10_000)
ODD_VALUES: tuple[Any, ...] = (
    None, True, "", "text", 0, -1, 1.5, 2.0, -0.0, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, float("nan"),
    float("inf"), [], [[]], [None], {}, {"": None}, {"a": {"b": []}}, "x" * 70_000, ["x"] * 2_000,
)  # fmt: skip
BODIES = (
    b"", b"null", b"[]", b"1", b'"text"', b"{", b"}", b'{"a":}', b'{"a":1,}', b"{'a':1}", b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}", b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":"\\u0000"}', b'{"a":1e999}', b"NaN",
    b'{"a":NaN}', b'{"a":-Infinity}', b'{"jobs":' + b"[" * 100_000, b'{"a":' * 5_000, b"{}{}", b"{}\0",
    b'{"jobs":["a"],"jobs":1}', b'{"a":"' + b"x" * 300_000 + b'"}', b'{"maxResults":1' + b"0" * 5_000 + b"}",
    b"<xml/>", b"a=b&c=d",
)  # fmt: skip
"""Bodies that are no request, whatever the operation."""


class Texts:
    """What requests may say, by the member that says it. Compared by identity, and short when it is printed."""

    def __init__(self, of: Mapping[str, Sequence[str]]) -> None:
        self.of = of

    def of_operation(self, operation: str) -> "Texts":
        """The same, with what is meant for one operation alone, such as its page tokens, in its place."""
        own = {name.partition(".")[2]: texts for name, texts in self.of.items() if name.startswith(f"{operation}.")}
        return Texts({**self.of, **own})


@dataclass(frozen=True)
class Sent:
    """One HTTP request."""

    operation: Operation
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@st.composite
def requests(draw: Callable[..., Any], operation: Operation, texts: Texts) -> Sent:
    """A request of the operation: mostly sound, else with one or two wounds, else with a body that is none."""
    kind = draw(st.sampled_from(("sound", "sound", "sound", "wounded", "wounded", "body")))
    members = draw(_members(operation, texts))
    if kind == "wounded":
        for _ in range(draw(st.integers(1, 2))):
            members = _wounded(draw, members)
    if not isinstance(members, dict):
        return Sent(
            operation, operation.method, _target(operation, {}), _headers(operation), json.dumps(members).encode()
        )
    in_place = _locations(operation)
    body = json.dumps({name: value for name, value in members.items() if name not in in_place}).encode()
    if kind == "body":
        body = draw(
            st.sampled_from(BODIES) | st.binary(max_size=40) | st.integers(0, len(body)).map(lambda n: body[:n])
        )
    return Sent(operation, operation.method, _target(operation, members), _headers(operation), body)


def _headers(operation: Operation) -> dict[str, str]:
    if operation.service == "batch":
        return {"content-type": "application/json"}
    target = f"Logs_20140328.{operation.name}"
    return {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}


def _locations(operation: Operation) -> dict[str, str]:
    """The members that travel in the path or the query."""
    members = {} if operation.input is None else operation.input.members
    return {n: shape.serialization["location"] for n, shape in members.items() if "location" in shape.serialization}


def _target(operation: Operation, members: Mapping[str, Any]) -> str:
    """Path and query; what travels there is text whatever was drawn."""
    path, query = operation.uri, []
    for name, location in _locations(operation).items():
        value = members.get(name, "")
        if location == "uri":
            path = path.replace(f"{{{name}}}", quote(_bytes(value)[:2000], safe="") or "x")
        else:
            query += [(name, _bytes(each)[:200]) for each in (value if isinstance(value, list) else [value])[:50]]
    return f"{path}?{urlencode(query)}" if query else path


def _bytes(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


def _members(operation: Operation, texts: Texts) -> st.SearchStrategy[Any]:
    if operation.input is None:
        return st.just({})
    drawn = _value(operation.input, "", texts.of_operation(operation.name), 0)
    bases = BASES.get(operation.name)
    if bases is None:
        return drawn
    over = st.tuples(st.sampled_from(bases), drawn)
    return over.map(lambda two: _merged(*two)) | over.map(lambda two: {**two[1], **two[0]})


def _merged(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Both, structures member by member; what is given counts where both say something."""
    both = {name: _merged(base[name], given[name]) for name in base if isinstance(given.get(name), dict)}
    return {**base, **given, **both}


def _value(shape: Any, name: str, texts: Texts, depth: int) -> st.SearchStrategy[Any]:
    match shape.type_name:
        case "structure":
            return _structure(shape, texts, depth)
        case "list":
            least = shape.metadata.get("min", 0)
            return st.lists(_value(shape.member, name, texts, depth), min_size=least, max_size=max(2, least))
        case "map":
            keys, values = _text(shape.key, f"{name}.key", texts), _value(shape.value, name, texts, depth)
            return st.dictionaries(keys, values, min_size=shape.metadata.get("min", 0), max_size=2)
        case "string":
            return _text(shape, name, texts)
        case "integer" | "long":
            sound = st.sampled_from(NUMBERS.get(name, SMALL))
            return _mostly(sound, st.sampled_from(SMALL) | st.integers(*INTEGER_RANGES[shape.type_name]))
        case "float" | "double":
            return _mostly(st.sampled_from((0.0001, 1, 1.5)), st.floats(allow_nan=False, allow_infinity=False))
        case "boolean":
            return st.booleans()
    raise AssertionError(f"{shape.name}: {shape.type_name}")


@st.composite
def _structure(draw: Callable[..., Any], shape: Any, texts: Texts, depth: int) -> dict[str, Any]:
    required = [name for name in shape.members if name in shape.required_members]
    optional = [name for name in shape.members if name not in shape.required_members]
    if optional and depth < DEPTH_MAX:
        required += draw(st.lists(st.sampled_from(optional), unique=True, max_size=OPTIONAL_MEMBERS_MAX))
    return {name: draw(_value(shape.members[name], name, texts, depth + 1)) for name in required}


def _text(shape: Any, name: str, texts: Texts) -> st.SearchStrategy[str]:
    if shape.enum:
        return st.sampled_from(tuple(shape.enum))
    return _mostly(
        st.sampled_from(tuple(texts.of.get(name) or texts.of.get(name.rpartition(".")[2]) or ("seed",))), _odd_text()
    )


@st.composite
def _mostly(draw: Callable[..., Any], sound: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> Any:
    """Of several members in a request, most must be sound, or all the others are never looked at."""
    return draw(odd if draw(st.integers(0, ODD_ONE_IN - 1)) == ODD_ONE_IN - 1 else sound)


@cache
def _odd_text() -> st.SearchStrategy[str]:
    return st.sampled_from(BITING) | st.text(max_size=20) | st.text("abc0189-_:/#*.", max_size=12)


def _wounded(draw: Callable[..., Any], value: Any) -> Any:
    """The value with one thing in it taken out, added or replaced by something that does not belong there."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(ODD_VALUES))
    if isinstance(value, list):
        place = draw(st.integers(0, len(value) - 1))
        return [_wounded(draw, each) if n == place else each for n, each in enumerate(value)]
    name = draw(st.sampled_from(sorted(value)))
    match draw(st.sampled_from(("out", "add", "change", "change", "change"))):
        case "out":
            return {key: each for key, each in value.items() if key != name}
        case "add":
            return {**value, draw(_odd_text()): draw(st.sampled_from(ODD_VALUES))}
    return {**value, name: _wounded(draw, value[name])}
