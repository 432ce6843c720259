"""The real server on a file system that is full: it says so, and no login succeeds without a stored used code."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from pyotp import TOTP
from sqlalchemy import select

from tests.served import PASSWORD, Served, served
from tests.wire import Client
from webapp.models.accounts import Account
from webapp.models.factors import Factor, factor_bound, sole_external_id

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """On a file system of 4 MB, where this user may mount one: root, as in CI."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    mounted = os.geteuid() == 0 and subprocess.call(mount) == 0
    yield small
    if mounted:
        subprocess.check_call(["umount", str(small)])


@pytest.fixture
def server(folder: Path) -> Iterator[Served]:
    with served(folder) as server:
        services = server.services
        with services.db.write() as tx:
            ada = tx.scalar(select(Account.id).where(Account.username == "ada"))
            assert ada is not None
            sealed = services.core.keyring.seal(SECRET, factor_bound(ada, "authentication-app"))
            factor = Factor(account_id=ada, method="authentication-app", sealed=sealed, added_at=0)
            factor.external_id = sole_external_id(ada)
            tx.objects.add(factor)
        services.db.engine.dispose()
        yield server


@contextmanager
def full(server: Served, folder: Path) -> Iterator[None]:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@contextmanager
def limited(server: Served, folder: Path) -> Iterator[None]:
    """No file of the server may grow (RLIMIT_FSIZE), as by a quota."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    for child in map(int, children):
        resource.prlimit(child, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    for child in map(int, children):
        resource.prlimit(child, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_without_room_for_the_used_code_there_is_no_session_and_with_room_the_same_code_works(
    server: Served, folder: Path
) -> None:
    path = folder / "site.sqlite3"
    client = Client(server.port, server.host)
    form = {"csrf_token": client.ask("/log-in").token, "username": "ada", "password": PASSWORD}
    assert client.ask("/log-in", form=form).headers["location"] == "/log-in/verify"
    code = {"csrf_token": client.ask("/log-in/verify").token, "code": TOTP(SECRET).now()}
    for fault in (full, limited) if folder.is_mount() else (limited,):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that the next change needs room
        with fault(server, folder):
            answer = client.ask("/log-in/verify", form=code)
            assert (answer.status, int(answer.headers["retry-after"]) > 0) == (503, True)
            assert "session" not in client.cookies
            assert client.ask("/healthz").status == 200
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert database.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
            assert database.execute("SELECT counter FROM factors").fetchone() == (-1,)
    answer = client.ask("/log-in/verify", form=code)
    client.close()
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert "session" in client.cookies
