"""Where migrations end is where store/tables.py is, and a newer database is left alone."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from batchyard.store import migrations
from batchyard.store.database import HEAD, Database, DatabaseProblem
from batchyard.store.tables import metadata

VERSIONS = Path(migrations.__file__).parent / "versions"


def _migrated(folder: Path) -> str:
    database = Database.at(folder)
    database.migrate()
    database.close()
    return database.url


def test_all_migrations_end_at_the_tables(tmp_path: Path) -> None:
    with create_engine(_migrated(tmp_path)).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_head() -> None:
    assert max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py")) == HEAD


def test_a_database_of_a_newer_batchyard_is_refused(tmp_path: Path) -> None:
    engine = create_engine(_migrated(tmp_path))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(DatabaseProblem, match="newer Batchyard"):
        Database.at(tmp_path).migrate()
