"""Which request a thread is working for, so that every line it logs can say so."""

from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request under way on this thread or task; None between requests."""
