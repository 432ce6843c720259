"""Nightlatch itself: the accounts of the benchmark, and what its hash costs. The site is served by its own command."""

from __future__ import annotations

import os
from base64 import b32encode
from typing import Any

from sqlalchemy import insert, text, update

from bench.hashing import hasher
from bench.peers import shared
from webapp import create_app
from webapp.models.accounts import Account
from webapp.models.base import Table
from webapp.models.database import Transaction
from webapp.models.factors import Factor, factor_bound, sole_external_id
from webapp.models.migrate import migrate
from webapp.settings import Settings

METHOD = "authentication-app"
NAMES, ADDRESSES = ("name", "username", "username_key"), ("email", "email_key")


def seed(count: int) -> str:
    settings = Settings.read(os.environ)
    migrate(settings.database_url)
    services = create_app(settings).extensions["nightlatch"]
    keyring, now = services.core.keyring, services.clock.now()
    secret = b32encode(services.entropy.bytes(20)).decode()
    owner: dict[str, Any] = {**dict.fromkeys(NAMES, "bench1"), **dict.fromkeys(ADDRESSES, "bench1@example.org")}
    owner |= {"id": 1, "created_at": now, "language": "en", "login_method": METHOD}
    owner["password_hash"] = services.passwords.seal(shared.PASSWORD)
    factor = {"id": 1, "account_id": 1, "method": METHOD, "external_id": sole_external_id(1), "added_at": now}
    with services.db.write() as tx:
        services.db.take_time(tx)
        tx.execute(insert(Account).values(**owner))
        tx.execute(insert(Factor).values(**factor, sealed=keyring.seal(secret, factor_bound(1, METHOD))))
        addresses = dict.fromkeys(ADDRESSES, "'bench' || i || '@example.org'")
        _copy(tx, Account, count, **dict.fromkeys(NAMES, "'bench' || i"), **addresses)
        _copy(tx, Factor, count, account_id="i", external_id="'' || i")
        for number in shared.numbers(count):  # a sealed secret opens in its own row only
            sealed = keyring.seal(secret, factor_bound(number, METHOD))
            tx.execute(update(Factor).where(Factor.id == number).values(sealed=sealed))
    services.db.engine.dispose()
    return secret


def _copy(tx: Transaction, table: type[Table], count: int, **changed: str) -> None:
    columns = [column.name for column in table.__table__.columns]
    tx.execute(text(shared.copies(table.__tablename__, columns, count, id="i", **changed)))


if __name__ == "__main__":
    argon2id = hasher()
    encoded = argon2id.hash(shared.PASSWORD)
    shared.main(seed, lambda: argon2id.verify(encoded, shared.PASSWORD))
