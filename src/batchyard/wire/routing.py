"""Which operation a request means.

AWS Batch is rest-json: the path names the operation, except for tags, where a resource ARN is the rest of the path.
CloudWatch Logs is JSON 1.1: everything is a POST to `/` and the header `X-Amz-Target` names the operation.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from batchyard.wire.faults import SerializationFault, unknown_operation
from batchyard.wire.model import Operation, Service

_TRAILING_LABEL = re.compile(r"(?P<prefix>/[^{}]*/)\{(?P<label>\w+)\}")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Route(NamedTuple):
    """The operation, and the decoded values of the labels in its path."""

    operation: Operation
    labels: Mapping[str, str]


class _LabelledPath(NamedTuple):
    method: str
    prefix: str
    label: str
    operation: Operation


_NO_LABELS: Mapping[str, str] = {}


class Router:
    """Finds operations. Built once from the services that share an endpoint."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._by_target: dict[str, Route] = {}
        self._by_path: dict[tuple[str, str], Route] = {}
        self._labelled: list[_LabelledPath] = []
        for service in services:
            for operation in service.operations.values():
                self._add(service, operation)

    def _add(self, service: Service, operation: Operation) -> None:
        if service.target_prefix:
            self._by_target[f"{service.target_prefix}.{operation.name}"] = Route(operation, _NO_LABELS)
        elif "{" not in operation.uri:
            self._by_path[operation.method, operation.uri] = Route(operation, _NO_LABELS)
        else:
            match = _TRAILING_LABEL.fullmatch(operation.uri)
            assert match, f"{operation.name} has a path of a form not met before: {operation.uri}"
            self._labelled.append(_LabelledPath(operation.method, match["prefix"], match["label"], operation))

    def route(self, method: str, raw_path: str, target: str | None = None) -> Route:
        """The operation for a request line and, if sent, its `X-Amz-Target`.

        raw_path is the path as received, still percent-encoded: an ARN holds slashes, so labels are decoded only
        after routing. Clients that leave the slashes of the ARN bare are understood too.

        Raises a Fault: UnknownOperationException (404; 400 for an unknown target, as JSON 1.1 has it), or
        SerializationException for a label that cannot be decoded.
        """
        route = self._by_path.get((method, raw_path))
        if route is not None:
            return route
        if raw_path == "/" and target is not None:
            if method != "POST" or target not in self._by_target:
                raise unknown_operation(status=400)
            return self._by_target[target]
        for path in self._labelled:
            if method == path.method and raw_path.startswith(path.prefix) and len(raw_path) > len(path.prefix):
                return Route(path.operation, {path.label: percent_decoded(raw_path[len(path.prefix) :])})
        raise unknown_operation()


def percent_decoded(text: str) -> str:
    """The text that a percent-encoded part of a URL stands for; SerializationException if it stands for none."""
    if _BROKEN_ESCAPE.search(text):
        raise SerializationFault("The request's URL holds a broken percent-encoding.")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise SerializationFault("The request's URL is not UTF-8.") from None
