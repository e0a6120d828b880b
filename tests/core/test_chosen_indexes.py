"""Arrays whose children stand for chosen children of another."""

import pytest

from batchyard.core.chosen_indexes import ChosenIndexes, chosen_indexes
from batchyard.core.intervals import Indexes


def test_each_position_stands_for_an_index() -> None:
    chosen = chosen_indexes("3,7,10-12/100")
    assert chosen is not None
    assert chosen.size == 100
    assert [chosen.at(position) for position in range(5)] == [3, 7, 10, 11, 12]
    with pytest.raises(IndexError):
        chosen.at(5)


def test_what_is_written_is_read() -> None:
    chosen = ChosenIndexes(Indexes.of([0, 1, 2, 5, 9_999]), 10_000)
    assert str(chosen) == "0-2,5,9999/10000"
    assert chosen_indexes(str(chosen)) == chosen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "/9",
        "3,/9",
        "3-/9",
        "a/9",
        "7,3/9",
        "3,3/9",
        "5-4/9",
        "9/9",
        "3/0",
        " 3/9",
        "3/9\n",
        "-1/9",
        "3/12345678",
    ],
)
def test_anything_else_is_nobodys_choice(text: str) -> None:
    assert chosen_indexes(text) is None
