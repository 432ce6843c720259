"""Connects Alembic to the tables of this application.

The site migrates itself through `webapp.models.migrate`, which passes a connection. To write the next
revision: `.venv/bin/alembic revision --autogenerate -m "what it changes"`, against a database that is up to date.
"""

from __future__ import annotations

import os
import re
from typing import Any

from alembic import context
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from webapp.models.migrate import METADATA, writing
from webapp.settings import Settings


def name_revision(migration: Any, revision: Any, directives: list[Any]) -> None:
    """A readable id: the next number and the first words, such as 0002_trusted_places."""
    script = ScriptDirectory.from_config(context.config)
    number = len(list(script.walk_revisions())) + 1
    words = re.sub(r"[^a-z0-9]+", "_", (directives[0].message or "change").lower()).strip("_")
    directives[0].rev_id = f"{number:04d}_{words}"[:32]  # the width of alembic_version.version_num


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=True,
        process_revision_directives=name_revision,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with writing(Settings.read(os.environ).database_url) as own:
        run(own)
