"""The pictures and tables of docs/states.md, drawn from the transition tables of core.lifecycle."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import pages

from batchyard.core import events, lifecycle
from batchyard.core.jobs import JobStatus

PAGE = pages.DOCS / "states.md"
JOB_PICTURE = pages.DOCS / "images" / "job-states.svg"
PARENT_PICTURE = pages.DOCS / "images" / "array-parent-states.svg"

Transitions = Mapping[type[events.Event], lifecycle.Targets]
Edges = Mapping[tuple[JobStatus, JobStatus], list[str]]

BOX_WIDTH, BOX_HEIGHT, PITCH, MARGIN = 130, 44, 112, 20
LANE_WIDTH, GAP, LINE_HEIGHT = 165, 290, 14
LABEL_CHARACTERS = 40

STYLE = """<style>
text { font-family: sans-serif; font-size: 12px; fill: #333; }
.status { font-weight: bold; text-anchor: middle; }
.box { fill: #e8eef7; stroke: #4a6fa5; }
.good { fill: #e3f1e4; stroke: #4b8b52; }
.bad { fill: #f8e4e2; stroke: #b0564c; }
.way { fill: none; stroke: #777; marker-end: url(#tip); }
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0,0 L8,4 L0,8 z" fill="#777"/></marker></defs>"""


def files() -> dict[Path, str]:
    """The page with its tables, and its pictures."""
    text = pages.with_part(PAGE.read_text(), "job", _table(lifecycle.TRANSITIONS))
    text = pages.with_part(text, "parent", _table(lifecycle.PARENT_TRANSITIONS))
    return {
        PAGE: text,
        JOB_PICTURE: Picture(_edges(lifecycle.TRANSITIONS), "The states of a job").svg(),
        PARENT_PICTURE: Picture(_edges(lifecycle.PARENT_TRANSITIONS), "The states of an array's parent").svg(),
    }


def _table(transitions: Transitions) -> str:
    rows = []
    for event, ways in transitions.items():
        for source, targets in ways.items():
            led = ", ".join(status.value for status in JobStatus if status in targets)
            rows.append((f"`{event.__name__}`", source.value, "unchanged" if led == source.value else led))
    legend = [(f"`{event.__name__}`", pages.first_sentence(event.__doc__)) for event in transitions]
    return f"{pages.table(('Event', 'Met in', 'Leads to'), rows)}\n\n{pages.table(('Event', 'What happened'), legend)}"


def _edges(transitions: Transitions) -> Edges:
    """The events by the two statuses between which they lead; what changes no status is in the table alone."""
    edges: dict[tuple[JobStatus, JobStatus], list[str]] = {}
    for event, ways in transitions.items():
        for source, targets in ways.items():
            for target in sorted(targets - {source}):
                edges.setdefault((source, target), []).append(event.__name__)
    return edges


class Picture:
    """Statuses from top to bottom, FAILED on the right, and on the left whatever skips a status or goes back."""

    def __init__(self, edges: Edges, title: str) -> None:
        self._edges = edges
        self._title = title
        used = {status for edge in edges for status in edge}
        self._column: list[JobStatus] = [
            status for status in JobStatus if status in used and status is not JobStatus.FAILED
        ]
        self._lanes = self._assign_lanes()
        self._left = MARGIN + LANE_WIDTH * (1 + max(self._lanes.values(), default=-1))
        self._right = self._left + BOX_WIDTH
        self._parts: list[str] = []

    def svg(self) -> str:
        """The whole file."""
        for (source, target), names in self._edges.items():
            self._draw(source, target, names)
        for row, status in enumerate(self._column):
            kind = "good" if status is JobStatus.SUCCEEDED else "box"
            self._box(status, self._left, MARGIN + row * PITCH, BOX_HEIGHT, kind)
        rows = [self._row(source) for source, target in self._edges if target is JobStatus.FAILED]
        height = (max(rows) - min(rows)) * PITCH + BOX_HEIGHT
        self._box(JobStatus.FAILED, self._right + GAP, MARGIN + min(rows) * PITCH, height, "bad")
        size = f"{self._right + GAP + BOX_WIDTH + MARGIN} {len(self._column) * PITCH - PITCH + BOX_HEIGHT + 2 * MARGIN}"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img">'
        ground = '<rect width="100%" height="100%" fill="#fff"/>'
        return "\n".join([head, f"<title>{escape(self._title)}</title>", STYLE, ground, *self._parts, "</svg>", ""])

    def _row(self, status: JobStatus) -> int:
        return self._column.index(status)

    def _middle(self, status: JobStatus) -> int:
        return MARGIN + self._row(status) * PITCH + BOX_HEIGHT // 2

    def _assign_lanes(self) -> dict[tuple[JobStatus, JobStatus], int]:
        """For each edge on the left, the nearest lane that is free along the rows that it passes."""
        lanes: dict[tuple[JobStatus, JobStatus], int] = {}
        taken: list[list[tuple[int, int]]] = []
        leftward = [edge for edge in self._edges if edge[1] is not JobStatus.FAILED and not self._is_step(*edge)]
        for edge in sorted(leftward, key=lambda edge: (abs(self._row(edge[0]) - self._row(edge[1])), edge)):
            first, last = sorted(map(self._row, edge))
            lane = next(
                (n for n, spans in enumerate(taken) if all(last <= a or first >= b for a, b in spans)), len(taken)
            )
            if lane == len(taken):
                taken.append([])
            taken[lane].append((first, last))
            lanes[edge] = lane
        return lanes

    def _is_step(self, source: JobStatus, target: JobStatus) -> bool:
        return self._row(target) == self._row(source) + 1

    def _draw(self, source: JobStatus, target: JobStatus, names: list[str]) -> None:
        if target is JobStatus.FAILED:
            y = self._middle(source)
            self._way(f"M{self._right},{y} H{self._right + GAP}")
            lines = _lines(names)
            self._label(self._right + 10, y - 6 - LINE_HEIGHT * (len(lines) - 1), lines, "start")
        elif self._is_step(source, target):
            x, y = self._left + BOX_WIDTH // 2, self._middle(source) + BOX_HEIGHT // 2
            self._way(f"M{x},{y} V{y + PITCH - BOX_HEIGHT}")
            self._label(x + 8, y + (PITCH - BOX_HEIGHT) // 2 + 4, [", ".join(names)], "start")
        else:
            self._draw_lane(source, target, names)

    def _draw_lane(self, source: JobStatus, target: JobStatus, names: list[str]) -> None:
        x = self._left - 24 - LANE_WIDTH * self._lanes[source, target]
        down = self._row(target) > self._row(source)
        start, end = self._middle(source) + (8 if down else -8), self._middle(target) + (-8 if down else 8)
        self._way(f"M{self._left},{start} H{x} V{end} H{self._left}")
        beside_the_first_gap = self._middle(source) + (PITCH if down else -PITCH) // 2 + 4
        self._label(x - 6, beside_the_first_gap - LINE_HEIGHT * (len(names) - 1) // 2, names, "end")

    def _box(self, status: JobStatus, x: int, y: int, height: int, kind: str) -> None:
        self._parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{height}" rx="6"/>')
        middle = f'x="{x + BOX_WIDTH // 2}" y="{y + height // 2 + 4}"'
        self._parts.append(f'<text class="status" {middle}>{status.value}</text>')

    def _way(self, path: str) -> None:
        self._parts.append(f'<path class="way" d="{path}"/>')

    def _label(self, x: int, y: int, lines: list[str], anchor: str) -> None:
        for number, line in enumerate(lines):
            place = f'x="{x}" y="{y + number * LINE_HEIGHT}" text-anchor="{anchor}"'
            self._parts.append(f"<text {place}>{escape(line)}</text>")


def _lines(names: list[str]) -> list[str]:
    """The names, with commas, in lines that fit above an arrow to FAILED."""
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1]) + len(name) < LABEL_CHARACTERS:
            lines[-1] += f", {name}"
        else:
            lines.append(name)
    return lines
