"""Pages of a list: where the last one ended travels in the token, and only we can write one.

A page goes on behind the last thing shown (keyset), so it costs the same wherever it is and nothing is skipped or
shown twice while rows come and go. The token is signed over the operation and its filters: one that was changed, or
taken from another question, is refused.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from batchyard.api.context import Context
from batchyard.core import refusals
from batchyard.core.refusals import Refusal

T = TypeVar("T")

_SIGNATURE_BYTES = 16
_json = msgspec.json.Encoder(order="deterministic")


class Page:
    """One page of a list operation.

    `limit` is how many to show, `after` the position given to `answer` for the page before (None on the first one).
    Fetch `fetch` of them: one more than is shown tells whether there is a next page.
    """

    def __init__(
        self,
        context: Context,
        operation: str,
        request: Mapping[str, Any],
        *,
        filters: Sequence[str] = (),
        limit_member: str = "maxResults",
        largest: int = 100,
        refuse_token: Callable[[], Refusal] = refusals.next_token_invalid,
    ) -> None:
        """`filters` are the members that make the question what it is.

        A number above `largest` is taken as `largest`; raises Refusal for less than 1 and for a foreign token.
        """
        self._key = context.settings.token_key
        self._question = _json.encode([operation, {member: request.get(member) for member in filters}])
        limit = request.get(limit_member)
        if limit is not None and limit < 1:
            raise refusals.max_results_too_small()
        self.limit = min(limit or largest, largest)
        self.fetch = self.limit + 1
        token = request.get("nextToken")
        self.after: Any = self._read(token, refuse_token) if token else None

    def answer(
        self, member: str, found: Sequence[T], show: Callable[[T], Any], position: Callable[[T], Any]
    ) -> dict[str, Any]:
        """The answer of the operation: what was found, shown under `member`, and nextToken unless it is the last."""
        shown = found[: self.limit]
        answer: dict[str, Any] = {member: [show(each) for each in shown]}
        if len(found) > self.limit:
            answer["nextToken"] = self.token(position(shown[-1]))
        return answer

    def token(self, position: Any) -> str:
        """The nextToken of a page that ended at this position, any JSON value."""
        body = _json.encode(position)
        return base64.urlsafe_b64encode(self._signature(body) + body).decode()

    def _read(self, token: str, refuse: Callable[[], Refusal]) -> Any:
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii"))
        except (binascii.Error, ValueError):
            raise refuse() from None
        if base64.urlsafe_b64encode(raw).decode() != token:  # the decoder passes over characters that it does not know
            raise refuse()
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise refuse()
        return msgspec.json.decode(body)

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self._key, self._question + b"\0" + body, hashlib.sha256)[:_SIGNATURE_BYTES]
