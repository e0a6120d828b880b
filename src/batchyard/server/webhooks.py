"""Webhooks: every event is posted to its receivers, one after the other, until each has taken it.

Each webhook has a thread, which reads the history from where the webhook stands and posts events in order. How far it
has got is a row, written through the engine a moment after what it says, so a server that is killed posts the last few
again: at least once, never not at all. Receivers tell them apart by the header `webhook-id`, which stays the same.

The headers and the signature are those of Standard Webhooks (https://www.standardwebhooks.com), for which receivers
have libraries. A receiver that does not answer holds up nobody but itself: the history waits for it.
"""

import base64
import contextlib
import hmac
import logging
import threading
import time
from collections.abc import Callable
from hashlib import sha256

import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry, Timeout

from batchyard.api.context import Context
from batchyard.api.events.feed import Feed, Filter, JobEvent
from batchyard.core.job_events import Position
from batchyard.engine.loop import Engine
from batchyard.server.webhook_settings import Webhook
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
ANSWER_BYTES = 4096
"""More of an answer is not read."""

FIRST_PAUSE_SECONDS = 0.5
PAUSE_SECONDS_MAX = 60.0
"""Between two tries; the pause doubles from the first to this."""

RETRY_AFTER_SECONDS_MAX = 600.0
SAVE_SECONDS = 1.0
"""How often the row that says how far a webhook has got is written, at most."""

STOP_SECONDS = 3.0
"""How long the end of the server waits for an answer; what was not answered is posted again at the next start."""

log = logging.getLogger(__name__)


def signature(key: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: `v1,` and HMAC-SHA256, in base64, of id, seconds since 1970 and body."""
    signed = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()


class WebhookThread:
    """One webhook of a server. context_in: the context of a transaction and a region."""

    def __init__(
        self, webhook: Webhook, database: Database, engine: Engine, context_in: Callable[[Transaction, str], Context]
    ) -> None:
        self._webhook = webhook
        self._database = database
        self._engine = engine
        queues = None if webhook.queues is None else frozenset(webhook.queues)
        self._feed = Feed(context_in, Filter(queues, None, webhook.statuses or ()))
        self._row = f"webhook {webhook.name}"
        self._pool = urllib3.PoolManager(
            maxsize=1, retries=False, timeout=Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
        )
        self._bell = threading.Event()
        self._is_stopping = threading.Event()
        self._position = self._saved = Position(0)
        self._saved_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"webhook {webhook.name}", daemon=True)

    def ring(self) -> None:
        """There may be new history."""
        self._bell.set()

    def start(self) -> None:
        """Begin where the webhook stopped, or with the next event if it is new. Waits for the engine."""
        self._position = self._saved = self._engine.call(self._begin).result()
        self._thread.start()

    def stop(self) -> None:
        """Stop posting and keep how far it got; to be called before the engine stops."""
        self._is_stopping.set()
        self._bell.set()
        self._thread.join(STOP_SECONDS)

    def _begin(self, tx: Transaction) -> Position:
        newest = tx.history.newest()
        found = Position.parse(tx.engine_state.get(self._row) or "")
        if found is not None and found.last_passed <= newest:
            return found
        if found is not None:
            log.warning("webhook %s stood behind the newest event, as of other records: it begins anew", self._name)
        tx.engine_state.set(self._row, str(Position(newest)))
        return Position(newest)

    @property
    def _name(self) -> str:
        return self._webhook.name

    # ------------------------------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                self._post_what_is_new()
                self._save()
                self._bell.wait(None if self._position == self._saved else SAVE_SECONDS)
            except Exception:
                if self._is_stopping.is_set():
                    return
                log.exception("webhook %s: its events could not be read; they are tried again", self._name)
                self._is_stopping.wait(FIRST_PAUSE_SECONDS)
        with contextlib.suppress(RuntimeError):  # the engine was quicker; the last few are posted again
            self._save(at_once=True)

    def _post_what_is_new(self) -> None:
        is_last = False
        while not is_last and not self._is_stopping.is_set():
            self._bell.clear()
            with self._database.read() as tx:
                page = self._feed.read(tx, self._position)
            if page.forgotten is not None:
                log.error("webhook %s was too late: events before %s are forgotten", self._name, page.forgotten)
            for event in page.events:
                if not self._deliver(event):
                    return
                self._position = event.position
                self._save()
            self._position, is_last = page.position, page.is_last

    def _save(self, *, at_once: bool = False) -> None:
        """Keep how far it got, if that is due."""
        now = time.monotonic()
        if self._position == self._saved or not (at_once or now - self._saved_at >= SAVE_SECONDS):
            return
        position = self._position
        self._engine.call(lambda tx: tx.engine_state.set(self._row, str(position))).result()
        self._saved, self._saved_at = position, now

    # ------------------------------------------------------------------------------------------ one event

    def _deliver(self, event: JobEvent) -> bool:
        """Post an event until it is taken; False if the server stops before."""
        pause, tries = FIRST_PAUSE_SECONDS, 0
        while not self._is_stopping.is_set():
            trouble, retry_after = self._post(event)
            tries += 1
            if trouble is None:
                if tries > 1:
                    log.info("webhook %s takes events again, after %d tries", self._name, tries)
                return True
            seconds = max(pause, min(retry_after, RETRY_AFTER_SECONDS_MAX))
            log.warning(
                "webhook %s did not take event %s (%s); again in %g s, %d changes wait",
                self._name, event.position, trouble, seconds, self._behind(),
            )  # fmt: skip
            self._is_stopping.wait(seconds)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
        return False

    def _post(self, event: JobEvent) -> tuple[str | None, float]:
        """What went wrong, None if nothing did, and how many seconds the receiver asks to be left alone."""
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": event.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._webhook.key, event.event_id, timestamp, event.body),
        }
        try:
            answer = self._pool.request(
                "POST", self._webhook.url, body=event.body, headers=headers, redirect=False, preload_content=False
            )
            if len(answer.read(ANSWER_BYTES, decode_content=False)) < ANSWER_BYTES:
                answer.release_conn()
            else:
                answer.close()  # what is left of it would stand before the next answer
        except HTTPError as problem:
            return type(problem).__name__, 0.0
        if 200 <= answer.status < 300:
            return None, 0.0
        return f"status {answer.status}", _retry_after(answer)

    def _behind(self) -> int:
        with self._database.read() as tx:
            return tx.history.newest() - self._position.last_passed


def _retry_after(answer: urllib3.BaseHTTPResponse) -> float:
    try:
        return Retry().get_retry_after(answer) or 0.0
    except InvalidHeader:
        return 0.0
