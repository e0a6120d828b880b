"""Rows of tags, keyed by the ARN's tail (`job-queue/default`): the ARN's region is the caller's and changes nothing."""

from collections.abc import Iterable, Mapping

from batchyard.store.statements import Statements, slices

_EXISTS = {
    "job": "SELECT 1 FROM jobs WHERE job_id = ? AND definition_id IS NOT NULL",
    "service-job": "SELECT 1 FROM jobs WHERE job_id = ? AND definition_id IS NULL",
    "job-queue": "SELECT 1 FROM job_queues WHERE name = ?",
    "compute-environment": "SELECT 1 FROM compute_environments WHERE name = ?",
    "scheduling-policy": "SELECT 1 FROM scheduling_policies WHERE name = ?",
    "consumable-resource": "SELECT 1 FROM consumable_resources WHERE name = ?",
    "service-environment": "SELECT 1 FROM service_environments WHERE name = ?",
    "quota-share": "SELECT 1 FROM quota_shares WHERE name = ?",
    "job-definition": "SELECT 1 FROM job_definitions WHERE name = ? AND revision = ?",
}


class Tags:
    """The door to them, on one connection. A `resource` is always a tail."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, resource: str) -> dict[str, str]:
        """The tags of one resource, by key; empty if it has none or does not exist."""
        rows = self._statements.run("SELECT key, value FROM tags WHERE resource = ? ORDER BY key", (resource,))
        return {row[0]: row[1] for row in rows}

    def get_many(self, resources: Iterable[str]) -> dict[str, dict[str, str]]:
        """The tags of several resources; each is a key of the answer."""
        found: dict[str, dict[str, str]] = {resource: {} for resource in resources}
        for marks, values in slices(list(found)):
            statement = f"SELECT resource, key, value FROM tags WHERE resource IN ({marks}) ORDER BY resource, key"
            for resource, key, value in self._statements.run(statement, values):
                found[resource][key] = value
        return found

    def put(self, resource: str, tags: Mapping[str, str]) -> None:
        """Add these tags, over those of the same keys."""
        if tags:
            self._statements.run(
                "INSERT INTO tags (resource, key, value) VALUES (?, ?, ?)"
                " ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value",
                [(resource, key, value) for key, value in tags.items()],
            )

    def remove(self, resource: str, keys: Iterable[str]) -> None:
        """Remove the tags of these keys; those that are not there do not matter."""
        if rows := [(resource, key) for key in keys]:
            self._statements.run("DELETE FROM tags WHERE resource = ? AND key = ?", rows)

    def delete(self, resource: str) -> None:
        """Remove all tags of a resource that goes."""
        self._statements.run("DELETE FROM tags WHERE resource = ?", (resource,))

    def resource_exists(self, resource: str) -> bool:
        """Whether a resource of this tail exists and is of a kind that bears tags."""
        kind, _, name = resource.partition("/")
        if kind not in _EXISTS:
            return False
        values = tuple(name.rsplit(":", 1)) if kind == "job-definition" else (name,)
        return self._statements.run(_EXISTS[kind], values).first() is not None
