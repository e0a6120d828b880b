"""Sets of array indexes as intervals, so that ten thousand equal children cost what one costs.

A set is kept as disjoint, sorted, inclusive spans that never touch: `((0, 4), (7, 7))` is {0, 1, 2, 3, 4, 7}. Every
operation takes time in the number of spans, not in the number of indexes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Indexes:
    """An immutable set of array indexes."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def span(cls, first: int, last: int) -> "Indexes":
        """The indexes from `first` to `last`, both included; empty if `last` comes before `first`."""
        return cls(((first, last),)) if first <= last else NOTHING

    @classmethod
    def of(cls, indexes: Iterable[int]) -> "Indexes":
        """The set of single indexes, in any order, repetitions allowed."""
        return cls.of_spans((i, i) for i in indexes)

    @classmethod
    def of_spans(cls, spans: Iterable[Span]) -> "Indexes":
        """The union of spans, in any order."""
        return cls(tuple(_merge(sorted(spans))))

    @classmethod
    def parse(cls, text: str) -> "Indexes":
        """Read what `str` writes: `0-4,7`; the empty text is the empty set."""
        spans = []
        for part in text.split(",") if text else ():
            first, _, last = part.partition("-")
            spans.append((int(first), int(last or first)))
        return cls(tuple(spans))

    def __str__(self) -> str:
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in self.spans)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __len__(self) -> int:
        return sum(b - a + 1 for a, b in self.spans)

    def __iter__(self) -> Iterator[int]:
        for a, b in self.spans:
            yield from range(a, b + 1)

    def __contains__(self, index: int) -> bool:
        return any(a <= index <= b for a, b in self.spans)

    def __or__(self, other: "Indexes") -> "Indexes":
        if not other.spans:
            return self
        if not self.spans:
            return other
        return Indexes(tuple(_merge(sorted(self.spans + other.spans))))

    def __and__(self, other: "Indexes") -> "Indexes":
        found: list[Span] = []
        mine, theirs = iter(self.spans), iter(other.spans)
        a, b = next(mine, None), next(theirs, None)
        while a is not None and b is not None:
            first, last = max(a[0], b[0]), min(a[1], b[1])
            if first <= last:
                found.append((first, last))
            if a[1] < b[1]:
                a = next(mine, None)
            else:
                b = next(theirs, None)
        return Indexes(tuple(found))

    def __sub__(self, other: "Indexes") -> "Indexes":
        found: list[Span] = []
        cuts = other.spans
        position = 0
        for first, last in self.spans:
            while position < len(cuts) and cuts[position][1] < first:
                position += 1
            at = position
            while at < len(cuts) and cuts[at][0] <= last:
                if first < cuts[at][0]:
                    found.append((first, cuts[at][0] - 1))
                first = max(first, cuts[at][1] + 1)
                at += 1
            if first <= last:
                found.append((first, last))
        return Indexes(tuple(found))

    def shifted(self, by: int, size: int) -> "Indexes":
        """Every index moved by `by`, and what falls outside 0 to size - 1 dropped."""
        moved = Indexes(tuple((a + by, b + by) for a, b in self.spans))
        return moved & Indexes.span(0, size - 1)


NOTHING = Indexes()


def _merge(spans: Iterable[Span]) -> Iterator[Span]:
    """Join sorted spans that overlap or touch."""
    current: Span | None = None
    for span in spans:
        if current is None:
            current = span
        elif span[0] <= current[1] + 1:
            if span[1] > current[1]:
                current = (current[0], span[1])
        else:
            yield current
            current = span
    if current is not None:
        yield current
