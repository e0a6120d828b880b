"""Sets of indexes: their text, and the corners that properties do not name."""

import pytest

from batchyard.core.intervals import NOTHING, Indexes


@pytest.mark.parametrize(
    ("indexes", "text"), [([], ""), ([3], "3"), ([4, 3, 3], "3-4"), ([0, 1, 2, 4, 7, 8], "0-2,4,7-8")]
)
def test_text_and_back(indexes: list[int], text: str) -> None:
    found = Indexes.of(indexes)
    assert str(found) == text
    assert Indexes.parse(text) == found
    assert list(found) == sorted(set(indexes))


def test_spans_that_touch_are_one() -> None:
    assert Indexes.of_spans([(5, 9), (0, 4)]).spans == ((0, 9),)
    assert (Indexes.span(0, 4) | Indexes.span(5, 9)).spans == ((0, 9),)


def test_a_span_that_ends_before_it_begins_is_nothing() -> None:
    assert Indexes.span(3, 2) == NOTHING
    assert not NOTHING


def test_shifting_drops_what_falls_outside() -> None:
    assert list(Indexes.span(0, 4).shifted(1, 5)) == [1, 2, 3, 4]
    assert list(Indexes.span(0, 4).shifted(-2, 5)) == [0, 1, 2]
