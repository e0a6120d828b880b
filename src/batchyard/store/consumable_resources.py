"""Rows of consumable resources, and what jobs need of them.

What is in use is never counted up and down: it is what the jobs of active attempts need. Only what is used up of a
NON_REPLENISHABLE resource is written, in the transaction that begins the attempt.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.core.ids import JobSeq, Millis
from batchyard.core.resources import NON_REPLENISHABLE, ConsumableResource
from batchyard.store.name_patterns import Condition
from batchyard.store.statements import Statements

_IN_USE = (
    "(SELECT coalesce(sum(need.quantity), 0) FROM attempts CROSS JOIN consumable_needs AS need"
    " ON need.job_seq = attempts.job_seq AND need.resource = consumable_resources.name"
    " WHERE attempts.stopped_at IS NULL)"
)
_SELECT = f"SELECT id, name, resource_type, quantity, {_IN_USE}, created_at FROM consumable_resources"
_USE_UP = (
    "UPDATE consumable_resources SET quantity = quantity + ? * (SELECT need.quantity FROM consumable_needs AS need"
    " WHERE need.resource = consumable_resources.name AND need.job_seq = ?)"
    f" WHERE resource_type = '{NON_REPLENISHABLE}'"
    " AND name IN (SELECT resource FROM consumable_needs WHERE job_seq = ?)"
)


class ConsumableResources:
    """The door to them, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def get(self, name: str) -> ConsumableResource | None:
        """The one of this name, with what active attempts hold of it."""
        row = self._run(f"{_SELECT} WHERE name = ?", (name,)).one_or_none()
        return None if row is None else _resource(row)

    def exists(self, name: str) -> bool:
        """Whether there is one of this name; one index look-up."""
        return self._run("SELECT 1 FROM consumable_resources WHERE name = ?", (name,)).first() is not None

    def page(self, conditions: Sequence[Condition], after: int, limit: int) -> list[ConsumableResource]:
        """At most `limit`, oldest first, of those with a greater id than `after` that meet all conditions."""
        where = " AND ".join([*(text for text, _ in conditions), "id > ?"])
        values = [*(value for _, values in conditions for value in values), after, limit]
        return [_resource(row) for row in self._run(f"{_SELECT} WHERE {where} ORDER BY id LIMIT ?", tuple(values))]

    def count(self) -> int:
        """How many there are."""
        return int(self._run("SELECT count(*) FROM consumable_resources").scalar_one())

    def insert(self, name: str, resource_type: str, quantity: int, created_at: Millis) -> None:
        """Add one; the name must be free."""
        self._run(
            "INSERT INTO consumable_resources (name, resource_type, quantity, created_at) VALUES (?, ?, ?, ?)",
            (name, resource_type, quantity, created_at),
        )

    def update(self, resource: ConsumableResource) -> None:
        """Write its quantity."""
        self._run("UPDATE consumable_resources SET quantity = ? WHERE id = ?", (resource.quantity, resource.id))

    def delete(self, name: str) -> None:
        """Remove the one of this name; jobs go on needing it."""
        self._run("DELETE FROM consumable_resources WHERE name = ?", (name,))

    # ------------------------------------------------------------------------------------------ what jobs need

    def write_needs(self, seq: JobSeq, needs: Mapping[str, int]) -> None:
        """What one attempt of a job needs, by the name of the resource."""
        if needs:
            self._run(
                "INSERT INTO consumable_needs (resource, job_seq, quantity) VALUES (?, ?, ?)",
                [(name, seq, quantity) for name, quantity in needs.items()],
            )

    def needs(self, seqs: Sequence[JobSeq]) -> dict[JobSeq, tuple[tuple[str, int], ...]]:
        """What one attempt of each of these jobs needs: names and quantities."""
        found: dict[JobSeq, tuple[tuple[str, int], ...]] = dict.fromkeys(seqs, ())
        marks = ", ".join("?" * len(seqs))
        statement = f"SELECT job_seq, resource, quantity FROM consumable_needs WHERE job_seq IN ({marks})"
        for seq, resource, quantity in self._run(statement, tuple(seqs)):
            found[seq] += ((resource, quantity),)
        return found

    def use_up(self, seq: JobSeq) -> None:
        """An attempt of this job begins: what it needs of NON_REPLENISHABLE resources is gone."""
        self._run(_USE_UP, (-1, seq, seq))

    def return_unused(self, seq: JobSeq) -> None:
        """An attempt of this job was taken back before it started: undo `use_up`."""
        self._run(_USE_UP, (1, seq, seq))

    # ------------------------------------------------------------------------------------------ client tokens

    def is_repeated(self, client_token: str, request: str, at: Millis, valid_millis: int) -> bool:
        """Whether this token came with this same request within the last `valid_millis`; else both are remembered."""
        self._run("DELETE FROM consumable_updates WHERE at <= ?", (at - valid_millis,))
        written = self._run(
            "INSERT OR IGNORE INTO consumable_updates (client_token, request, at) VALUES (?, ?, ?)",
            (client_token, request, at),
        )
        return written.rowcount == 0


def _resource(row: Any) -> ConsumableResource:
    return ConsumableResource(*row)
