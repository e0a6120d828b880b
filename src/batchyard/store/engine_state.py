"""What the engine itself must not forget: how far it has read an executor's journal."""

from batchyard.store.statements import Statements


class EngineState:
    """A few named values, written in the transaction whose effects they describe."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def get(self, key: str) -> str | None:
        """The value, or None if it was never set."""
        value: str | None = self._run("SELECT value FROM engine_state WHERE key = ?", (key,)).scalar()
        return value

    def set(self, key: str, value: str) -> None:
        """Set the value."""
        self._run("INSERT OR REPLACE INTO engine_state (key, value) VALUES (?, ?)", (key, value))
