"""What a test only prepares with is done once a worker; later tests get its rows, its cookies and its time.

Signing up and turning on a method took two thirds of the time of a test. The steps are done by the real site the
first time, in each configuration, layout and database; what follows them in a test always is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, text

from webapp.models.database import Database
from webapp.models.migrate import METADATA

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.people import Owner, Page

SECRETS = ("secret", "kept_code")  # attributes of an `Owner`


def empty(connection: Connection) -> None:
    """Deletes every row of PostgreSQL and restarts its sequences. TRUNCATE takes 70 times as long."""
    connection.exec_driver_sql("; ".join(f"DELETE FROM {table}" for table in reversed(METADATA.sorted_tables)))
    restart = "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
    connection.execute(text(f"{restart} FROM pg_sequences WHERE schemaname = current_schema()"))


@dataclass
class Rows:
    """Everything in a database: the file of SQLite, or the rows and the sequences of PostgreSQL."""

    content: Any

    @classmethod
    def read(cls, db: Database) -> Rows:
        db.engine.dispose()  # SQLite writes its log into the file when the last connection is closed
        if db.is_sqlite:
            path = Path(str(db.engine.url.database))
            assert not path.with_name(f"{path.name}-wal").exists(), "another process has the database open"
            return cls(path.read_bytes())
        with db.engine.connect() as connection:
            tables = {
                table: [row._asdict() for row in connection.execute(select(table))] for table in METADATA.sorted_tables
            }
            query = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"
            return cls((tables, [tuple(row) for row in connection.execute(text(query)) if row[1] is not None]))

    def write(self, db: Database) -> None:
        if db.is_sqlite:
            db.engine.dispose()
            Path(str(db.engine.url.database)).write_bytes(self.content)
            return
        tables, sequences = self.content
        with db.engine.begin() as connection:
            empty(connection)
            for table, rows in tables.items():
                if rows:
                    connection.execute(insert(table), rows)
            for name, value in sequences:
                connection.execute(text(f"SELECT setval('{name}', {value})"))


@dataclass
class Prepared:
    rows: Rows
    cookies: dict[Any, Any]
    secrets: dict[str, str]
    security_key: dict[str, Any] | None
    doubles: dict[str, Any]
    now: int
    page: Page

    @classmethod
    def of(cls, owner: Owner, page: Page) -> Prepared:
        site = owner.site
        return cls(
            Rows.read(site.services.db),
            dict(owner.client._cookies),
            {name: getattr(owner, name) for name in SECRETS},
            deepcopy(vars(owner.key)) if owner.key else None,
            {name: deepcopy(vars(double)) for name, double in site.doubles.items()},
            site.clock.now(),
            page,
        )

    def restore(self, owner: Owner) -> Page:
        self.rows.write(owner.site.services.db)
        owner.client._cookies = dict(self.cookies)
        vars(owner).update(self.secrets)
        if owner.key:
            vars(owner.key).update(deepcopy(self.security_key))
        for name, double in owner.site.doubles.items():
            vars(double).update(deepcopy(self.doubles[name]))
        owner.site.clock.pass_(self.now - owner.site.clock.now())
        owner.page = self.page
        return self.page


KEPT: dict[Hashable, Prepared] = {}


def prepare(owner: Owner, step: str, do: Callable[[], Page]) -> Page:
    """Does the step, or restores what it left when it was done before from the same state."""
    site = owner.site
    key = _key(owner, step)
    if key is None:
        return do()
    if key not in KEPT:
        KEPT[key] = Prepared.of(owner, do())
        page = KEPT[key].page
    else:
        page = KEPT[key].restore(owner)
    site.state = (key, site.writes)
    return page


def _key(owner: Owner, step: str) -> Hashable | None:
    """All that the step depends on; None when that is not known, or something was written since the last such step."""
    site: Site = owner.site
    before, writes = site.state
    if site.configuration is None or writes != site.writes:
        return None
    cookies = tuple(sorted((*name, cookie.value) for name, cookie in owner.client._cookies.items()))
    browser = (owner.layout, owner.htmx, owner.address, owner.agent, cookies)
    person = (owner.username, owner.email, owner.password, *(getattr(owner, name) for name in SECRETS))
    security_key = owner.key and repr(vars(owner.key))
    return (site.configuration, site.clock.now(), before, browser, person, security_key, step)
