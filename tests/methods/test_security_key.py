"""Security keys: the signature counter, passkeys, and what the pages show of each key."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, update

from tests.authenticator import Authenticator
from tests.conftest import Site
from tests.doubles import START
from tests.people import HOST, Owner
from webapp.domain.account_refusals import NameMalformed
from webapp.domain.base64url import as_bytes, as_text
from webapp.domain.key_refusals import (
    CeremonyExpired,
    KeyChanged,
    KeyCloned,
    KeyRefused,
    KeyUnknown,
    KeyUnverified,
    NoCredential,
)
from webapp.domain.labels import tidy_label, unused_label
from webapp.domain.origin import Origin
from webapp.domain.refusals import LabelTaken
from webapp.methods.security_key import SecurityKey
from webapp.models.accounts import Account
from webapp.models.factors import Factor
from webapp.services.ceremonies import Ceremonies
from webapp.services.method import Challenge

RP_ID = HOST.split(":")[0]
ORIGIN = f"http://{HOST}"
USER, OTHER_USER = b"a" * 64, b"b" * 64
NAME, PASSKEY = "log-in:1", "passkey:this browser"
YUBIKEY = UUID("2fc0579f-8113-47ea-b116-bb5a8db9202a").bytes
"""A YubiKey 5 NFC with firmware 5.2."""

BYTES = ("clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle")


def new_key(**options: Any) -> Authenticator:
    return Authenticator(ORIGIN, RP_ID, **options)


@pytest.fixture
def keys(site: Site) -> Ceremonies:
    Owner(site).sign_up()
    return site.services.ceremonies


def method_of(site: Site) -> SecurityKey:
    method = site.services.methods.named("security-key")
    assert isinstance(method, SecurityKey)
    return method


@pytest.fixture
def method(site: Site) -> SecurityKey:
    return method_of(site)


def register(site: Site, key: Authenticator, label: str = "Blue key", browser: str = "", user: bytes = USER) -> Factor:
    """Stores a key of Ada's as its enrollment does, and returns the newest."""
    issuer = site.services.ceremonies
    made = issuer.registered(key.create(issuer.creation("new", as_text(user), "ada", "Ada Lovelace", ())), "new")
    facts = {
        "id": made.id,
        "key": made.public_key,
        "user": as_text(user),
        "model": made.model,
        "transports": made.transports,
        "syncs": made.syncs,
        "synced": made.synced,
        "verifies": made.verified,
        "browser": browser,
    }
    external_id = method_of(site).external_id({"credential": json.dumps({"id": made.id})})
    values = {
        "account_id": 1,
        "method": SecurityKey.slug,
        "external_id": external_id,
        "label": label,
        "attributes": json.dumps(facts),
        "sealed": "",
        "added_at": START,
        "counter": made.count,
    }
    with site.services.db.write() as tx:
        number = tx.scalar(insert(Factor).values(values).returning(Factor.id))
    assert number is not None
    return stored(site, number)


def stored(site: Site, number: int = 1) -> Factor:
    with site.services.db.read() as tx:
        return tx.objects.get_one(Factor, number)


def facts_of(factor: Factor) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(factor.attributes)
    return facts


def prove(site: Site, answer: str, *factors: Factor, alone: bool = False) -> None:
    method = method_of(site)
    with site.services.db.write() as tx:
        challenge = Challenge(tx.objects.get_one(Account, 1), PASSKEY if alone else NAME, factors)
        (method.verify_alone if alone else method.verify)(tx, challenge, {"credential": answer})


def answer(site: Site, key: Authenticator, *, alone: bool = False, **wrong: Any) -> str:
    return key.get(site.services.ceremonies.request(PASSKEY if alone else NAME, ()), **wrong)


each_way = pytest.mark.parametrize("alone", [False, True], ids=["after the password", "alone"])


# -- The signature counter -------------------------------------------------------------------------


@each_way
def test_a_rising_counter_is_stored_with_the_time(site: Site, keys: Ceremonies, alone: bool) -> None:
    key = new_key()
    factor = register(site, key)
    assert (factor.counter, factor.logged_in_at) == (1, 0)
    site.clock.pass_(100)
    prove(site, answer(site, key, alone=alone), factor, alone=alone)
    assert (stored(site).counter, stored(site).logged_in_at) == (key.credentials[0].sign_count, START + 100)
    prove(site, answer(site, key, alone=alone, sign_count=2**32 - 1), stored(site), alone=alone)
    assert stored(site).counter == 2**32 - 1


@each_way
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_counter_that_does_not_rise_may_be_a_copy(site: Site, keys: Ceremonies, alone: bool, count: int) -> None:
    key = new_key()
    register(site, key)
    with site.services.db.write() as tx:
        tx.execute(update(Factor).values(counter=7))
    before = stored(site)
    with pytest.raises(KeyCloned) as raised:
        prove(site, answer(site, key, alone=alone, sign_count=count), before, alone=alone)
    assert raised.value.name == "Blue key"
    now = stored(site)
    assert (now.counter, now.logged_in_at, now.attributes) == (7, before.logged_in_at, before.attributes)


@each_way
def test_a_key_without_a_counter_always_shows_zero(site: Site, keys: Ceremonies, alone: bool) -> None:
    key = new_key(counts=False)
    factor = register(site, key)
    for _ in range(3):
        prove(site, answer(site, key, alone=alone), factor, alone=alone)
    assert stored(site).counter == 0


def test_a_key_that_began_to_count_may_not_stop(site: Site, keys: Ceremonies) -> None:
    key = new_key(counts=False)
    factor = register(site, key)
    prove(site, answer(site, key, sign_count=5), factor)
    with pytest.raises(KeyCloned):
        prove(site, answer(site, key), factor)


def test_the_counter_is_compared_with_the_stored_row_and_not_with_an_earlier_read(site: Site, keys: Ceremonies) -> None:
    key = new_key()
    read_early = register(site, key)
    older, newer = answer(site, key), answer(site, key)
    prove(site, newer, read_early)
    with pytest.raises(KeyCloned):
        prove(site, older, read_early)


# -- Which account ---------------------------------------------------------------------------------


@each_way
def test_a_key_that_was_turned_off_during_the_proof_is_refused(site: Site, keys: Ceremonies, alone: bool) -> None:
    key = new_key()
    factor = register(site, key)
    with site.services.db.write() as tx:
        tx.execute(update(Factor).values(turned_off_at=START))
    with pytest.raises(KeyRefused) as raised:
        prove(site, answer(site, key, alone=alone), factor, alone=alone)
    assert not isinstance(raised.value, KeyCloned), "its owner would be warned of a copy that there is not"
    assert stored(site).counter == 1


@each_way
def test_a_key_that_was_deleted_during_the_proof_is_refused(site: Site, keys: Ceremonies, alone: bool) -> None:
    key = new_key()
    factor = register(site, key)
    with site.services.db.write() as tx:
        tx.execute(delete(Factor))
    with pytest.raises(KeyRefused) as raised:
        prove(site, answer(site, key, alone=alone), factor, alone=alone)
    assert not isinstance(raised.value, KeyCloned), "its owner would be warned of a copy that there is not"


@each_way
def test_every_key_of_the_account_is_accepted_and_no_other(site: Site, keys: Ceremonies, alone: bool) -> None:
    first, second, strange = new_key(), new_key(), new_key()
    mine = [register(site, first), register(site, second, "Green key")]
    register(site, strange, "Somebody else's")
    prove(site, answer(site, second, alone=alone), *mine, alone=alone)
    assert stored(site, 1).counter == 1
    assert stored(site, 2).counter > 1
    with pytest.raises(KeyUnknown):
        prove(site, answer(site, strange, alone=alone), *mine, alone=alone)
    with pytest.raises(KeyUnknown):
        prove(site, answer(site, first, alone=alone), alone=alone)


@each_way
def test_the_id_of_one_key_with_the_signature_of_another_is_refused(site: Site, keys: Ceremonies, alone: bool) -> None:
    first, second = new_key(), new_key()
    mine = [register(site, first), register(site, second, "Green key")]
    with pytest.raises(KeyRefused) as raised:
        prove(site, answer(site, second, alone=alone, id=first.credentials[0].id), *mine, alone=alone)
    assert type(raised.value) is KeyRefused


@each_way
def test_a_key_with_the_user_handle_of_another_account_is_refused(site: Site, keys: Ceremonies, alone: bool) -> None:
    key = new_key()
    factor = register(site, key)
    for handle in (OTHER_USER, USER[:-1], USER + b"a", b"ada"):
        with pytest.raises(KeyRefused) as raised:
            prove(site, answer(site, key, alone=alone, user_handle=handle), factor, alone=alone)
        assert type(raised.value) is KeyRefused
    assert stored(site).counter == 1


@each_way
@pytest.mark.parametrize("member", ["id", "rawId", "userHandle", "signature", "clientDataJSON", "authenticatorData"])
def test_padding_that_an_extension_writes_changes_nothing(
    site: Site, keys: Ceremonies, alone: bool, member: str
) -> None:
    key = new_key()
    factor = register(site, key)
    said = json.loads(answer(site, key, alone=alone, user_handle=USER))
    where = said if member in said else said["response"]
    where[member] += "=" * (-len(where[member]) % 4)
    prove(site, json.dumps(said), factor, alone=alone)


def test_a_key_without_a_user_handle_is_no_passkey(site: Site, keys: Ceremonies) -> None:
    key = new_key()
    factor = register(site, key)
    prove(site, answer(site, key, user_handle=b""), factor)
    with pytest.raises(KeyRefused):
        prove(site, answer(site, key, alone=True, user_handle=b""), factor, alone=True)


def test_a_key_without_user_verification_is_no_passkey(site: Site, keys: Ceremonies) -> None:
    key = new_key()
    factor = register(site, key)
    prove(site, answer(site, key, user_verified=False), factor)
    count = stored(site).counter
    with pytest.raises(KeyUnverified):
        prove(site, answer(site, key, alone=True, user_verified=False), factor, alone=True)
    assert stored(site).counter == count


@each_way
@pytest.mark.parametrize("syncs", [False, True])
def test_backup_eligibility_may_not_change_after_registration(
    site: Site, keys: Ceremonies, alone: bool, syncs: bool
) -> None:
    key = new_key(backup_eligible=syncs)
    factor = register(site, key)
    with pytest.raises(KeyChanged):
        prove(site, answer(site, key, alone=alone, backup_eligible=not syncs), factor, alone=alone)
    prove(site, answer(site, key, alone=alone), factor, alone=alone)


@each_way
def test_a_passkey_that_was_synced_since_is_recorded_as_synced(site: Site, keys: Ceremonies, alone: bool) -> None:
    key = new_key(backup_eligible=True)
    factor = register(site, key)
    before = facts_of(factor)
    assert before["synced"] is False
    prove(site, answer(site, key, alone=alone, backed_up=True), factor, alone=alone)
    assert facts_of(stored(site)) == {**before, "synced": True}
    prove(site, answer(site, key, alone=alone), stored(site), alone=alone)
    assert facts_of(stored(site))["synced"] is False


def test_a_key_that_first_verified_its_user_later_is_recorded_as_verifying(site: Site, keys: Ceremonies) -> None:
    key = new_key(verifies=False)
    assert facts_of(register(site, key))["verifies"] is False
    key.verifies = True
    for verified, known in ((False, False), (True, True), (False, True)):
        prove(site, answer(site, key, user_verified=verified), stored(site))
        assert facts_of(stored(site))["verifies"] is known


def test_a_challenge_of_one_ceremony_is_refused_in_the_other(site: Site, keys: Ceremonies) -> None:
    key = new_key()
    factor = register(site, key)
    with pytest.raises(CeremonyExpired):
        prove(site, answer(site, key, alone=True), factor, alone=False)
    with pytest.raises(CeremonyExpired):
        prove(site, answer(site, key, alone=False), factor, alone=True)


def rewritten(answer: str) -> str:
    """The same answer as an extension may write it: padded, in the other alphabet, and with what is not known."""
    given = json.loads(answer)
    other = {
        name: base64.b64encode(as_bytes(value)).decode() for name, value in given["response"].items() if name in BYTES
    }
    ids = {name: base64.b64encode(as_bytes(given[name])).decode() for name in ("id", "rawId")}
    unknown = {"authenticatorAttachment": "implanted", "extension": {"a": 1}, "clientExtensionResults": None}
    response = {**given["response"], **other, "transports": ["usb", "light", 7], "userName": "ada"}
    return json.dumps({**given, **ids, **unknown, "response": response})


@each_way
def test_ids_and_user_handle_are_bytes_and_what_is_not_known_is_ignored(
    site: Site, keys: Ceremonies, alone: bool
) -> None:
    key = new_key()
    factor = register(site, key)
    prove(site, rewritten(answer(site, key, alone=alone)), factor, alone=alone)
    made = keys.registered(rewritten(new_key().create(keys.creation("new", as_text(USER), "ada", "Ada", ()))), "new")
    assert made.transports == ["usb"]
    with pytest.raises(KeyRefused):
        prove(site, rewritten(answer(site, key, alone=alone, user_handle=OTHER_USER)), factor, alone=alone)
    with pytest.raises(KeyRefused):
        prove(site, rewritten(answer(site, key, alone=alone, raw_id=b"another id")), factor, alone=alone)


def test_a_missing_answer_is_told_from_a_wrong_one(site: Site, keys: Ceremonies) -> None:
    method = method_of(site)
    for read in (method.single_use, method.external_id, method.unknown_hints):
        for nothing in ({}, {"credential": ""}):
            with pytest.raises(NoCredential):
                read(nothing)
        with pytest.raises(KeyRefused):
            read({"credential": "{}"})


def test_a_challenge_is_the_same_in_either_encoding(site: Site, keys: Ceremonies) -> None:
    key = new_key()
    register(site, key)
    challenge = keys.draw(NAME)
    first = key.get(keys.request(NAME, ()), challenge=challenge)
    second = json.loads(first)
    data = {"challenge": as_text(challenge) + "==", "type": "webauthn.get", "origin": ORIGIN}
    second["response"]["clientDataJSON"] = as_text(json.dumps(data).encode())
    used = method_of(site).single_use
    assert used({"credential": first}) == used({"credential": json.dumps(second)})
    assert used({"credential": first}) != used({"credential": answer(site, key)})


# -- What the pages show ---------------------------------------------------------------------------

HERE = Origin("192.0.2.1", "a browser", RP_ID, "this browser")
ELSEWHERE = Origin("192.0.2.1", "a browser", RP_ID, "another one")
UNKNOWN = Origin("192.0.2.1", "a browser", RP_ID, "")


def factor_with(**facts: Any) -> Factor:
    known = {"id": "AAAA", "user": "VVVV", "transports": ["usb"], "synced": False, "verifies": False, "browser": ""}
    return Factor(attributes=json.dumps({**known, **facts}))


def test_a_portable_key_belongs_to_no_device(method: SecurityKey) -> None:
    for transports in ([], ["usb"], ["nfc", "usb"], ["hybrid"]):
        factor = factor_with(transports=transports, browser=HERE.browser)
        assert method.describe(factor, HERE) == ["Portable key", "Not synced"]
        assert not method.is_here(factor, HERE)


def test_a_key_of_this_device_is_told_from_one_of_another(method: SecurityKey) -> None:
    factor = factor_with(transports=["internal"], browser=HERE.browser)
    assert method.describe(factor, HERE)[0] == "On this device"
    assert method.is_here(factor, HERE)
    assert method.describe(factor, ELSEWHERE)[0] == "On another device"
    assert not method.is_here(factor, ELSEWHERE)


def test_two_browsers_without_an_id_are_not_the_same_one(method: SecurityKey) -> None:
    assert not method.is_here(factor_with(transports=["internal"], browser=""), UNKNOWN)


def test_the_abilities_of_a_key_are_shown(method: SecurityKey) -> None:
    assert method.describe(factor_with(synced=True, verifies=True), HERE) == [
        "Portable key",
        "Synced to your other devices",
        "Can be used without a password (passkey)",
    ]


def test_the_browser_is_told_which_keys_are_valid(method: SecurityKey) -> None:
    account = Account(username="ada", name="Ada Lovelace")
    assert method.browser_hints(account, []) == {}
    told = method.browser_hints(account, [factor_with(), factor_with(id="BBBB")])
    assert told == {
        "accepted": {"rpId": RP_ID, "userId": "VVVV", "allAcceptedCredentialIds": ["AAAA", "BBBB"]},
        "details": {"rpId": RP_ID, "userId": "VVVV", "name": "ada", "displayName": "Ada Lovelace"},
    }


def test_the_browser_is_told_which_key_was_removed(site: Site, keys: Ceremonies, method: SecurityKey) -> None:
    assert method.removal_hints(factor_with()) == {"unknown": {"rpId": RP_ID, "credentialId": "AAAA"}}
    key = new_key()
    register(site, key)
    told = method.unknown_hints({"credential": answer(site, key)})
    assert told == {"unknown": {"rpId": RP_ID, "credentialId": as_text(key.credentials[0].id)}}


def test_the_page_asks_for_each_key_by_its_transports(site: Site, keys: Ceremonies) -> None:
    mine = [register(site, new_key(transports=("nfc", "usb"))), register(site, new_key(transports=("internal",)), "2")]
    with site.services.db.read() as tx:
        challenge = Challenge(tx.objects.get_one(Account, 1), NAME, mine)
    method = method_of(site)
    asked = method.show(challenge)["options"]
    assert asked["allowCredentials"] == [
        {"type": "public-key", "id": facts_of(mine[0])["id"], "transports": ["usb", "nfc"]},
        {"type": "public-key", "id": facts_of(mine[1])["id"], "transports": ["internal"]},
    ]
    assert len(as_bytes(asked["challenge"])) == 32
    assert method.hint(challenge) == "Security key"
    assert method.ask(PASSKEY)["allowCredentials"] == []


# -- Names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "suggested"),
    [
        ({"aaguid": YUBIKEY}, "YubiKey 5 Series with NFC"),
        ({"aaguid": YUBIKEY, "transports": ("internal",)}, "YubiKey 5 Series with NFC"),
        ({}, "Security key"),
        ({"aaguid": b"\xff" * 16}, "Security key"),
        ({"transports": ("internal", "hybrid")}, "Chrome on Linux"),
        ({"transports": ()}, "Security key"),
    ],
    ids=str,
)
def test_the_suggested_name_is_that_of_the_model(site: Site, options: dict[str, Any], suggested: str) -> None:
    ada = Owner.signed_up(site)
    for number in (1, 2, 3):
        key = ada.new_key(**options)
        ada.open("/settings/security/two-factor/security-key/overview")
        page = ada.press("Start")
        page = ada.press("Use security key", credential=key.create(page.options()))
        expected = suggested if number == 1 else f"{suggested} {number}"
        assert page.field("Key name")["value"] == expected
        page = ada.press("Save", name=expected.upper())
        if number == 1:
            ada.press("Got it")


def test_names_are_trimmed_and_compared_case_insensitively() -> None:
    assert tidy_label("  Blue \t key ", ["Green key"], 60) == "Blue key"
    assert tidy_label("e\u0301", [], 60) == "é"
    assert tidy_label("a\u202eb", [], 60) == "ab"
    for taken in ("blue key", "Blue  Key", " BLUE KEY", "Blue\u200b key", "\u202eBlue key"):
        with pytest.raises(LabelTaken):
            tidy_label(taken, ["Blue key"], 60)
    for malformed in ("", "   ", "\t", "x" * 61, "a\x00b", "\u202e", "\u200b \u200d"):
        with pytest.raises(NameMalformed):
            tidy_label(malformed, [], 60)
    assert len(tidy_label("x" * 60, [], 60)) == 60


def test_the_first_free_number_is_appended() -> None:
    assert unused_label("Key", []) == "Key"
    assert unused_label("Key", ["key", "KEY 2", "Key 4"]) == "Key 3"
