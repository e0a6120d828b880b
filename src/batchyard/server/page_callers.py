"""Who asks for a page that is no operation of AWS (`/events`, `/why`), and from which region."""

from typing import NamedTuple

from starlette.requests import Request

from batchyard.core.access import Principal
from batchyard.server.gate import Gate
from batchyard.wire import faults, sigv4
from batchyard.wire.sigv4 import Received


class PageCaller(NamedTuple):
    """`region` is that of the signature; `principal` None where everybody may ask."""

    region: str
    principal: Principal | None


def page_caller(gate: Gate, request: Request) -> PageCaller:
    """The caller of a page that changes nothing. Raises Fault for a web page, and for whom the gate does not let in."""
    if "origin" in request.headers:
        raise faults.from_a_web_page()
    scope = request.scope
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    headers = dict(request.headers)
    received = Received("batch", request.method, path, query, headers, b"")
    principal = gate.verify(received, may_change=False) if gate.is_needed else None
    return PageCaller(sigv4.caller(headers.get("authorization"), query).region, principal)
