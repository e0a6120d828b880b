"""The table: on the terminal, and between two markers of docs/performance.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Figure, Result

BEGIN = "<!-- benchmarks: begin -->"
END = "<!-- benchmarks: end -->"
VERDICTS = {True: "holds", False: "missed", None: "not decided"}


def show(machine: Mapping[str, str], results: Sequence[Result]) -> None:
    """Print everything that was measured."""
    console = Console(soft_wrap=True, highlight=False)
    console.print("; ".join(f"{name} {value}" for name, value in machine.items()))
    for result in results:
        colour = {True: "green", False: "red", None: "yellow"}[result.holds]
        console.print(f"\n[bold]{result.number}[/bold] {result.title}")
        console.print(f"   [{colour}]{VERDICTS[result.holds]}[/{colour}]: {result.outcome} (target: {result.target})")
        for figure in result.figures:
            console.print(f"   [dim]{_shown(figure):>20}  {figure.name}[/dim]")


def write(page: Path, machine: Mapping[str, str], when: str, results: Sequence[Result]) -> None:
    """Put the table between the page's markers. Raises ValueError if it has none."""
    text = page.read_text()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no markers for the table")
    page.write_text(f"{head}{BEGIN}\n{markdown(machine, when, results)}\n{END}{tail}")


def markdown(machine: Mapping[str, str], when: str, results: Sequence[Result]) -> str:
    """The table, and below it the figures behind each line."""
    on = ", ".join(f"{name} {value}" for name, value in machine.items())
    lines = [
        f"Measured on {when}: {on}.",
        "",
        "| # | Measure | Target | Measured | |",
        "|---|---|---|---|---|",
        *(f"| {r.number} | {r.title} | {r.target} | {r.outcome} | {VERDICTS[r.holds]} |" for r in results),
        "",
        "The figures behind it. Absolute ones tell as much about the machine and its other guests as about Batchyard.",
        "",
        "| # | Figure | |",
        "|---|---|---|",
        *(f"| {r.number} | {figure.name} | {_shown(figure)} |" for r in results for figure in r.figures),
    ]
    return "\n".join(lines)


def _shown(figure: Figure) -> str:
    digits = 0 if abs(figure.value) >= 100 else 1 if abs(figure.value) >= 10 else 3 if abs(figure.value) < 1 else 2
    return f"{figure.value:,.{digits}f} {figure.unit}"
