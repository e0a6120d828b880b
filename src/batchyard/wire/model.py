"""The service models: what the operations are called and how their requests and answers look.

botocore's own model files (pinned) are the source. Only the operations we answer and the shapes they reach are kept,
and no documentation: the CloudWatch Logs model alone has more than a hundred operations.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from botocore.loaders import Loader
from botocore.model import ServiceModel

ServiceName: TypeAlias = Literal["batch", "logs"]

# botocore ships no types: a Shape is botocore.model.Shape or one of its subclasses.
Shape: TypeAlias = Any

BATCH_API_VERSION = "2016-08-10"
LOGS_API_VERSION = "2014-03-28"

LOGS_OPERATIONS = (
    "CreateLogGroup",
    "CreateLogStream",
    "DeleteLogGroup",
    "DescribeLogGroups",
    "DescribeLogStreams",
    "FilterLogEvents",
    "GetLogEvents",
    "PutLogEvents",
)
"""What programs around AWS Batch call: those that read, and those that make groups and write as log drivers do."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of one service. Compared by identity, since the models are loaded once.

    method and uri are those of the HTTP binding (`/v1/tags/{resourceArn}`); input and output are botocore shapes, or
    None where the model has none.
    """

    name: str
    service: ServiceName
    method: str
    uri: str
    input: Shape | None
    output: Shape | None


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """One service model, cut down to the operations we answer.

    target_prefix is the first half of `X-Amz-Target`, empty for a service that is routed by path. content_type is
    that of its answers.
    """

    name: ServiceName
    target_prefix: str
    content_type: str
    operations: Mapping[str, Operation]


@functools.cache
def batch() -> Service:
    """AWS Batch, every operation of the newest model; loaded at the first call."""
    return _load("batch", BATCH_API_VERSION, None)


@functools.cache
def logs() -> Service:
    """CloudWatch Logs, `LOGS_OPERATIONS` only; loaded at the first call."""
    return _load("logs", LOGS_API_VERSION, LOGS_OPERATIONS)


def shapes(service: Service) -> list[Shape]:
    """Every shape that requests and answers of the service reach, each once, in the order of a depth-first walk."""
    found: dict[str, Shape] = {}

    def visit(shape: Shape) -> None:
        if shape.name in found:
            return
        found[shape.name] = shape
        for part in _parts(shape):
            visit(part)

    for operation in service.operations.values():
        for shape in (operation.input, operation.output):
            if shape is not None:
                visit(shape)
    return list(found.values())


def _parts(shape: Shape) -> Iterable[Shape]:
    match shape.type_name:
        case "structure":
            return tuple(shape.members.values())
        case "list":
            return (shape.member,)
        case "map":
            return (shape.key, shape.value)
        case _:
            return ()


def _load(name: ServiceName, api_version: str, wanted: tuple[str, ...] | None) -> Service:
    # Only the models inside the botocore package: a file in ~/.aws/models must not change what the server speaks.
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    document = loader.load_service_model(name, "service-2", api_version)
    operations = {
        key: _without_documentation(value)
        for key, value in document["operations"].items()
        if wanted is None or key in wanted
    }
    model = ServiceModel(
        {
            "metadata": document["metadata"],
            "operations": operations,
            "shapes": _reachable(document["shapes"], operations.values()),
        },
        name,
    )
    metadata = document["metadata"]
    is_rest = metadata["protocol"] == "rest-json"
    return Service(
        name=name,
        target_prefix=metadata.get("targetPrefix", ""),
        content_type="application/json" if is_rest else f"application/x-amz-json-{metadata['jsonVersion']}",
        operations=MappingProxyType({key: _operation(name, model.operation_model(key)) for key in operations}),
    )


def _operation(service: ServiceName, model: Any) -> Operation:
    return Operation(
        name=model.name,
        service=service,
        method=model.http["method"],
        uri=model.http["requestUri"],
        input=model.input_shape,
        output=model.output_shape,
    )


def _reachable(documents: Mapping[str, Any], operations: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The shape documents that requests and answers of these operations need, without documentation strings."""
    kept: dict[str, Any] = {}
    waiting = [
        operation[side]["shape"] for operation in operations for side in ("input", "output") if side in operation
    ]
    while waiting:
        name = waiting.pop()
        if name in kept:
            continue
        shape = kept[name] = _without_documentation(documents[name])
        references = [
            *shape.get("members", {}).values(),
            *(shape[key] for key in ("member", "key", "value") if key in shape),
        ]
        waiting.extend(reference["shape"] for reference in references)
    return kept


def _without_documentation(document: Any) -> Any:
    if isinstance(document, Mapping):
        # A member may itself be called "documentation"; the strings are what costs memory.
        return {
            key: _without_documentation(value)
            for key, value in document.items()
            if not (key == "documentation" and isinstance(value, str))
        }
    return document
