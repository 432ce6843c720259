"""Fixtures of every test: a site of its own, with a clock that stands still and e-mail that is recorded."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Generator, Hashable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from flask import Flask
from hypothesis import settings as hypothesis_settings
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Engine, create_engine, event, func, select, text
from sqlalchemy.exc import ProgrammingError
from werkzeug.routing import Rule
from whitenoise.compress import Compressor

from tests.doubles import CheapHasher, FailingTexts, FakeClock
from tests.people import Owner
from tests.prepared import empty
from webapp import create_app, keys
from webapp.adapters.template_renderer import TemplateRenderer
from webapp.bootstrap import Services
from webapp.domain.language import ENGLISH
from webapp.domain.ports import Email, TextMessage
from webapp.models.database import Database
from webapp.models.migrate import METADATA
from webapp.settings import ROOT, Settings
from webapp.web import assets

hypothesis_settings.register_profile(
    "shared-cores", deadline=None
)  # the cores are shared, so the time of one example says nothing
hypothesis_settings.load_profile("shared-cores")


class Compiled(BytecodeCache):
    """Compiled templates, shared by all tests: compiling them for each test's own site took a quarter of the time."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.kept.get(f"{bucket.key} {bucket.checksum}")

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[f"{bucket.key} {bucket.checksum}"] = bucket.code


COMPILED = Compiled()


class RuleOnce(Rule):
    """URL rules, compiled once for all tests: compiling them takes 0.1 s of a test's 0.4 s."""

    kept: ClassVar[dict[tuple[object, ...], dict[str, Any]]] = {}

    def compile(self) -> None:
        key = self.rule, self.subdomain, str(self.defaults)
        if key not in self.kept:
            before = dict(self.__dict__)
            super().compile()
            made = {name: value for name, value in self.__dict__.items() if before.get(name) is not value}
            self.kept[key] = {**made, "arguments": self.arguments}
        self.__dict__.update(self.kept[key])


Flask.url_rule_class = RuleOnce

prepared = assets.prepare
PREPARED = cache(lambda: prepared(assets.SOURCE))
"""The static files, prepared once for all tests: preparing and writing them took half the time of a test's site."""
assets.prepare = lambda source: PREPARED() if source == assets.SOURCE else prepared(source)
Compressor.compress_brotli = staticmethod(cache(Compressor.compress_brotli))
Compressor.compress_gzip = staticmethod(cache(Compressor.compress_gzip))
POSTGRES = os.environ.get("NIGHTLATCH_TEST_POSTGRES_URL")
UNCOUNTED = pytest.StashKey[bool]()
"""Marks a test whose lines another counted test executes."""
UNCOUNTED_FILES = (
    *("tests/browser/", "tests/proxies/", "tests/test_guard_guide.py", "tests/test_legacy_guide.py"),
    *("tests/test_server.py", "tests/test_processes.py", "tests/test_deploy.py", "tests/test_systemd.py"),
    *("tests/test_overload.py", "tests/test_containers.py", "tests/test_architecture.py", "tests/test_translations.py"),
    *("tests/test_catalogues.py", "tests/test_secrets.py", "tests/test_docs.py", "tests/test_prose.py"),
)
"""Tests in a browser or of server processes, and tests that read files of the repository: counting took half of the
time of the secret scan."""


@dataclass
class Site:
    app: Flask
    services: Services
    clock: FakeClock
    statements: list[str] = field(default_factory=list)
    """Every SQL statement since the list was last cleared."""
    writes: int = 0
    """How many statements changed rows."""
    state: tuple[object, int] = ("empty", 0)
    """The last step that `tests.prepared` did or restored, and `writes` after it."""
    configuration: Hashable | None = None
    """What makes this site differ from that of another test, or None."""
    doubles: dict[str, Any] = field(default_factory=dict)
    """The overrides that are classes of the tests, by name."""

    def count(self, table: type) -> int:
        """The number of its rows."""
        with self.services.db.read() as tx:
            return tx.execute(select(func.count()).select_from(table)).scalar_one()

    def emails(self, to: str | None = None) -> list[Email]:
        """Delivers what is owed first; newest first."""
        self.services.delivery.deliver_due()
        kept = [message for message, _ in self.services.delivery.kept(100)]
        return [message for message in kept if isinstance(message, Email) and to in (None, message.to)]

    def texts(self, to: str | None = None) -> list[TextMessage]:
        """Delivers what is owed first; newest first."""
        self.services.delivery.deliver_due()
        kept = [message for message, _ in self.services.delivery.kept(100)]
        return [message for message in kept if isinstance(message, TextMessage) and to in (None, message.to)]

    def texted_code(self, to: str) -> str:
        return self.texts(to)[0].text[:6]

    def emailed_code(self, to: str) -> str:
        found = re.match(r"\d{6}", self.emails(to)[0].subject)
        assert found, f"the newest mail to {to} has no code: {self.emails(to)[0].subject}"
        return found[0]

    def emailed_path(self, to: str, part: str) -> str:
        """The path of the newest link to `to` that holds `part`."""
        for email in self.emails(to):
            found = re.search(rf"https?://[^/\s]+({re.escape(part)}[0-9a-f]+)", email.text)
            if found:
                return found[1]
        raise AssertionError(f"no mail to {to} links to {part}")


def pytest_collection_finish() -> None:
    """Exempts the imported modules from garbage collection, which saves a twentieth of the time."""
    gc.freeze()


FILLED_UNCOUNTED: set[Any] = set()
"""Functions of the application that kept something in a test whose lines were not counted."""


@cache
def cached_functions() -> list[Any]:
    """Those of the application that keep what they returned."""
    modules = [module for name, module in sys.modules.items() if name.startswith("webapp.")]
    kind = type(cached_functions)
    return [value for module in modules for value in vars(module).values() if type(value) is kind]


def leave_out(config: pytest.Config, items: list[pytest.Item], left: list[pytest.Item]) -> None:
    """Deselects some of the collected tests, in place."""
    if left:
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lines are counted on SQLite, in one layout and in one process: counting doubles the time of a test, and the same
    journey on PostgreSQL, in Chromium or in a server process executes no other line."""
    plugin = item.config.pluginmanager.get_plugin("_cov")
    counter = plugin and plugin.cov_controller
    again = item.nodeid.startswith(UNCOUNTED_FILES) or "postgresql" in item.nodeid or item.stash.get(UNCOUNTED, False)
    if not counter or item.get_closest_marker("no_cover"):  # that pauses too; a second pause would not end
        return (yield)
    if not again:
        while FILLED_UNCOUNTED:  # or a test in which lines are counted would not execute those of such a function
            FILLED_UNCOUNTED.pop().cache_clear()
        return (yield)
    before = {function: function.cache_info().currsize for function in cached_functions()}
    counter.pause()
    try:
        return (yield)
    finally:
        counter.resume()
        FILLED_UNCOUNTED.update(f for f, size in before.items() if f.cache_info().currsize > size)


@pytest.fixture(autouse=True)
def no_connection_outlives_its_test() -> Iterator[None]:
    """An open connection would be collected during a later test, which would then fail for it."""
    used: set[Engine] = set()

    def heard(connection: Any) -> None:
        used.add(connection.engine)

    event.listen(Engine, "engine_connect", heard)
    yield
    event.remove(Engine, "engine_connect", heard)
    for engine in used:
        engine.dispose()


@cache
def renderer_of(site_name: str, main_url: str) -> TemplateRenderer:
    """The real renderers, shared by all sites of that name because their templates are the same."""
    return TemplateRenderer(ROOT / "templates", site_name, main_url, reload=False)


@cache
def empty_sqlite() -> bytes:
    """A file with all tables and no rows: making it anew for each test takes a third of a second."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "site.sqlite3"
        engine = create_engine(f"sqlite:///{path}")
        METADATA.create_all(engine)
        engine.dispose()
        return path.read_bytes()


def empty_postgresql(schema: str) -> str:
    """The same in a schema of this worker: emptied, or created anew when a test dropped its tables."""
    separator = "&" if "?" in str(POSTGRES) else "?"
    url = f"{POSTGRES}{separator}options=-csearch_path%3D{schema}"
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            empty(connection)
            connection.execute(
                text("DROP TABLE IF EXISTS alembic_version")
            )  # the SQLite file is made without migrations too
    except ProgrammingError:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        METADATA.create_all(engine)
    engine.dispose()
    return url


@cache
def database(url: str) -> Database:
    """Shared by the tests of a worker, so that each SQL statement is compiled once: that took an eighth of the time."""
    return Database(url)


@pytest.fixture(scope="session")
def sqlite_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the SQLite database of this worker's tests is."""
    return tmp_path_factory.mktemp("database") / "site.sqlite3"


@pytest.fixture(params=["sqlite", *(["postgresql"] if POSTGRES else [])])
def database_url(request: pytest.FixtureRequest, sqlite_path: Path, worker_id: str) -> str:
    """An empty database with all tables; on PostgreSQL too where one is configured."""
    if request.param == "sqlite":
        rmtree(sqlite_path.parent, ignore_errors=True)  # the log of the previous test is no part of this database
        sqlite_path.parent.mkdir()
        sqlite_path.write_bytes(empty_sqlite())
        return f"sqlite:///{sqlite_path}"
    return empty_postgresql(f"test_{worker_id}")


one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For tests whose result no database can change: they run on SQLite only."""


@pytest.fixture
def environ(database_url: str) -> dict[str, str]:
    """The settings. A test that needs others overrides this fixture."""
    return {"NIGHTLATCH_DATABASE_URL": database_url, "NIGHTLATCH_LEGACY_ACCESS": "on"}


@pytest.fixture
def gateway() -> FailingTexts:
    """The gateway of the site, in tests that ask for it."""
    return FailingTexts()


@pytest.fixture
def overrides(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Further arguments of `create_app`. A test module may override this fixture. Hashing is cheap by default."""
    texts = {"texts": request.getfixturevalue("gateway")} if "gateway" in request.fixturenames else {}
    return {"hasher": CheapHasher(), **texts}


@cache
def development_keys() -> str:
    """The same for all sites of a worker, so that one reads what another sealed."""
    with TemporaryDirectory() as folder:
        keys.development_keys(Path(folder))
        return (Path(folder) / keys.DEVELOPMENT_FILE).read_text()


@pytest.fixture(scope="session")
def static_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first site writes the prepared static files, and all others find them."""
    return tmp_path_factory.mktemp("static")


@pytest.fixture
def site(environ: dict[str, str], tmp_path: Path, static_folder: Path, overrides: dict[str, Any]) -> Iterator[Site]:
    clock, instance = FakeClock(), tmp_path / "instance"
    instance.mkdir()
    (instance / "static").symlink_to(static_folder)
    (instance / keys.DEVELOPMENT_FILE).write_text(development_keys())
    settings = Settings.read(environ, instance)
    overrides.setdefault("renderer", renderer_of(settings.site_name, settings.main_url))
    # English alone, so that no test depends on which catalogues are compiled; tests of languages pass others
    given = {"languages": {ENGLISH.code: ENGLISH}, **overrides}
    app = create_app(settings, db=database(settings.database_url), clock=clock, **given)
    app.jinja_env.bytecode_cache = COMPILED
    doubles = {name: part for name, part in overrides.items() if type(part).__module__.startswith("tests.")}
    others = [(name, part) for name, part in overrides.items() if name not in doubles]
    made = Site(app, app.extensions["nightlatch"], clock, doubles=doubles)
    if all(isinstance(part, Hashable) for _, part in others):
        kinds = [(name, type(double)) for name, double in doubles.items()]
        made.configuration = (*sorted(environ.items()), *kinds, *others)
    listener = _listen(made)
    yield made
    event.remove(made.services.db.engine, "before_cursor_execute", listener)


@pytest.fixture
def ada(site: Site) -> Owner:
    """Ada Lovelace, logged in, without a second factor. Some folders and modules have another one."""
    return Owner.signed_up(site)


def _listen(site: Site) -> Any:
    def heard(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        site.statements.append(statement)
        site.writes += statement.startswith(("INSERT", "UPDATE", "DELETE"))

    event.listen(site.services.db.engine, "before_cursor_execute", heard)
    return heard
