"""Rows of log groups.

The default group is always there, with or without a row. A stream belongs to a group only if its attempt was placed
after the group was made: so deleting a group hides its streams, also when a group of that name is made again.
"""

from dataclasses import dataclass
from typing import Any

from batchyard.core.ids import Millis
from batchyard.core.resolved_tasks import DEFAULT_LOG_GROUP
from batchyard.store.statements import Statements


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A group; `created_at` is 0 for a default group that was never deleted."""

    name: str
    created_at: Millis


class LogGroups:
    """The door to them, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, name: str) -> LogGroup | None:
        """The one of this name."""
        found = self._statements.run("SELECT name, created_at FROM log_groups WHERE name = ?", (name,))
        row = found.one_or_none()
        if row is not None:
            return _group(row)
        return LogGroup(name, Millis(0)) if name == DEFAULT_LOG_GROUP else None

    def page(self, *, prefix: str, pattern: str, after: str, limit: int) -> list[LogGroup]:
        """At most `limit`, by name in ASCII order, of those behind `after` that start with `prefix` and hold `pattern`.

        Empty texts match everything; letters count with their case.
        """
        rows = self._statements.run(
            "SELECT name, max(created_at) FROM"
            " (SELECT name, created_at FROM log_groups UNION ALL SELECT ?, 0)"
            " WHERE name > ? AND substr(name, 1, ?) = ? AND instr(name, ?) > 0 GROUP BY name ORDER BY name LIMIT ?",
            (DEFAULT_LOG_GROUP, after, len(prefix), prefix, pattern, limit),
        )
        return [_group(row) for row in rows]

    def ensure(self, name: str, now: Millis) -> None:
        """Make the group unless it is there; the default one needs no row."""
        if name != DEFAULT_LOG_GROUP:
            self._statements.run(
                "INSERT INTO log_groups (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, now)
            )

    def delete(self, name: str, now: Millis) -> None:
        """Remove the group. The default one begins anew, at `now`."""
        self._statements.run("DELETE FROM log_groups WHERE name = ?", (name,))
        if name == DEFAULT_LOG_GROUP:
            self._statements.run("INSERT INTO log_groups (name, created_at) VALUES (?, ?)", (name, now))


def _group(row: Any) -> LogGroup:
    return LogGroup(row[0], Millis(row[1]))
