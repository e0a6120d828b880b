"""Replays as pictures: what is in use and what waits, and whose it is, over time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import cycle

from batchyard.core.ids import Millis
from batchyard.simulator.record import Record, Run
from batchyard.simulator.usage_curves import UsageCurve, demand_of, usage_of

_STEPS = 160
_SHARES_MAX = 8
_OTHERS = "others"
_LEFT, _TOP, _WIDTH, _HEIGHT, _GAP, _LEGEND = 56, 40, 640, 130, 44, 150
_COLOURS = ("#4a6fa5", "#d08c3c", "#4b8b52", "#b0564c", "#7d65a3", "#8a6d5a", "#3f9a9c", "#c27ba0", "#9a9a9a")
_HOUR_MILLIS = 3_600_000
_STYLE = """text { font-family: sans-serif; font-size: 12px; fill: #333; }
.title { font-weight: bold; }
.right { text-anchor: end; }
.middle { text-anchor: middle; }
.grid { stroke: #ddd; }
.bound { stroke: #333; stroke-dasharray: 4 3; }
.line { fill: none; stroke-width: 1.5; }"""


@dataclass(frozen=True, slots=True)
class _Panel:
    """A diagram. values: of each series, one for each step of time. stacked: one on top of the other, filled."""

    title: str
    series: Mapping[str, Sequence[float]]
    colours: Mapping[str, str]
    stacked: bool = False
    bound: float | None = None


def charts(records: Sequence[Record]) -> dict[str, str]:
    """SVG files by name: `utilization.svg` compares the replays, `shares.svg` shows who had the machine in each."""
    end = Millis(max([1, *(record.ends_at for record in records)]))
    vcpus = max(record.yard.machine.vcpus for record in records)
    in_use = {record.yard.name: _means(usage_of(record.runs), end) for record in records}
    demand = {record.yard.name: _means(demand_of(record.runs), end) for record in records}
    waiting = {name: [d - u for d, u in zip(demand[name], in_use[name], strict=True)] for name in demand}
    yards, shares = _coloured(in_use), _coloured((*_named(records), _OTHERS))
    compared = [
        _Panel("vCPUs in use", in_use, yards, bound=vcpus),
        _Panel("vCPUs that waiting jobs need", waiting, yards),
    ]
    shared = [
        _Panel(f"{record.yard.name}: vCPUs in use, by share", _by_share(record, shares, end), shares, True, vcpus)
        for record in records
    ]
    return {
        "utilization.svg": _drawing("Utilization", compared, end),
        "shares.svg": _drawing("Who has the machine", shared, end),
    }


def _means(curve: UsageCurve, end: Millis) -> list[float]:
    """What was used in each step of time, on average."""
    bounds = [end * step // _STEPS for step in range(_STEPS + 1)]
    totals = [curve.until(Millis(at)) for at in bounds]
    return [1000 * (totals[n + 1] - totals[n]) / max(1, bounds[n + 1] - bounds[n]) for n in range(_STEPS)]


def _coloured(names: Iterable[str]) -> dict[str, str]:
    return dict(zip(names, cycle(_COLOURS), strict=False))


def _named(records: Sequence[Record]) -> list[str]:
    """The shares that used most, by name; the rest is drawn as one."""
    used: dict[str, float] = {}
    for record in records:
        for run in record.runs:
            used[run.share_identifier] = used.get(run.share_identifier, 0.0) + run.vcpu_seconds
    return sorted(sorted(used, key=lambda share: -used[share])[:_SHARES_MAX], key=lambda share: (len(share), share))


def _by_share(record: Record, names: Iterable[str], end: Millis) -> dict[str, list[float]]:
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for run in record.runs:
        runs[run.share_identifier if run.share_identifier in runs else _OTHERS].append(run)
    return {name: _means(usage_of(found), end) for name, found in runs.items() if found}


def _drawing(title: str, panels: Sequence[_Panel], end: Millis) -> str:
    height = _TOP + len(panels) * (_HEIGHT + _GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + _LEGEND} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_STYLE}\n</style>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for place, panel in enumerate(panels):
        lines += _panel(panel, _TOP + place * (_HEIGHT + _GAP), end)
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: _Panel, top: int, end: Millis) -> list[str]:
    columns = zip(*panel.series.values(), strict=True)
    highest: float = max(
        [panel.bound or 0.0, 1.0, *(sum(column) if panel.stacked else max(column) for column in columns)]
    )

    def y(value: float) -> int:
        return round(top + _HEIGHT * (1 - value / highest))

    lines = [f'<text class="title" x="{_LEFT}" y="{top - 10}">{escape(panel.title)}</text>']
    lines += _axes(top, end, highest)
    below = [0.0] * _STEPS
    for place, (name, values) in enumerate(panel.series.items()):
        colour = panel.colours[name]
        if panel.stacked:
            above = [low + value for low, value in zip(below, values, strict=True)]
            outline = _points(above, y) + list(reversed(_points(below, y)))
            lines.append(f'<polygon fill="{colour}" points="{" ".join(outline)}"/>')
            below = above
        else:
            points = " ".join(_points(values, y))
            lines.append(f'<polyline class="line" stroke="{colour}" points="{points}"/>')
        lines.append(
            f'<rect x="{_LEFT + _WIDTH + 12}" y="{top + 14 * place}" width="10" height="10" fill="{colour}"/>'
            f'<text x="{_LEFT + _WIDTH + 28}" y="{top + 14 * place + 9}">{escape(name)}</text>'
        )
    if panel.bound is not None:
        lines.append(f'<path class="bound" d="M{_LEFT},{y(panel.bound)} h{_WIDTH}"/>')
    return lines


def _points(values: Sequence[float], y: Callable[[float], int]) -> list[str]:
    return [f"{_LEFT + round(_WIDTH * (n + 0.5) / _STEPS)},{y(value)}" for n, value in enumerate(values)]


def _axes(top: int, end: Millis, highest: float) -> list[str]:
    lines = []
    for value in (0.0, highest / 2, highest):
        y = round(top + _HEIGHT * (1 - value / highest))
        lines.append(f'<path class="grid" d="M{_LEFT},{y} h{_WIDTH}"/>')
        lines.append(f'<text class="right" x="{_LEFT - 6}" y="{y + 4}">{value:,.0f}</text>')
    hours = end / _HOUR_MILLIS
    step = next((s for s in (0.25, 0.5, 1, 2, 4, 6, 12, 24, 48, 168) if hours / s <= 12), hours)
    for number in range(int(hours / step) + 1):
        x = round(_LEFT + _WIDTH * number * step / hours)
        lines.append(f'<text class="middle" x="{x}" y="{top + _HEIGHT + 16}">{number * step:g} h</text>')
    return lines
