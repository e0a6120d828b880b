"""`GET /why/{jobId}`: why a job waits or what became of it, as JSON, for `batchyard why` and for consoles."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchyard.api.explanations.explain_job import explain_job
from batchyard.core.access import Principal
from batchyard.engine.outlook import Outlook
from batchyard.server.dispatch import OperationDispatch
from batchyard.server.gate import Gate
from batchyard.server.page_callers import page_caller
from batchyard.store.transaction import Transaction
from batchyard.wire.faults import Fault

if TYPE_CHECKING:
    from batchyard.api.context import Context


class Explanations:
    """The page of one server. gate: who is let in. outlook: what plans depend on besides rows, now."""

    def __init__(self, dispatch: OperationDispatch, gate: Gate, outlook: Callable[[], Outlook]) -> None:
        self.route = Route("/why/{job_id:path}", self._answer, methods=["GET"])
        self._dispatch = dispatch
        self._gate = gate
        self._outlook = outlook

    async def _answer(self, request: Request) -> Response:
        """Raises Fault or Refusal."""
        region, principal = page_caller(self._gate, request)
        job_id = request.path_params["job_id"]
        found = await self._dispatch.read(lambda tx: self._explain(tx, region, principal, job_id))
        if found is None:
            raise Fault("ClientException", 404, f"There is no job {job_id!r}.")
        return Response(msgspec.json.encode(found), 200, {"cache-control": "no-store"}, "application/json")

    def _explain(self, tx: Transaction, region: str, principal: Principal | None, job_id: str) -> dict[str, Any] | None:
        context: Context = self._dispatch.context(tx, region, principal)
        return explain_job(context, self._outlook(), job_id)
