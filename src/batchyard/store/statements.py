"""Running statements on the driver's own connection.

SQLAlchemy makes the connections, their pool and the schema; the statements themselves go straight to the driver, which
keeps them prepared. Building a result object per statement would cost several times what the statement does (measured:
30 us against 5 us), and a tick runs a dozen of them.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

Row = tuple[Any, ...]
T = TypeVar("T")

_REMEMBERED_MAX = 4096


NAMED_AT_ONCE = 500
"""How many values a list in a statement may hold; SQLite has a limit, and long texts are prepared anew."""


def slices(values: Sequence[Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The values in slices that a statement can name, each with its question marks; nothing for no values."""
    for start in range(0, len(values), NAMED_AT_ONCE):
        found = tuple(values[start : start + NAMED_AT_ONCE])
        yield ", ".join("?" * len(found)), found


class Rows:
    """What a statement answers; read once."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[Row]:
        return iter(self._cursor)

    def all(self) -> list[Row]:
        """Every row that is left."""
        found: list[Row] = self._cursor.fetchall()
        return found

    def first(self) -> Row | None:
        """The first row, or None."""
        found: Row | None = self._cursor.fetchone()
        return found

    def one(self) -> Row:
        """The only row; it is a bug if there is none."""
        found = self.first()
        assert found is not None, "a row that must exist does not"
        return found

    one_or_none = first

    def scalar(self) -> Any:
        """The first column of the first row, or None."""
        found = self.first()
        return None if found is None else found[0]

    def scalar_one(self) -> Any:
        """The first column of the only row; it is a bug if there is none."""
        return self.one()[0]

    @property
    def lastrowid(self) -> int:
        """The number that the database gave to the row just inserted."""
        return int(self._cursor.lastrowid)

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""
        return int(self._cursor.rowcount)


class Statements:
    """Statements on one driver connection, which belongs to one transaction at a time.

    remembers: whether this connection alone writes, so that what few things say of themselves and many ask (queues,
    compute environments, definitions) need be read once.
    """

    __slots__ = ("_connection", "_memory")

    def __init__(self, connection: Any, *, remembers: bool = False) -> None:
        self._connection = connection
        self._memory: dict[Hashable, Any] | None = {} if remembers else None

    def run(self, statement: str, values: Sequence[Any] | list[tuple[Any, ...]] = ()) -> Rows:
        """Run a statement; `?` stands for a value. A list of tuples runs it once for each."""
        if isinstance(values, list):
            return Rows(self._connection.executemany(statement, values))
        return Rows(self._connection.execute(statement, values))

    def remembered(self, key: Hashable, look: Callable[[], T]) -> T:
        """What `look` found when it was last asked for this key, unless something has been forgotten since."""
        if self._memory is None:
            return look()
        if key not in self._memory:
            if len(self._memory) >= _REMEMBERED_MAX:
                self._memory.clear()
            self._memory[key] = look()
        found: T = self._memory[key]
        return found

    def forget(self) -> None:
        """Something that is remembered has changed, or a change has been undone."""
        if self._memory:
            self._memory.clear()
