"""Groups: names that the operator gives to accounts. An app may be open to the members of some groups only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from ...domain.app_refusals import GroupInUse, GroupNameMalformed, GroupTaken, UnknownGroup
from ...domain.origin import NO_BROWSER
from ...models.accounts import Account
from ...models.database import Transaction, changed_one_row
from ...models.groups import GROUP_NAME, Group, Membership
from ...models.registered_apps import AppGroup, RegisteredApp
from ..core import Core
from ..notices import Notices
from .account_pages import AccountPage, account_page
from .acts import COMMAND_LINE, Actor, Acts
from .roles import locked_by_name
from .shut_out import end_shut_out

NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{GROUP_NAME - 1}}}")


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group as it is listed."""

    name: str
    members: int


@dataclass(frozen=True, slots=True)
class Groups:
    core: Core
    acts: Acts
    notices: Notices

    def all(self) -> Sequence[GroupRow]:
        """Every group with the number of its members, by name."""
        counted = func.count(Membership.id)
        query = select(Group.name, counted).outerjoin(Membership, Membership.group_name == Group.name)
        with self.core.db.read() as tx:
            return [GroupRow(*row) for row in tx.execute(query.group_by(Group.name).order_by(Group.name))]

    def members(self, name: str, after: str | None = None) -> AccountPage:
        """The accounts in the group whose username comes after this one. Raises `UnknownGroup`."""
        members = select(Account).join(Membership, Membership.account_id == Account.id)
        with self.core.db.read() as tx:
            self._demand(tx, name)
            most = self.core.policy.operator_page
            return account_page(tx, members.where(Membership.group_name == name), after, most)

    def size(self, name: str) -> int:
        """The number of its members. Raises `UnknownGroup`."""
        with self.core.db.read() as tx:
            self._demand(tx, name)
            return tx.scalar(select(func.count()).where(Membership.group_name == name)) or 0

    def of(self, account_id: int) -> Sequence[str]:
        """The names of the account's groups."""
        with self.core.db.read() as tx:
            return groups_of(tx, account_id)

    def create(self, typed: str, actor: Actor = COMMAND_LINE) -> str:
        """Returns the name. Raises `GroupNameMalformed` or `GroupTaken`."""
        name = typed.strip()
        if not NAME.fullmatch(name):
            raise GroupNameMalformed()
        try:
            with self.acts.write(actor) as act:
                act.tx.execute(insert(Group).values(name=name, made_at=self.core.clock.now()))
                act.note("operator-group-added", group=name)
        except IntegrityError:
            raise GroupTaken() from None
        return name

    def delete(self, name: str, actor: Actor = COMMAND_LINE) -> None:
        """Raises `UnknownGroup`, or `GroupInUse` while an app is open to the group."""
        with self.acts.write(actor) as act:
            # no app can be opened to it, and no member added, until the transaction ends
            if act.tx.scalar(select(Group.name).where(Group.name == name).with_for_update()) is None:
                raise UnknownGroup()
            using = select(RegisteredApp.name).join(AppGroup, AppGroup.app_id == RegisteredApp.id)
            apps = act.tx.scalars(using.where(AppGroup.group_name == name).order_by(RegisteredApp.name)).all()
            if apps:
                raise GroupInUse(", ".join(apps))
            act.tx.execute(delete(Group).where(Group.name == name))
            act.note("operator-group-deleted", group=name)

    def add(self, name: str, username: str, actor: Actor = COMMAND_LINE) -> Account | None:
        """The account that was added, None when it was in the group. Raises `UnknownGroup` or `UnknownUsername`."""
        with self.acts.write(actor) as act:
            self._demand(act.tx, name)
            account = locked_by_name(act.tx, username)  # of two requests at once, the second finds the first's row
            mine = Membership.group_name == name, Membership.account_id == account.id
            if act.tx.scalar(select(Membership.id).where(*mine)) is not None:
                return None
            row = {"group_name": name, "account_id": account.id, "added_at": self.core.clock.now()}
            act.tx.execute(insert(Membership).values(row))
            self.notices.record(act.tx, account.id, "group-joined", NO_BROWSER, group=name)
            act.note("operator-member-added", group=name, username=account.username)
        return account

    def remove(self, name: str, username: str, actor: Actor = COMMAND_LINE) -> Account | None:
        """The account that was removed, None when it was not in the group. Raises as `add` does.

        What it gave to apps that it may not use any more ends.
        """
        with self.acts.write(actor) as act:
            self._demand(act.tx, name, alone=True)
            account = locked_by_name(act.tx, username)
            mine = Membership.group_name == name, Membership.account_id == account.id
            if not changed_one_row(act.tx, delete(Membership).where(*mine)):
                return None
            end_shut_out(act.tx, self.core.clock.now(), account.id)
            self.notices.record(act.tx, account.id, "group-left", NO_BROWSER, group=name)
            act.note("operator-member-removed", group=name, username=account.username)
        return account

    def _demand(self, tx: Transaction, name: str, *, alone: bool = False) -> None:
        """Raises `UnknownGroup`. The group cannot be deleted before the transaction ends.

        `alone`: an app that is open to it is not changed either, so that one of both sees what the other did.
        """
        locked = select(Group.name).where(Group.name == name).with_for_update(read=not alone, key_share=not alone)
        if tx.scalar(locked) is None:
            raise UnknownGroup()


def groups_of(tx: Transaction, account_id: int) -> Sequence[str]:
    """The names of the account's groups, in alphabetical order."""
    mine = select(Membership.group_name).where(Membership.account_id == account_id)
    return tx.scalars(mine.order_by(Membership.group_name)).all()
