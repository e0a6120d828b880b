"""The pictures: well-formed, true to the record, and those of the documentation current."""

import re
from functools import cache
from statistics import mean
from xml.etree import ElementTree

from batchyard.simulator.charts import charts
from batchyard.simulator.record import Record
from batchyard.simulator.replay import replay
from batchyard.simulator.summary import summary
from batchyard.simulator.swf import Trace, read_trace
from batchyard.simulator.yard import read_yard
from tests.docs.repository import DOCS, ROOT
from tests.simulator.paper import FAIR, job, yard

SHIPPED = ROOT / "examples" / "scheduling"


def points(element: ElementTree.Element) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in re.findall(r"(\d+),(\d+)", element.attrib["points"])]


def test_a_picture_shows_who_has_the_machine() -> None:
    """user1 has all of it for the first half, user2 half of it for the second."""
    record = replay(Trace([job(1, 0, 100, 4, user=1), job(2, 100, 100, 2, user=2)]), yard(FAIR))
    root = ElementTree.fromstring(charts([record])["shares.svg"])
    first, second = root.iter("{http://www.w3.org/2000/svg}polygon")
    bottom = max(y for _, y in points(first))
    top = min(y for _, y in points(first))
    steps = len(points(first)) // 2
    assert points(first)[0][1] == top, "the whole machine at the beginning"
    assert points(first)[steps - 1][1] == bottom, "nothing in the end"
    assert points(second)[steps - 1][1] == (top + bottom) / 2, "half of the machine in the end"


def test_an_empty_replay_can_be_drawn() -> None:
    for picture in charts([replay(Trace(()), yard())]).values():
        ElementTree.fromstring(picture)


@cache
def shipped() -> tuple[Record, ...]:
    """What `make sim-scheduling` replays."""
    trace = read_trace((SHIPPED / "day.swf").read_text().splitlines())
    names = ("fifo", "fair-share", "reservation", "priorities")
    return tuple(replay(trace, read_yard(name, (SHIPPED / f"{name}.toml").read_text(), trace)) for name in names)


def test_the_pictures_of_the_documentation_are_current() -> None:
    for name, picture in charts(shipped()).items():
        assert (DOCS / "images" / "scheduling" / name).read_text() == picture, f"{name}: run `make sim-scheduling`"


def test_the_numbers_of_the_documentation_are_current() -> None:
    page = (DOCS / "scheduling-simulator.md").read_text()
    for record in shipped():
        found = summary(record)
        assert found.holds
        waits = " | ".join(f"{mean_wait(record, user):.0f} min" for user in ("user", "user1", "user4"))
        row = f"| {found.yard} | {found.utilization:.1%} | {found.makespan_seconds / 3600:.1f} h | {waits} |"
        assert row in page


def mean_wait(record: Record, share: str) -> float:
    """In minutes, of the shares whose names begin so."""
    return mean(run.waited_millis / 60_000 for run in record.runs if run.share_identifier.startswith(share))
