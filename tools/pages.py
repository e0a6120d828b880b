"""Pages of docs/ that are written by hand but for some parts."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def with_part(page: str, name: str, part: str) -> str:
    """The page with the text between `<!-- generated: NAME -->` and `<!-- end: NAME -->` replaced."""
    pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL)
    found, number = pattern.subn(lambda match: f"{match[1]}\n{part.strip()}\n\n{match[2]}", page)
    assert number == 1, f"the page must have exactly one part {name}"
    return found


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def first_sentence(docstring: str | None) -> str:
    """What a docstring opens with, up to the end of its first sentence, in one line."""
    text = " ".join((docstring or "").split())
    sentence = re.match(r".*?\.(?= |$)", text)
    return sentence[0] if sentence else text
