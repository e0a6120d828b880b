"""docs/compatibility.md: every member of every operation, from the service models and tools/compatibility.toml."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pages

from batchyard.api.operations import OPERATIONS
from batchyard.wire import model

PAGE = pages.DOCS / "compatibility.md"
TABLE = Path(__file__).resolve().parent / "compatibility.toml"
STATUSES = {
    "honoured": "honoured",
    "containers": "honoured in containers",
    "recorded": "recorded only",
    "ignored": "ignored",
    "refused": "refused",
    "absent": "absent",
}
"""The first word of an entry, and what the page calls it."""

PATHS_SHOWN = 3
SERVICES = {"AWS Batch": model.batch, "CloudWatch Logs": model.logs}


class Entry(NamedTuple):
    """What is done with one member: a key of `STATUSES`, and a clause."""

    status: str
    clause: str


def entries() -> dict[str, dict[str, Entry]]:
    """The table, by structure and member. Raises ValueError for an entry of another form."""
    return {
        shape: {member: _entry(f"{shape}.{member}", text) for member, text in members.items()}
        for shape, members in tomllib.loads(TABLE.read_text()).items()
    }


def structures() -> dict[str, Any]:
    """Every structure with members that the operations of both models reach, by name."""
    found = (shape for service in SERVICES.values() for shape in model.shapes(service()))
    return {shape.name: shape for shape in found if shape.type_name == "structure" and shape.members}


def places() -> dict[str, list[str]]:
    """Where each structure stands: `RegisterJobDefinition.containerProperties.volumes[]`, requests before answers."""
    found: dict[str, list[str]] = {}
    operations = [operation for service in SERVICES.values() for operation in service().operations.values()]
    for side in ("input", "output"):
        for operation in operations:
            for shape, path in _walk(getattr(operation, side), operation.name):
                if path not in found.setdefault(shape, []):
                    found[shape].append(path)
    return found


def files() -> dict[Path, str]:
    """The page with its tables."""
    table, shapes, where = entries(), structures(), places()
    shown = {name: _shown(table[name], where[name]) for name in shapes}
    top = {side.name for op in _operations() for side in (op.input, op.output) if side is not None}
    text = pages.with_part(PAGE.read_text(), "counts", _counts(shown))
    text = pages.with_part(text, "operations", "\n\n".join(_operation(op, shapes, shown) for op in _operations()))
    parts = (_structure(name, shapes, shown, where) for name in sorted(shapes.keys() - top))
    return {PAGE: pages.with_part(text, "structures", "\n\n".join(parts))}


def is_built(place: str) -> bool:
    """Whether the operation that a place begins with is one that the server carries out."""
    operation = place.partition(".")[0]
    return any(f"{service().name}.{operation}" in OPERATIONS for service in SERVICES.values())


def _entry(place: str, text: str) -> Entry:
    status, _, clause = text.partition(": ")
    if status not in STATUSES or not clause:
        raise ValueError(f"{place}: {text!r} is not `status: clause`")
    return Entry(status, clause)


def _operations() -> list[model.Operation]:
    return [operation for service in SERVICES.values() for _, operation in sorted(service().operations.items())]


def _walk(shape: Any, path: str) -> Iterator[tuple[str, str]]:
    """The structures in a shape with their paths; the models have no recursive ones."""
    match None if shape is None else shape.type_name:
        case "structure":
            yield shape.name, path
            for name, member in shape.members.items():
                yield from _walk(member, f"{path}.{name}")
        case "list":
            yield from _walk(shape.member, f"{path}[]")
        case "map":
            yield from _walk(shape.value, f"{path}{{}}")


def _shown(members: Mapping[str, Entry], where: list[str]) -> dict[str, Entry]:
    if any(is_built(place) for place in where):
        return dict(members)
    return {name: Entry("refused", "the operation is not available yet") for name in members}


def _counts(shown: Mapping[str, Mapping[str, Entry]]) -> str:
    counted = Counter(entry.status for members in shown.values() for entry in members.values())
    rows = [(called, str(counted[status])) for status, called in STATUSES.items()]
    return pages.table(("", "Members"), [*rows, ("all", str(counted.total()))])


def _operation(operation: model.Operation, shapes: Mapping[str, Any], shown: Mapping[str, Mapping[str, Entry]]) -> str:
    parts = [f"### {operation.name}"]
    for title, shape in (("Request", operation.input), ("Answer", operation.output)):
        if shape is not None and shape.name in shapes:
            parts.append(_members(title, shape, shapes, shown[shape.name]))
    return "\n\n".join(parts if len(parts) > 1 else [*parts, "Neither request nor answer has members."])


def _structure(
    name: str, shapes: Mapping[str, Any], shown: Mapping[str, Mapping[str, Entry]], where: Mapping[str, list[str]]
) -> str:
    found = where[name]
    paths = ", ".join(f"`{path}`" for path in found[:PATHS_SHOWN])
    more = f", and in {len(found) - PATHS_SHOWN} more places" if len(found) > PATHS_SHOWN else ""
    return f"### {name}\n\n{paths}{more}\n\n{_members('Member', shapes[name], shapes, shown[name])}"


def _members(title: str, shape: Any, shapes: Mapping[str, Any], shown: Mapping[str, Entry]) -> str:
    rows = [
        (f"`{name}`", _type(member, shapes), STATUSES[shown[name].status], shown[name].clause)
        for name, member in shape.members.items()
    ]
    return pages.table((title, "Type", "Here", "What it does"), rows)


def _type(shape: Any, shapes: Mapping[str, Any]) -> str:
    match shape.type_name:
        case "list":
            return f"{_type(shape.member, shapes)} list"
        case "map":
            return f"{_type(shape.value, shapes)} by name"
        case "structure" if shape.name in shapes:
            return f"[{shape.name}](#{shape.name.lower()})"
        case other:
            return str(other)
