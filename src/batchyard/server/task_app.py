"""What jobs may ask: their metadata and the credentials of their role, on a listener of the loopback interface alone.

No request here is signed. A token in the path says which attempt asks for metadata, one in `Authorization` which asks
for credentials, and both are good only while that attempt is active. Browsers reach the loopback interface too, so a
request that names a page, or was meant for another host's name (as after a rebound DNS name), is refused.
"""

import logging
from collections.abc import Callable
from datetime import UTC
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from batchyard.api.context import Context
from batchyard.api.task_metadata import (
    container_metadata,
    containers_of_task,
    find_task,
    task_metadata,
    task_tags,
)
from batchyard.core.jobs import Attempt, Terms
from batchyard.core.resolved_tasks import placed_containers
from batchyard.engine.task_endpoint import TaskName, TaskTokens, job_role, matching_role
from batchyard.server.container_stats import container_stats
from batchyard.server.dispatch import OperationDispatch
from batchyard.server.job_roles import RoleSource, RoleUnavailable
from batchyard.store.transaction import Transaction

_log = logging.getLogger(__name__)

HOSTS = ("127.0.0.1", "localhost")
"""How a job may call the machine that it runs on; a page's own host is none of these."""

Show = Callable[[Context, Attempt, Terms, int], Any]
"""What a path shows of an active attempt, for the container in this place."""


def create_task_app(dispatch: OperationDispatch, tokens: TaskTokens, roles: RoleSource) -> ASGIApp:
    """The application. It reads through dispatch's readers, and decides nothing about jobs."""
    found = _TaskApp(dispatch, tokens, roles)
    pages = Starlette(
        routes=[
            Route("/v4/{token}", found.metadata(container_metadata)),
            Route("/v4/{token}/task", found.metadata(task_metadata)),
            Route("/v4/{token}/taskWithTags", found.metadata(_task_with_tags)),
            Route("/v4/{token}/stats", found.metadata(_stats)),
            Route("/v4/{token}/task/stats", found.metadata(_stats_of_all)),
            Route("/credentials/{name}", found.credentials),
        ],
        exception_handlers={HTTPException: _refused},
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_from_a_program_here(scope):
            await JSONResponse(_problem("Forbidden", "Only programs of this machine may ask."), 403)(
                scope, receive, send
            )
            return
        await pages(scope, receive, send)

    return app


def _is_from_a_program_here(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    is_ours = host.rpartition(":")[0] in HOSTS or host in HOSTS
    return is_ours and b"origin" not in headers and b"sec-fetch-site" not in headers


class _TaskApp:
    """Routes whose answers are about one active attempt."""

    def __init__(self, dispatch: OperationDispatch, tokens: TaskTokens, roles: RoleSource) -> None:
        self._dispatch = dispatch
        self._tokens = tokens
        self._roles = roles

    def metadata(self, show: Show) -> Callable[[Request], Any]:
        """A route whose path holds the token."""

        async def route(request: Request) -> Response:
            name = self._tokens.read_metadata(request.path_params["token"])
            return JSONResponse(await self._shown(name, show))

        return route

    async def credentials(self, request: Request) -> Response:
        """The route of role credentials, in the shape that the SDKs' container providers read."""
        text = request.path_params["name"]
        name = self._tokens.read_credentials(text, request.headers.get("authorization", ""))
        role, arn = await self._shown(name, self._role)
        try:
            found = await run_in_threadpool(self._roles.credentials, role)
        except RoleUnavailable as problem:
            _log.warning("%s", problem)
            raise HTTPException(503, str(problem)) from None
        return JSONResponse(
            {
                "RoleArn": arn,
                "AccessKeyId": found.access_key_id,
                "SecretAccessKey": found.secret_access_key,
                "Token": found.session_token,
                "Expiration": found.expiration.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            headers={"Cache-Control": "no-store"},
        )

    def _role(self, context: Context, _attempt: Attempt, terms: Terms, container: int) -> tuple[str, str]:
        """Which configured role the job has, and its ARN."""
        wanted = job_role(terms, container)
        known = matching_role(wanted, self._roles.names)
        if known is None:
            raise HTTPException(404, "The job's role has no credentials here.")
        settings = context.settings
        made = f"arn:{settings.partition}:iam::{settings.account}:role/{wanted}"
        return known, wanted if wanted.startswith("arn:") else made

    async def _shown(self, name: TaskName | None, show: Show) -> Any:
        """What `show` makes of the attempt. Raises HTTPException where there is none, and says no more than that."""

        def look(tx: Transaction) -> Any:
            found = None if name is None else find_task(tx, name)
            if name is None or found is None:
                raise HTTPException(404, "No task that runs has this token.")
            attempt, terms = found
            return show(self._dispatch.context(tx, terms.region), attempt, terms, name.container)

        return await self._dispatch.read(look)


def _task_with_tags(context: Context, attempt: Attempt, terms: Terms, container: int) -> dict[str, Any]:
    return {**task_metadata(context, attempt, terms, container), **task_tags(context, terms)}


def _stats(context: Context, attempt: Attempt, terms: Terms, container: int) -> dict[str, Any] | None:
    """Null where nothing of the container runs, as ECS answers while it has no statistics."""
    shown = container_metadata(context, attempt, terms, container)
    memory_mib = placed_containers(terms.resolved.containers)[container].container.memory_mib
    found = container_stats(attempt.attempt_id, container, memory_mib)
    return None if found is None else {**found, "name": shown["DockerName"], "id": shown["DockerId"]}


def _stats_of_all(context: Context, attempt: Attempt, terms: Terms, container: int) -> dict[str, Any]:
    return {
        container_metadata(context, attempt, terms, each.position)["DockerId"]: _stats(
            context, attempt, terms, each.position
        )
        for each in containers_of_task(terms, container)
    }


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "NotFound", 405: "MethodNotAllowed", 503: "RoleUnavailable"}.get(error.status_code, "Refused")
    return JSONResponse(_problem(code, error.detail), error.status_code)


def _problem(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}
