"""Databases as older versions left them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from store.sql import MIGRATIONS, migrate


def downgrade(engine: Engine, revision: str) -> None:
    """Bring the tables to an older revision."""
    with engine.connect() as connection:
        is_new = not connection.dialect.has_table(connection, "alembic_version")
    if is_new:
        migrate(engine)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def revision_in(path: Path) -> str:
    """The revision of an SQLite file."""
    with closing(sqlite3.connect(path)) as connection:
        revision: str = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    return revision
