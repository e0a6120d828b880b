"""Indexes behave as Python's own sets do."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from batchyard.core.intervals import Indexes

sets = st.sets(st.integers(0, 60))


def well_formed(indexes: Indexes) -> bool:
    return all(a <= b for a, b in indexes.spans) and all(b + 1 < c for (_, b), (c, _) in pairwise(indexes.spans))


@given(sets, sets)
def test_algebra(left: set[int], right: set[int]) -> None:
    mine, theirs = Indexes.of(left), Indexes.of(right)
    for found, wanted in ((mine | theirs, left | right), (mine & theirs, left & right), (mine - theirs, left - right)):
        assert set(found) == wanted
        assert well_formed(found)
        assert found == Indexes.of(wanted)


@given(sets, st.integers(-70, 70), st.integers(0, 70))
def test_shifting(given_: set[int], by: int, size: int) -> None:
    moved = Indexes.of(given_).shifted(by, size)
    assert set(moved) == {index + by for index in given_ if 0 <= index + by < size}
    assert well_formed(moved)


@given(sets)
def test_text_length_and_membership(given_: set[int]) -> None:
    indexes = Indexes.of(given_)
    assert Indexes.parse(str(indexes)) == indexes
    assert len(indexes) == len(given_)
    assert bool(indexes) == bool(given_)
    assert all((index in indexes) == (index in given_) for index in range(-1, 62))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5))))
def test_spans_in_any_order(spans: list[tuple[int, int]]) -> None:
    indexes = Indexes.of_spans((first, first + more) for first, more in spans)
    assert set(indexes) == {index for first, more in spans for index in range(first, first + more + 1)}
    assert well_formed(indexes)
