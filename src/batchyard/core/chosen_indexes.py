"""Chosen children of an array, to be run once more without the others.

AWS Batch runs whole arrays only. Here an array of k children may stand for k chosen children of a larger one: its
environment holds `BATCHYARD_ARRAY_INDEXES`, such as `3,7,10-12/100`, and its children then find 3, 7, 10, 11 and 12 in
AWS_BATCH_JOB_ARRAY_INDEX, and 100 in AWS_BATCH_JOB_ARRAY_SIZE, as those of the array of 100 did. A single job stands
for one child, as `3/100`. Their ids stay those of their own array. AWS passes the variable on and does nothing else.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from batchyard.core.intervals import Indexes

VARIABLE = "BATCHYARD_ARRAY_INDEXES"

_FORM = re.compile(r"([0-9]{1,7}(?:-[0-9]{1,7})?(?:,[0-9]{1,7}(?:-[0-9]{1,7})?)*)/([0-9]{1,7})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChosenIndexes:
    """Which children of an array of `size` are meant, in rising order."""

    indexes: Indexes
    size: int

    def __str__(self) -> str:
        return f"{self.indexes}/{self.size}"

    def at(self, position: int) -> int:
        """The index that the child at `position`, counted from 0, stands for. Raises IndexError beyond the last."""
        for first, last in self.indexes.spans:
            if position <= last - first:
                return first + position
            position -= last - first + 1
        raise IndexError(position)


@lru_cache(maxsize=64)
def chosen_indexes(text: str) -> ChosenIndexes | None:
    """Read what `str` writes; None for anything else, since a job's environment may hold whatever its owner likes."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    indexes, size = Indexes.parse(form[1]), int(form[2])
    first_after_last = [-1, *(last for _, last in indexes.spans)]
    rises = all(before < first <= last for before, (first, last) in zip(first_after_last, indexes.spans, strict=False))
    return ChosenIndexes(indexes, size) if rises and first_after_last[-1] < size else None
