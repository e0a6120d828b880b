"""The HTTP edge: bytes in, the operation's answer or an AWS error out.

One ASGI application serves everything on one port. Requests for AWS (`/v1/...`, and `POST /` of CloudWatch Logs) are
answered by a bare ASGI callable, since they come by the thousand; everything else (`/health`, pages) is Starlette's.
What an operation does is behind `Dispatch`; nothing is decided here.

Browsers name the page a POST comes from in the header `Origin`; programs that speak to AWS never send it. A request
that has it is refused, or any page someone looks at could run jobs on a server that listens on their own machine.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from batchyard.core.access import Principal
from batchyard.core.refusals import Refusal
from batchyard.server import request_log
from batchyard.server.gate import Gate
from batchyard.wire import faults, model, sigv4
from batchyard.wire.faults import Fault
from batchyard.wire.model import Operation
from batchyard.wire.parsing import parse
from batchyard.wire.routing import Router
from batchyard.wire.serializing import serialize
from batchyard.wire.sigv4 import Received
from batchyard.wire.validation import validate

BODY_BYTES_MAX = 1024 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What is known of a request besides its members.

    region is that of the signature's credential scope, `us-east-1` without one. access_key_id is who claims to call,
    principal who was found to call; None where nobody is asked.
    """

    request_id: str
    region: str
    access_key_id: str | None
    principal: Principal | None = None


class Dispatch(Protocol):
    """Carries an operation out.

    request holds validated members only. Returns the members of the output. Raises Refusal for what AWS would refuse;
    any other exception is a bug and becomes a ServerException.
    """

    async def __call__(
        self, operation: Operation, request: dict[str, Any], context: RequestContext
    ) -> Mapping[str, Any]: ...


def create_app(
    dispatch: Dispatch,
    *,
    body_limit: int = BODY_BYTES_MAX,
    routes: Sequence[BaseRoute] = (),
    gate: Gate | None = None,
) -> ASGIApp:
    """The application. body_limit is in bytes; routes are further pages (a console) beside `/health`.

    gate decides who may call operations, None lets everyone; pages ask it themselves if they show anything.
    """
    pages = Starlette(
        routes=[Route("/health", _health), *routes],
        exception_handlers={HTTPException: _page_refused, Fault: _page_refused, Refusal: _page_refused},
    )
    aws = _AwsEndpoint(dispatch, body_limit, gate if gate is not None and gate.is_needed else None)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_aws = scope["type"] == "http" and (
            scope["path"].startswith("/v1/") or (scope["path"] == "/" and scope["method"] == "POST")
        )
        await (aws if is_aws else pages)(scope, receive, send)

    return app


def by_port(app: ASGIApp, others: Mapping[int, ASGIApp]) -> ASGIApp:
    """One application that serves several listeners: the one named for the port that a request came in by, else app."""

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        is_other = scope["type"] == "http" and scope["server"][1] in others
        await (others[scope["server"][1]] if is_other else app)(scope, receive, send)

    return chosen


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _page_refused(_request: Request, error: Exception) -> Response:
    """A path nobody knows may have been meant for AWS, so every page is refused in AWS's form."""
    request_id = str(uuid.uuid4())
    if not isinstance(error, HTTPException):
        fault = _fault(error, "batch", request_id)
    elif error.status_code in (404, 405):
        fault = faults.unknown_operation()
    else:
        fault = Fault("HTTPException", error.status_code, error.detail)
    answer = faults.answer(fault, request_id)
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": answer.code}
    return Response(answer.body, answer.status, headers, "application/json")


class _Disconnected(Exception):
    """The client went away before its request was complete."""


class _AwsEndpoint:
    """AWS Batch and CloudWatch Logs as one ASGI callable."""

    def __init__(self, dispatch: Dispatch, body_limit: int, gate: Gate | None) -> None:
        self._dispatch = dispatch
        self._gate = gate
        self._body_limit = body_limit
        self._services = {service.name: service for service in (model.batch(), model.logs())}
        self._router = Router(self._services.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = str(uuid.uuid4())
        request_log.request_id.set(request_id)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        service = self._services["logs" if "x-amz-target" in headers and scope["path"] == "/" else "batch"]
        status, code = 200, b""
        try:
            body = await self._answer(scope, headers, receive, request_id)
        except _Disconnected:
            return
        except Exception as error:
            answer = faults.answer(_fault(error, service.name, request_id), request_id, service.name)
            status, code, body = answer.status, answer.code.encode(), answer.body
        answer_headers = [
            (b"x-amzn-requestid", request_id.encode()),
            (b"content-type", service.content_type.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        if code:
            answer_headers.append((b"x-amzn-errortype", code))
        await send({"type": "http.response.start", "status": status, "headers": answer_headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, headers: Mapping[str, str], receive: Receive, request_id: str) -> bytes:
        if "origin" in headers:
            raise faults.from_a_web_page()
        query = scope["query_string"].decode("latin-1")
        route = self._router.route(scope["method"], scope["raw_path"].decode("latin-1"), headers.get("x-amz-target"))
        body = await self._body(headers, receive)
        principal = None if self._gate is None else self._admit(self._gate, route.operation, scope, headers, body)
        parsed = parse(
            route.operation, body, query=query, labels=route.labels, content_type=headers.get("content-type")
        )
        request = validate(route.operation, parsed)
        caller = sigv4.caller(headers.get("authorization"), query)
        context = RequestContext(request_id, caller.region, caller.access_key_id, principal)
        return serialize(route.operation, await self._dispatch(route.operation, request, context))

    @staticmethod
    def _admit(
        gate: Gate, operation: Operation, scope: Scope, headers: Mapping[str, str], body: bytes
    ) -> Principal | None:
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        return gate.admit(operation, Received(operation.service, scope["method"], path, query, headers, body))

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The whole body, never holding more than the limit: a body that says or proves to be larger is not read on."""
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._body_limit:
            raise faults.request_too_large(self._body_limit)
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._body_limit:
                raise faults.request_too_large(self._body_limit)
            chunks.append(chunk)
            more = message.get("more_body", False)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _fault(error: Exception, service: model.ServiceName, request_id: str) -> Fault:
    """The error the client is told of."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, Refusal):
        return Fault(error.code, error.status, error.text, wrapped=error.wrapped)
    _log.error("request %s ended in a bug", request_id, exc_info=error)
    return faults.server_exception(service, request_id)
