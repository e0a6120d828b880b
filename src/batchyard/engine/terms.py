"""What jobs were submitted as, kept for those that are being worked on.

Terms never change, so a copy never lies, unless the transaction that wrote them is undone.
"""

from collections import OrderedDict

from batchyard.core.ids import JobSeq
from batchyard.core.jobs import Terms
from batchyard.store.transaction import Transaction

KEPT_MAX = 512


class TermsCache:
    """The most recently used terms. Used by the engine's thread alone."""

    def __init__(self) -> None:
        self._terms: OrderedDict[JobSeq, Terms] = OrderedDict()

    def get(self, tx: Transaction, seq: JobSeq) -> Terms:
        """The terms of a job that exists."""
        found = self._terms.get(seq)
        if found is None:
            found = tx.jobs.terms(seq)
            self.put(seq, found)
        else:
            self._terms.move_to_end(seq)
        return found

    def put(self, seq: JobSeq, terms: Terms) -> None:
        """Keep the terms of a job that has just been recorded."""
        self._terms[seq] = terms
        if len(self._terms) > KEPT_MAX:
            self._terms.popitem(last=False)

    def clear(self) -> None:
        """Forget all: a transaction was undone, and the numbers it gave will be given to other jobs."""
        self._terms.clear()

    def peek(self, seq: JobSeq) -> Terms | None:
        """The terms, if they are kept."""
        return self._terms.get(seq)
