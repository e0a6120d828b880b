"""Whether a request is what the service model says, compiled once per shape.

A check takes a JSON value and returns the value the API gets: only members the model knows, nulls left out, numbers in
their type. Unknown members are ignored, since newer clients send newer members. Two errors can come of it:

- a value of the wrong JSON type: SerializationException,
  `STRING_VALUE at 'arrayProperties.size' can not be converted to an Integer`;
- a broken constraint, in the words AWS's services use for theirs (`Value null at 'jobName' failed to satisfy
  constraint: Member must not be null`, `... Member must satisfy enum value set: [A, B]`, `... Member must have length
  less than or equal to 50`, `... Member must have value greater than or equal to 1`, `... Member must satisfy regular
  expression pattern: X`): wrapped ClientException for AWS Batch, InvalidParameterException for CloudWatch Logs. The
  first one found is reported.

Places are written as AWS writes them, list elements counted from 1: `dependsOn.1.member.jobId`.

Where the model is stricter than the service, the service wins: an empty string, list or map given for an optional
member counts as not given by many clients (`tags: {}`, `nextToken: ""`), so a minimum length does not refuse it; and
the action of evaluateOnExit may be written in any case.
"""

import functools
import re
from collections.abc import Callable, Sized
from typing import Any

from batchyard.wire.faults import Fault, SerializationFault, ValidationFault
from batchyard.wire.model import Operation, ServiceName, Shape
from batchyard.wire.parsing import Parsed

Check = Callable[[Any], Any]

QUOTED_CHARACTERS_MAX = 200
"""How much of a refused value is repeated to the client."""

_INTEGER_RANGES = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}


_ANY_CASE_ENUMERATIONS = frozenset({"RetryAction", "ServiceJobRetryAction"})
"""Enumerations whose values "aren't case sensitive", as the model says in prose only (evaluateOnExit.action)."""


class _Broken(Exception):
    """A value broke the model. The place is collected on the way out, so that checks that pass pay nothing for it."""

    def __init__(self, subject: str, predicate: str, *, mistyped: bool) -> None:
        super().__init__(subject, predicate)
        self.subject = subject
        self.predicate = predicate
        self.mistyped = mistyped
        self.place: list[str] = []

    def fault(self, service: ServiceName) -> Fault:
        sentence = f"{self.subject} at '{'.'.join(reversed(self.place))}' {self.predicate}"
        if self.mistyped:
            return SerializationFault(sentence)
        return ValidationFault(service, f"1 validation error detected: {sentence}")


def validate(operation: Operation, parsed: Parsed) -> dict[str, Any]:
    """The request as the API gets it. Raises SerializationFault or ValidationFault."""
    try:
        request: dict[str, Any] = request_check(operation)(parsed)
    except _Broken as broken:
        raise broken.fault(operation.service) from None
    return request


@functools.cache
def request_check(operation: Operation) -> Check:
    """The compiled check of an operation's input. Calling it ahead moves the cost off the first request."""
    return _structure(operation.input) if operation.input is not None else lambda _parsed: {}


def _check(shape: Shape, *, optional: bool = False) -> Check:
    match shape.type_name:
        case "structure":
            return _structure(shape)
        case "list":
            return _list(shape, optional)
        case "map":
            return _map(shape, optional)
        case "string":
            return _string(shape, optional)
        case "integer" | "long":
            return _integer(shape)
        case "float" | "double":
            return _float(shape)
        case "boolean":
            return _boolean
        case other:
            raise AssertionError(f"{shape.name} is of a type not met before: {other}")


def _structure(shape: Shape) -> Check:
    required = tuple(shape.required_members)
    checks = {name: _check(member, optional=name not in required) for name, member in shape.members.items()}
    assert all(member.serialization.get("name", name) == name for name, member in shape.members.items()), (
        f"{shape.name} renames a member in JSON"
    )

    def check(value: Any) -> Any:
        if type(value) is not dict:
            raise _mistyped(value, "a Structure")
        found = {}
        name = ""
        try:
            for name, item in value.items():
                if item is not None and name in checks:
                    found[name] = checks[name](item)
            for name in required:
                if name not in found:
                    raise _unsatisfied(None, "not be null")
        except _Broken as broken:
            broken.place.append(name)
            raise
        return found

    return check


def _list(shape: Shape, optional: bool) -> Check:
    check_item = _check(shape.member)
    check_length = _length(shape, optional)

    def check(value: Any) -> Any:
        if type(value) is not list:
            raise _mistyped(value, "a List")
        if check_length is not None:
            check_length(value)
        found: list[Any] = []
        try:
            for item in value:
                if item is None:
                    raise _unsatisfied(None, "not be null")
                found.append(check_item(item))
        except _Broken as broken:
            broken.place.append(f"{len(found) + 1}.member")
            raise
        return found

    return check


def _map(shape: Shape, optional: bool) -> Check:
    check_key, check_value = _check(shape.key), _check(shape.value)
    check_length = _length(shape, optional)

    def check(value: Any) -> Any:
        if type(value) is not dict:
            raise _mistyped(value, "a Map")
        if check_length is not None:
            check_length(value)
        found = {}
        key = ""
        try:
            for key, item in value.items():
                if item is not None:
                    found[check_key(key)] = check_value(item)
        except _Broken as broken:
            broken.place.append(_quoted(key))
            raise
        return found

    return check


def _string(shape: Shape, optional: bool) -> Check:
    check_length = _length(shape, optional)
    allowed = frozenset(shape.enum)
    any_case = shape.name in _ANY_CASE_ENUMERATIONS
    pattern = _pattern(shape)

    def check_any(value: Any) -> Any:
        if type(value) is not str:
            raise _mistyped(value, "a String")
        # A command line, a path and a database all end at NUL, or refuse it later and less clearly.
        if "\0" in value:
            raise _mistyped(value, "a String: it holds a NUL character")
        return value

    if not allowed and check_length is None and pattern is None:
        return check_any

    def check(value: Any) -> Any:
        check_any(value)
        if allowed and (value.upper() if any_case else value) not in allowed:
            raise _unsatisfied(value, f"satisfy enum value set: [{', '.join(shape.enum)}]")
        if check_length is not None:
            check_length(value)
        if pattern is not None and not pattern.fullmatch(value) and not (optional and not value):
            raise _unsatisfied(value, f"satisfy regular expression pattern: {pattern.pattern}")
        return value

    return check


def _integer(shape: Shape) -> Check:
    name = "an Integer" if shape.type_name == "integer" else "a Long"
    lowest, highest = _INTEGER_RANGES[shape.type_name]
    low, high = shape.metadata.get("min", lowest), shape.metadata.get("max", highest)

    def check(value: Any) -> Any:
        # Languages whose only number is a float send 2.0. True is an int in Python and no number in JSON.
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not lowest <= value <= highest:
            raise _mistyped(value, name)
        if value < low:
            raise _unsatisfied(value, f"have value greater than or equal to {low}")
        if value > high:
            raise _unsatisfied(value, f"have value less than or equal to {high}")
        return value

    return check


def _float(shape: Shape) -> Check:
    lowest, highest = _INTEGER_RANGES["long"]
    assert not {"min", "max"} & shape.metadata.keys(), f"{shape.name} bounds a float"

    def check(value: Any) -> Any:
        if type(value) is float:
            return value
        if type(value) is not int or not lowest <= value <= highest:
            raise _mistyped(value, "a Double")
        return float(value)

    return check


def _boolean(value: Any) -> Any:
    if type(value) is not bool:
        raise _mistyped(value, "a Boolean")
    return value


def _length(shape: Shape, optional: bool) -> Callable[[Sized], None] | None:
    """The check of a string's, list's or map's length, if the model bounds it."""
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if not low and high is None:
        return None

    def check(value: Sized) -> None:
        length = len(value)
        if length < low and (length or not optional):
            raise _unsatisfied(value, f"have length greater than or equal to {low}")
        if high is not None and length > high:
            raise _unsatisfied(value, f"have length less than or equal to {high}")

    return check


def _pattern(shape: Shape) -> re.Pattern[str] | None:
    # Patterns are Java's. Those with Unicode classes (tag keys) mean nothing to Python and guard nothing of ours.
    pattern = shape.metadata.get("pattern")
    return None if pattern is None or r"\p{" in pattern else re.compile(pattern, re.ASCII)


def _unsatisfied(value: Any, constraint: str) -> _Broken:
    subject = "Value null" if value is None else f"Value '{_quoted(value)}'"
    return _Broken(subject, f"failed to satisfy constraint: Member must {constraint}", mistyped=False)


def _mistyped(value: Any, wanted: str) -> _Broken:
    return _Broken(_token(value), f"can not be converted to {wanted}", mistyped=True)


def _token(value: Any) -> str:
    """What AWS's JSON parser calls a value of this kind."""
    match value:
        case bool():
            return "TRUE_VALUE" if value else "FALSE_VALUE"
        case int() | float():
            return "NUMBER_VALUE"
        case str():
            return "STRING_VALUE"
        case list():
            return "Start of list"
        case _:
            return "Start of structure or map"


def _quoted(value: Any) -> str:
    text = str(value)
    return text if len(text) <= QUOTED_CHARACTERS_MAX else text[:QUOTED_CHARACTERS_MAX] + "..."
