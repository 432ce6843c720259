"""Registered apps: making, changing and deleting them, and their secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ...domain.app_refusals import AppGroupUnknown, HostTaken, LastSecret, NoSecrets, SecretsLimited, UnknownApp
from ...domain.codes import draw_token, hash_of
from ...domain.refusals import AlreadyDone, NotFound, PageTooOld, Refusal
from ...models import batches
from ...models.app_logins import AppAuthorization, AppConnection
from ...models.database import Transaction
from ...models.groups import Group
from ...models.guarded_hosts import GuardedSession
from ...models.registered_apps import GUARDED, WEB, AppGroup, AppSecret, RegisteredApp, app_secret_bound
from ..core import Core
from ..openid.back_channel import BackChannel
from .acts import COMMAND_LINE, Act, Actor, Acts
from .app_options import AppOptions, columns_of, fingerprint, first_sector, options_of, read, tidied
from .shut_out import end_all_shut_out

CLIENT_ID_BYTES = 16
CLIENT_ID = re.compile(f"[0-9a-f]{{{2 * CLIENT_ID_BYTES}}}")
OF_USE: tuple[Any, ...] = (AppAuthorization, AppConnection, GuardedSession)


@dataclass(frozen=True, slots=True)
class StoredApp:
    """An app as it is stored, with the names of its groups and its secrets, oldest first."""

    app: RegisteredApp
    groups: tuple[str, ...]
    secrets: Sequence[AppSecret]

    @property
    def has_secret(self) -> bool:
        """False for a public app, and for one that proves itself by its keys."""
        return _has_secret(self.app)

    @property
    def options(self) -> AppOptions:
        return options_of(self.app, self.groups)


@dataclass(frozen=True, slots=True)
class MadeApp:
    """`secret` is the only copy of the secret; None for an app that has none."""

    app: RegisteredApp
    secret: str | None


@dataclass(frozen=True, slots=True)
class RegisteredApps:
    core: Core
    acts: Acts
    back_channel: BackChannel
    ours: tuple[str, ...]
    """The host names of this site, which no guarded host can have."""

    def all(self) -> Sequence[RegisteredApp]:
        """Every app, by name."""
        with self.core.db.read() as tx:
            return tx.objects.scalars(
                select(RegisteredApp).order_by(func.lower(RegisteredApp.name), RegisteredApp.id)
            ).all()

    def named(self, client_id: str) -> StoredApp:
        """The app with this client id. Raises `UnknownApp`."""
        with self.core.db.read() as tx:
            app = tx.objects.scalars(select(RegisteredApp).where(RegisteredApp.client_id == client_id)).one_or_none()
            if app is None:
                raise UnknownApp()
            groups = self._groups(tx, app.id)
            secrets = tx.objects.scalars(
                select(AppSecret).where(AppSecret.app_id == app.id).order_by(AppSecret.id)
            ).all()
        return StoredApp(app, groups, secrets)

    def new_client_id(self) -> str:
        return self.core.entropy.bytes(CLIENT_ID_BYTES).hex()

    def create(
        self, kind: str, options: AppOptions, actor: Actor = COMMAND_LINE, client_id: str | None = None
    ) -> MadeApp:
        """Makes an app, with a secret unless it is public or proves itself by its keys.

        `client_id` is from `new_client_id`, if it was asked before, so that a form makes one app however often it is
        sent: raises `AlreadyDone` when there is the app already. Raises what `app_options.tidied` raises,
        `AppGroupUnknown` and `HostTaken` too.
        """
        tidy = tidied(kind, options, self.core.policy, self.ours)
        client_id = client_id if client_id and CLIENT_ID.fullmatch(client_id) else self.new_client_id()
        values = {"client_id": client_id, "kind": kind, "made_at": self.core.clock.now()}
        app = RegisteredApp(**values, **columns_of(tidy), sector=first_sector(tidy, client_id))
        try:
            with self.acts.write(actor) as act:
                self.core.db.serialize(act.tx, f"app:{client_id}")  # of two forms at once, the second finds the app
                if act.tx.scalar(select(RegisteredApp.id).where(RegisteredApp.client_id == client_id)) is not None:
                    raise AlreadyDone()
                act.tx.objects.add(app)
                act.tx.flush()
                self._open_to(act.tx, app.id, tidy.groups)
                secret = self.draw_secret() if _has_secret(app) else None
                if secret is not None:
                    self._add_secret(act.tx, app, secret)
                self._note(act, app, "operator-app-added")
        except IntegrityError:
            raise HostTaken() from None
        return MadeApp(app, secret)

    def problems(self, kind: str, options: AppOptions) -> list[Refusal]:
        """All that `app_options.read` finds wrong with the options."""
        return read(kind, options, self.core.policy, self.ours)[1]

    def change(
        self, client_id: str, options: AppOptions, actor: Actor = COMMAND_LINE, *, as_read: str | None = None
    ) -> None:
        """Sets every option but the kind and the sector. Raises `UnknownApp`, and as `create` does.

        `as_read` is the `fingerprint` of the options that these replace: raises `PageTooOld` when they were changed
        since. What it was given by accounts that may not use it any more ends. So do its secrets, once it proves itself
        by its keys.
        """
        kind = self.named(client_id).app.kind
        tidy = tidied(kind, options, self.core.policy, self.ours)
        try:
            with self.acts.write(actor) as act:
                app = self._lock(act.tx, client_id)
                groups = self._groups(act.tx, app.id)
                if as_read is not None and as_read != fingerprint(options_of(app, groups)):
                    raise PageTooOld()
                act.tx.execute(update(RegisteredApp).where(RegisteredApp.id == app.id).values(columns_of(tidy)))
                act.tx.execute(delete(AppGroup).where(AppGroup.app_id == app.id))
                self._open_to(act.tx, app.id, tidy.groups)
                if kind == WEB and (tidy.jwks or tidy.jwks_uri):
                    act.tx.execute(delete(AppSecret).where(AppSecret.app_id == app.id))
                self._note(act, app, "operator-app-changed")
        except IntegrityError:
            raise HostTaken() from None
        if groups != tuple(sorted(tidy.groups)):
            end_all_shut_out(self.core.db, self.core.clock.now(), app.id)

    def draw_secret(self) -> str:
        """A secret for `new_secret`, which nothing accepts yet."""
        return draw_token(self.core.entropy)

    def new_secret(
        self, client_id: str, actor: Actor = COMMAND_LINE, *, replace: bool = False, secret: str | None = None
    ) -> str:
        """A second secret, while the first still works, so that the app can be told in between.

        `secret` is from `draw_secret`, if it was drawn before, so that a form adds one however often it is sent.

        With `replace`, the older of two is removed first; without it that raises `SecretsLimited`. Raises `UnknownApp`,
        and `NoSecrets` for an app that has none.
        """
        with self.acts.write(actor) as act:
            app = self._lock(act.tx, client_id)
            if not _has_secret(app):
                raise NoSecrets()
            secret = secret or self.draw_secret()
            same = AppSecret.app_id == app.id, AppSecret.secret_hash == hash_of(secret)
            if act.tx.scalar(select(AppSecret.id).where(*same)) is not None:
                return secret
            live = act.tx.scalars(select(AppSecret.id).where(AppSecret.app_id == app.id).order_by(AppSecret.id)).all()
            if len(live) >= self.core.policy.app_secrets:
                if not replace:
                    raise SecretsLimited()
                act.tx.execute(
                    delete(AppSecret).where(AppSecret.id.in_(live[: len(live) - self.core.policy.app_secrets + 1]))
                )
            self._add_secret(act.tx, app, secret)
            self._note(act, app, "operator-secret-added")
        return secret

    def remove_secret(self, client_id: str, secret_id: int, actor: Actor = COMMAND_LINE) -> None:
        """Raises `UnknownApp`, `NotFound` for a secret that the app does not have, and `LastSecret`."""
        with self.acts.write(actor) as act:
            app = self._lock(act.tx, client_id)
            mine = act.tx.scalars(select(AppSecret.id).where(AppSecret.app_id == app.id)).all()
            if secret_id not in mine:
                raise NotFound()
            if len(mine) == 1:
                raise LastSecret()
            act.tx.execute(delete(AppSecret).where(AppSecret.id == secret_id))
            self._note(act, app, "operator-secret-removed")

    def delete(self, client_id: str, actor: Actor = COMMAND_LINE) -> str:
        """Deletes the app with all that belongs to it, and returns its name. Raises `UnknownApp`.

        It is told that every session ended in which it took part. What a much used app has goes in several
        transactions, the app itself in the last one: an interrupted deletion is begun again.
        """
        self.back_channel.subjects.ready()
        while True:
            with self.acts.write(actor) as act:
                app = self._lock(act.tx, client_id)
                if self._empty(act.tx, app) < batches.ROWS:  # nothing is left
                    act.tx.execute(delete(RegisteredApp).where(RegisteredApp.id == app.id))
                    self._note(act, app, "operator-app-deleted")
                    return app.name

    def _empty(self, tx: Transaction, app: RegisteredApp) -> int:
        """Deletes up to `batches.ROWS` rows of each table that grows with the use of an app; returns the most."""
        rows = [self.back_channel.owe_some(tx, app, batches.ROWS)]
        for table in OF_USE:
            some = select(table.id).where(table.app_id == app.id).limit(batches.ROWS)
            rows.append(tx.execute(delete(table).where(table.id.in_(some))).rowcount)
        return max(rows)

    def _lock(self, tx: Transaction, client_id: str) -> RegisteredApp:
        found = select(RegisteredApp).where(RegisteredApp.client_id == client_id).with_for_update()
        app = tx.objects.scalars(found).one_or_none()
        if app is None:
            raise UnknownApp()
        tx.objects.expunge(app)
        return app

    def _groups(self, tx: Transaction, app_id: int) -> tuple[str, ...]:
        return tuple(sorted(tx.scalars(select(AppGroup.group_name).where(AppGroup.app_id == app_id))))

    def _open_to(self, tx: Transaction, app_id: int, groups: tuple[str, ...]) -> None:
        """Raises `AppGroupUnknown`."""
        there = set(
            tx.scalars(select(Group.name).where(Group.name.in_(groups)).with_for_update(read=True, key_share=True))
        )
        for name in groups:
            if name not in there:
                raise AppGroupUnknown(name)
        if groups:
            tx.execute(insert(AppGroup), [{"app_id": app_id, "group_name": name} for name in groups])

    def _add_secret(self, tx: Transaction, app: RegisteredApp, secret: str) -> None:
        sealed = self.core.keyring.seal(secret, app_secret_bound(app.id)) if app.kind == GUARDED else None
        row: dict[str, Any] = {"app_id": app.id, "secret_hash": hash_of(secret), "sealed": sealed}
        tx.execute(insert(AppSecret).values(**row, made_at=self.core.clock.now()))

    def _note(self, act: Act, app: RegisteredApp, kind: str) -> None:
        act.note(kind, app=app.name, client_id=app.client_id)


def _has_secret(app: RegisteredApp) -> bool:
    return app.kind == GUARDED or (app.kind == WEB and not app.has_keys)
