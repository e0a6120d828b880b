"""Conditions on names, as the filters of list operations understand them."""

from collections.abc import Sequence
from typing import Any

Condition = tuple[str, Sequence[Any]]
"""A text for WHERE, made by this room alone, and the values for its question marks."""


def name_matches(column: str, pattern: str) -> Condition:
    """Equality without regard to case; a trailing `*` makes it a prefix. `column` is one of ours."""
    if pattern.endswith("*"):
        return f"{column} LIKE ? ESCAPE '\\'", (_escaped(pattern[:-1]) + "%",)
    return f"{column} = ? COLLATE NOCASE", (pattern,)


def any_of(conditions: Sequence[Condition]) -> Condition:
    """At least one of these, of which there is one."""
    return f"({' OR '.join(text for text, _ in conditions)})", [v for _, values in conditions for v in values]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
