"""The lock-out forecast: by a table, and against a simulation of every log-in that is possible with what remains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.domain.forecast import (
    ADD_BACKUP_CODE,
    ADD_EMAIL,
    ADD_METHOD,
    BACKUP_CODE,
    EMAIL_ACCOUNT,
    PASSWORD,
    PHONE,
    Authenticator,
    Holdings,
    Loss,
    Outlook,
    forecast,
    outlook,
)

YUBIKEY, LAPTOP = Loss("key:1", "YubiKey 5C", is_label=True), Loss("key:2", "Laptop", is_label=True)
PIXEL = Loss("device:1", "Pixel 8", is_label=True, may_be=frozenset({PHONE.key}))
TABLET = Loss("device:2", "Tablet", is_label=True, may_be=frozenset({PHONE.key}))

TEXTS, APP, APPROVALS = (Authenticator(name, (PHONE,)) for name in ("texts", "app", "approvals"))
KEY, PASSKEY = Authenticator("key", (YUBIKEY,)), Authenticator("passkey", (LAPTOP,), alone=True)
SYNCED = Authenticator("synced passkey", alone=True)
ON_PIXEL, ON_TABLET = Authenticator("pixel", (PIXEL,)), Authenticator("tablet", (TABLET,))
MAILED = Authenticator("mailed code", (EMAIL_ACCOUNT,))

ONLY_PASSWORD = Holdings(second_factor_on=False, mailed_link=False)
NEW = Holdings(second_factor_on=False)


def with_(*authenticators: Authenticator, **changes: bool) -> Holdings:
    return replace(Holdings(authenticators), **changes)


def told(rows: Iterable[Outlook]) -> dict[str, str]:
    """Of each row, what is lost and what can still log in, in one line."""
    return {" + ".join(loss.key for loss in row.losses): line(row) for row in rows}


def line(row: Outlook) -> str:
    if row.is_locked_out:
        return f"nothing, add {row.addition}" if row.addition else "nothing"
    first = "password" if row.has_password else "link" if row.has_link else "-"
    return ", ".join([first, *(a.name for a in row.authenticators), *(["backup code"] if row.has_backup_code else [])])


TABLE = [
    ("a password alone", ONLY_PASSWORD, {"password": "nothing, add email"}),
    ("no second factor", NEW, {"password": "link", "email": "password"}),
    (
        "a phone and no backup code",
        with_(TEXTS, APP, APPROVALS, backup_code=False),
        {
            "phone": "nothing, add backup-code",
            "password": "link, texts, app, approvals",
            "email": "password, texts, app, approvals",
        },
    ),
    (
        "a phone and the backup code",
        with_(TEXTS, APP),
        {
            "phone": "password, backup code",
            "backup-code": "password, texts, app",
            "password": "link, texts, app, backup code",
            "email": "password, texts, app, backup code",
            "phone + backup-code + password + email": "nothing",
        },
    ),
    (
        "a phone and a key",
        with_(APP, KEY),
        {
            "phone": "password, key, backup code",
            "key:1": "password, app, backup code",
            "backup-code": "password, app, key",
            "password": "link, app, key, backup code",
            "email": "password, app, key, backup code",
            "phone + key:1": "password, backup code",
            "phone + key:1 + backup-code + password + email": "nothing",
        },
    ),
    (
        "a phone and a key without a backup code",
        with_(APP, KEY, backup_code=False),
        {
            "phone": "password, key",
            "key:1": "password, app",
            "password": "link, app, key",
            "email": "password, app, key",
            "phone + key:1": "nothing, add backup-code",
            "phone + key:1 + password + email": "nothing",
        },
    ),
    (
        "a passkey and no e-mail address",
        with_(PASSKEY, mailed_link=False),
        {
            "key:2": "password, backup code",
            "backup-code": "password, passkey",
            "password": "-, passkey",
            "key:2 + backup-code + password": "nothing",
        },
    ),
    (
        "a key and no e-mail address",
        with_(KEY, mailed_link=False),
        {
            "key:1": "password, backup code",
            "backup-code": "password, key",
            "password": "nothing, add email",
        },
    ),
    (
        "a passkey that is synced",
        with_(APP, SYNCED),
        {
            "phone": "password, synced passkey, backup code",
            "backup-code": "password, app, synced passkey",
            "password": "link, app, synced passkey, backup code",
            "email": "password, app, synced passkey, backup code",
            "phone + backup-code + password + email": "-, synced passkey",
        },
    ),
    (
        "two approving devices, of which either may be the phone",
        with_(TEXTS, ON_PIXEL, ON_TABLET, backup_code=False),
        {
            "device:1": "password, tablet",
            "device:2": "password, pixel",
            "password": "link, texts, pixel, tablet",
            "email": "password, texts, pixel, tablet",
            "device:1 + device:2": "nothing, add backup-code",
            "device:1 + device:2 + password + email": "nothing",
        },
    ),
    (
        "a code by e-mail, which is lost with what resets the password",
        with_(MAILED, backup_code=False),
        {"password": "link, mailed code", "email": "nothing, add backup-code"},
    ),
    (
        "a second factor that this site cannot ask for any more",
        with_(),
        {
            "backup-code": "nothing, add method",
            "password": "link, backup code",
            "email": "password, backup code",
        },
    ),
]


@pytest.mark.parametrize(("holdings", "rows"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_can_still_log_in(holdings: Holdings, rows: dict[str, str]) -> None:
    assert told(forecast(holdings)) == rows
    assert list(told(forecast(holdings))) == list(rows), "in this order"


# -- By Hypothesis -------------------------------------------------------------------------------------

LOSSES = [PHONE, YUBIKEY, LAPTOP, PIXEL, TABLET, EMAIL_ACCOUNT]
ACCOUNT = [PASSWORD, EMAIL_ACCOUNT, BACKUP_CODE]
lost_with = st.lists(st.sampled_from(LOSSES), unique=True, max_size=2).map(tuple)
authenticator = st.builds(Authenticator, st.text("abcdef", min_size=1, max_size=6), lost_with, alone=st.booleans())
holdings_on = st.builds(
    Holdings, st.lists(authenticator, max_size=4).map(tuple), backup_code=st.booleans(), mailed_link=st.booleans()
)
holdings_any = st.one_of(holdings_on, st.builds(Holdings, second_factor_on=st.just(False), mailed_link=st.booleans()))
lost = st.lists(st.sampled_from([*LOSSES, PASSWORD, BACKUP_CODE]), unique=True, max_size=5).map(tuple)


def log_ins(holdings: Holdings, losses: Sequence[Loss]) -> set[str]:
    """The names of what ends a log-in, found by trying each action that is possible until none leads further."""
    taken = {loss.key for loss in losses}
    for loss in losses:
        taken |= loss.may_be
    drawer = {"password": PASSWORD.key, "mailbox": EMAIL_ACCOUNT.key, "backup code": BACKUP_CODE.key}
    has = {name for name, key in drawer.items() if key not in taken}
    has -= set() if holdings.mailed_link else {"mailbox"}
    has -= set() if holdings.backup_code else {"backup code"}
    kept = [a for a in holdings.authenticators if taken.isdisjoint(one.key for one in a.lost_with)]
    at, ended = {"log-in page"}, set()
    while True:
        before = set(at)
        if "log-in page" in at:
            at |= {"link page"} if "mailbox" in has else set()
            at |= {"password entered"} if "password" in has else set()
            ended |= {a.name for a in kept if a.alone}
        if "link page" in at:
            at |= {"password entered"}  # the one that was just chosen
        if "password entered" in at and not holdings.second_factor_on:
            ended |= {""}
        if "password entered" in at and holdings.second_factor_on:
            ended |= {a.name for a in kept} | ({"backup code"} & has)
        if at == before:
            return ended


@given(holdings_any, lost)
def test_it_agrees_with_a_simulation_of_every_log_in(holdings: Holdings, losses: tuple[Loss, ...]) -> None:
    seen, found = outlook(holdings, losses), log_ins(holdings, losses)
    assert seen.is_locked_out == (not found)
    named = {a.name for a in seen.authenticators} | ({"backup code"} if seen.has_backup_code else set())
    assert named == found - {""}


def at_least_as_good(more: Outlook, less: Outlook) -> bool:
    return (
        set(more.authenticators) >= set(less.authenticators)
        and more.has_backup_code >= less.has_backup_code
        and more.has_password >= less.has_password
        and more.has_link >= less.has_link
        and more.is_locked_out <= less.is_locked_out
    )


@given(holdings_on, authenticator, lost)
def test_what_is_added_never_makes_it_worse(holdings: Holdings, added: Authenticator, losses: tuple[Loss, ...]) -> None:
    before = outlook(holdings, losses)
    for more in (
        replace(holdings, authenticators=(*holdings.authenticators, added)),
        replace(holdings, backup_code=True),
        replace(holdings, mailed_link=True),
    ):
        assert at_least_as_good(outlook(more, losses), before)


@given(holdings_any, lost, lost)
def test_what_is_lost_besides_never_makes_it_better(
    holdings: Holdings, losses: tuple[Loss, ...], others: tuple[Loss, ...]
) -> None:
    assert at_least_as_good(outlook(holdings, losses), outlook(holdings, (*losses, *others)))


@given(holdings_any)
def test_what_it_says_to_add_helps(holdings: Holdings) -> None:
    added = {
        ADD_BACKUP_CODE: replace(holdings, backup_code=True),
        ADD_EMAIL: replace(holdings, mailed_link=True),
        ADD_METHOD: replace(holdings, authenticators=(*holdings.authenticators, Authenticator("new"))),
    }
    for row in forecast(holdings):
        if row.addition is not None:
            assert row.is_locked_out
            assert not outlook(added[row.addition], row.losses).is_locked_out
        elif row.is_locked_out and not outlook(holdings, ()).is_locked_out:
            assert len(row.losses) > 1, "only when all is lost does nothing help"


@given(holdings_any)
@example(Holdings((SYNCED,), backup_code=False, mailed_link=False))
def test_each_thing_is_told_once_and_together_only_when_none_locks_out_alone(holdings: Holdings) -> None:
    rows = forecast(holdings)
    alone = [row for row in rows if len(row.losses) == 1]
    together = rows[len(alone) :]
    keys = [row.losses[0].key for row in alone]
    assert len(set(keys)) == len(keys)
    assert PASSWORD.key in keys
    assert all(len(row.losses) > 1 for row in together)
    if any(row.is_locked_out for row in alone):
        assert not together
    covered = set(keys) | {key for row in alone for key in row.losses[0].may_be}
    assert all(loss.key in covered for a in holdings.authenticators for loss in a.lost_with)


def test_every_combination_of_the_usual_methods_with_a_backup_code_survives_any_one_loss() -> None:
    usual = [TEXTS, APP, KEY, APPROVALS]
    for count in range(1, len(usual) + 1):
        for some in combinations(usual, count):
            assert not any(row.is_locked_out for row in forecast(Holdings(some)) if len(row.losses) == 1)
