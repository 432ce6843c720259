"""WebAuthn's two ceremonies: their challenges, the published test vectors, and malformed answers."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from contextlib import suppress
from typing import Any
from uuid import UUID

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.authenticator import EDDSA, ES256, ES384, RS256, Authenticator, b64, unb64
from tests.doubles import FakeClock, ScriptedEntropy, core
from tests.webauthn_vectors import ORIGIN, RP_ID, VECTORS
from webapp.adapters.keyring import AesGcmKeyring
from webapp.domain.base64url import as_bytes, as_text
from webapp.domain.key_refusals import CeremonyExpired, KeyRefused, NoCredential
from webapp.services.ceremonies import Asserted, Ceremonies, Registered, challenge_in, id_in

PHONE_ORIGIN = "https://mobile.example.org"
OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)
ENROLL, LOG_IN = "enroll:security-key:1:7", "log-in:12"
TAKEN = sorted(set(VECTORS) - {"none-es256-crossOrigin", "none-es256-topOrigin", "packed-es384"})
FRAMED = ["none-es256-crossOrigin", "none-es256-topOrigin"]


def ceremonies(
    kind: type[Ceremonies] = Ceremonies,
    clock: FakeClock | None = None,
    keys: tuple[tuple[str, bytes], ...] = (OLD,),
) -> Ceremonies:
    entropy = ScriptedEntropy()
    parts = core(clock=clock or FakeClock(), entropy=entropy, keyring=AesGcmKeyring(keys, entropy))
    return kind(parts, "Nightlatch", RP_ID, [ORIGIN, PHONE_ORIGIN])


class TakesAnyChallenge(Ceremonies):
    """Accepts the challenges of the vectors, which were not issued here. Everything else is unchanged."""

    def _demand(self, answer: str, name: str) -> bytes:
        return challenge_in(answer)


CEREMONIES = ceremonies()
"""Shared by many tests, because it stores nothing."""


def new_key(**options: Any) -> Authenticator:
    return Authenticator(ORIGIN, RP_ID, **options)


def creation(issuer: Ceremonies = CEREMONIES, name: str = ENROLL) -> dict[str, Any]:
    asked: dict[str, Any] = issuer.creation(name, as_text(b"u" * 64), "ada", "Ada Lovelace", ())
    return asked


def registration(issuer: Ceremonies = CEREMONIES, **wrong: Any) -> str:
    return new_key().create(creation(issuer), **wrong)


def registered_key(**options: Any) -> tuple[Authenticator, Registered]:
    key = new_key(**options)
    return key, CEREMONIES.registered(key.create(creation()), ENROLL)


KEY, KNOWN = registered_key()


def assertion(issuer: Ceremonies = CEREMONIES, name: str = LOG_IN, **wrong: Any) -> str:
    return KEY.get(issuer.request(name, ()), **wrong)


# -- The options -----------------------------------------------------------------------------------


def test_the_options_for_a_new_key_follow_the_policy() -> None:
    mine = [{"type": "public-key", "id": "AAAA", "transports": ["usb"]}]
    asked = CEREMONIES.creation(ENROLL, as_text(b"u" * 64), "ada", "Ada Lovelace", mine)
    assert asked["rp"] == {"id": RP_ID, "name": "Nightlatch"}
    assert asked["user"] == {"id": as_text(b"u" * 64), "name": "ada", "displayName": "Ada Lovelace"}
    assert [one["alg"] for one in asked["pubKeyCredParams"]] == [ES256, EDDSA, RS256]
    assert asked["timeout"] == 300_000
    assert asked["excludeCredentials"] == mine
    assert asked["authenticatorSelection"] == {"residentKey": "preferred", "userVerification": "preferred"}
    assert asked["attestation"] == "none"
    assert len(as_bytes(asked["challenge"])) == 32


def test_user_verification_is_preferred_after_a_password_and_required_without_one() -> None:
    mine = [{"type": "public-key", "id": "AAAA", "transports": ["usb"]}]
    asked = CEREMONIES.request(LOG_IN, mine)
    assert (asked["userVerification"], asked["allowCredentials"]) == ("preferred", mine)
    assert (asked["rpId"], asked["timeout"], len(as_bytes(asked["challenge"]))) == (RP_ID, 300_000, 32)
    asked = CEREMONIES.request("passkey:abc", ())
    assert (asked["userVerification"], asked["allowCredentials"]) == ("required", [])


# -- The challenge ---------------------------------------------------------------------------------


def test_no_two_challenges_are_equal() -> None:
    assert len({CEREMONIES.draw(LOG_IN) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "name", ["", "log-in:1", "log-in:121", "log-in:13", "step-up:12", "passkey:12", "enroll:security-key:1:12"]
)
def test_a_challenge_is_valid_only_for_the_name_it_was_issued_for(name: str) -> None:
    answer = assertion()
    with pytest.raises(CeremonyExpired):
        CEREMONIES.asserted(answer, name, KNOWN.public_key)
    assert CEREMONIES.asserted(answer, LOG_IN, KNOWN.public_key).verified


def test_a_challenge_of_another_browser_is_refused() -> None:
    answer = assertion(name="passkey:one browser")
    with pytest.raises(CeremonyExpired):
        CEREMONIES.asserted(answer, "passkey:another browser", KNOWN.public_key)


def test_a_challenge_of_another_account_is_refused_for_a_new_key() -> None:
    answer = registration()
    for name in ("enroll:security-key:2:7", "enroll:security-key:1:8", "enroll:other-method:1:7"):
        with pytest.raises(CeremonyExpired):
            CEREMONIES.registered(answer, name)
    assert CEREMONIES.registered(answer, ENROLL).verified


def test_a_challenge_expires_after_five_minutes() -> None:
    clock = FakeClock()
    issuer = ceremonies(clock=clock)
    made, used = registration(issuer), assertion(issuer)
    clock.pass_(299)
    assert issuer.registered(made, ENROLL).verified
    assert issuer.asserted(used, LOG_IN, KNOWN.public_key).verified
    clock.pass_(1)
    with pytest.raises(CeremonyExpired):
        issuer.registered(made, ENROLL)
    with pytest.raises(CeremonyExpired):
        issuer.asserted(used, LOG_IN, KNOWN.public_key)


@pytest.mark.parametrize("place", range(32))
def test_a_challenge_with_one_changed_bit_is_refused(place: int) -> None:
    challenge = bytearray(CEREMONIES.draw(LOG_IN))
    challenge[place] ^= 1
    with pytest.raises(CeremonyExpired):
        CEREMONIES.asserted(assertion(challenge=bytes(challenge)), LOG_IN, KNOWN.public_key)


@pytest.mark.parametrize("cut", [*range(32), 33, 48, 64, 1000])
def test_a_challenge_that_is_too_short_or_too_long_is_refused(cut: int) -> None:
    challenge = (CEREMONIES.draw(LOG_IN) + bytes(1000))[:cut]
    with pytest.raises(CeremonyExpired):
        CEREMONIES.asserted(assertion(challenge=challenge), LOG_IN, KNOWN.public_key)
    with pytest.raises(CeremonyExpired):
        CEREMONIES.registered(registration(challenge=challenge), ENROLL)


def test_a_challenge_issued_before_the_keyring_was_rotated_is_valid() -> None:
    before, after, later = (ceremonies(keys=keys) for keys in ((OLD,), (NEW, OLD), (NEW,)))
    answer = assertion(before)
    assert after.asserted(answer, LOG_IN, KNOWN.public_key).verified
    with pytest.raises(CeremonyExpired):
        later.asserted(answer, LOG_IN, KNOWN.public_key)
    assert after.asserted(assertion(after), LOG_IN, KNOWN.public_key).verified
    assert later.asserted(assertion(after), LOG_IN, KNOWN.public_key).verified, "the newest key is the one that draws"


# -- The vectors of WebAuthn Level 3 ---------------------------------------------------------------


@pytest.mark.parametrize("name", TAKEN)
def test_the_published_vectors_are_accepted(name: str) -> None:
    vector, issuer = VECTORS[name], ceremonies(TakesAnyChallenge)
    made = issuer.registered(vector.registration_response(), "")
    assert as_bytes(made.id) == vector.registration.credential_id
    assert UUID(made.model).bytes == vector.registration.aaguid
    used = issuer.asserted(vector.authentication_response(), "", made.public_key)
    assert (used.syncs, used.user) == (made.syncs, None)
    other = next(v for v in VECTORS.values() if v.name != name and v.name in TAKEN)
    with pytest.raises(KeyRefused):
        issuer.asserted(other.authentication_response(), "", made.public_key)


def test_there_is_a_vector_for_every_requested_algorithm() -> None:
    issuer, seen = ceremonies(TakesAnyChallenge), set()
    for name in TAKEN:
        made = issuer.registered(VECTORS[name].registration_response(), "")
        seen.add(cbor2.loads(as_bytes(made.public_key))[3])
    assert seen == {ES256, EDDSA, RS256}


def test_the_vector_with_the_longest_id_is_accepted() -> None:
    made = ceremonies(TakesAnyChallenge).registered(
        VECTORS["none-es256-long-credential-id"].registration_response(), ""
    )
    assert len(as_bytes(made.id)) == 1023


@pytest.mark.parametrize("name", FRAMED)
def test_the_vectors_of_a_framed_page_are_refused(name: str) -> None:
    vector = VECTORS[name]
    made = ceremonies(TakesAnyChallenge).registered(vector.registration_response(), "")
    for refused in (
        lambda: CEREMONIES.registered(vector.registration_response(), ENROLL),
        lambda: CEREMONIES.asserted(vector.authentication_response(), LOG_IN, made.public_key),
    ):
        with pytest.raises(KeyRefused) as raised:
            refused()
        assert type(raised.value) is KeyRefused, "for the frame, and not for the challenge"


@pytest.mark.parametrize("wrong", [{"cross_origin": True}, {"top_origin": "https://evil.example"}], ids=str)
def test_our_own_page_in_a_frame_of_another_site_is_refused(wrong: dict[str, Any]) -> None:
    for answer in (lambda: CEREMONIES.registered(registration(**wrong), ENROLL), lambda: assert_in(assertion(**wrong))):
        with pytest.raises(KeyRefused) as raised:
            answer()
        assert type(raised.value) is KeyRefused


def assert_in(answer: str) -> Asserted:
    return CEREMONIES.asserted(answer, LOG_IN, KNOWN.public_key)


def test_the_vector_of_an_algorithm_that_was_not_requested_is_refused() -> None:
    with pytest.raises(KeyRefused):
        ceremonies(TakesAnyChallenge).registered(VECTORS["packed-es384"].registration_response(), "")
    with pytest.raises(KeyRefused):
        CEREMONIES.registered(registration(algorithm=ES384), ENROLL)


# -- Right answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
@pytest.mark.parametrize("attestation", ["none", "packed"])
def test_a_key_of_each_algorithm_is_registered_and_used(algorithm: int, attestation: str) -> None:
    key = new_key(algorithm=algorithm)
    made = CEREMONIES.registered(key.create(creation(), attestation=attestation), ENROLL)
    assert as_bytes(made.id) == key.credentials[0].id
    assert (made.count, made.syncs, made.synced, made.verified) == (1, False, False, True)
    used = CEREMONIES.asserted(key.get(CEREMONIES.request(LOG_IN, ())), LOG_IN, made.public_key)
    assert used == Asserted(count=2, syncs=False, synced=False, verified=True, user=as_text(b"u" * 64))


def test_synced_keys_and_keys_without_user_verification_are_told_apart() -> None:
    key, made = registered_key(backup_eligible=True, backed_up=True, counts=False, verifies=False)
    assert (made.count, made.syncs, made.synced, made.verified) == (0, True, True, False)
    mine = [{"type": "public-key", "id": made.id, "transports": []}]
    used = CEREMONIES.asserted(key.get(CEREMONIES.request(LOG_IN, mine), backed_up=False), LOG_IN, made.public_key)
    assert (used.count, used.syncs, used.synced, used.verified) == (0, True, False, False)


@pytest.mark.parametrize("origin", [ORIGIN, PHONE_ORIGIN])
def test_a_key_answers_from_either_host(origin: str) -> None:
    assert CEREMONIES.registered(registration(origin=origin), ENROLL).verified
    assert assert_in(assertion(origin=origin)).verified


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (["usb", "nfc"], ["usb", "nfc"]),
        (["internal", "hybrid", "internal"], ["hybrid", "internal"]),
        (["carrier-pigeon", "usb", 5, None, ["usb"], {"usb": 1}], ["usb"]),
        ([], []),
        ("usb", []),
        (None, []),
        ({"usb": 1}, []),
        (7, []),
    ],
)
def test_only_known_transports_are_stored(said: object, kept: list[str]) -> None:
    answer = json.loads(registration())
    answer["response"]["transports"] = said
    assert CEREMONIES.registered(json.dumps(answer), ENROLL).transports == kept


def test_an_id_has_at_most_1023_bytes() -> None:
    assert len(as_bytes(CEREMONIES.registered(registration(id=bytes(1023)), ENROLL).id)) == 1023
    with pytest.raises(KeyRefused):
        CEREMONIES.registered(registration(id=bytes(1024)), ENROLL)


@given(raw=st.binary(max_size=70))
def test_bytes_are_written_without_padding_and_read_again(raw: bytes) -> None:
    assert as_bytes(as_text(raw)) == raw
    assert not set(as_text(raw)) & set("=+/")


# -- Malformed answers -----------------------------------------------------------------------------

DEEP = 60_000
GARBAGE = [
    "x",
    "{",
    '{"id":',
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "9" * 5000,
    "NaN",
    '""',
    '"text"',
    "[]",
    "{}",
    "[[]]",
    '[["id", "AAAA"]]',
    "[" * DEEP,
    "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP,
    '{"id": "AAAA"}',
    '{"id": 5, "rawId": 5, "type": 5, "response": 5}',
    '{"id": "AAAA", "response": null}',
    '{"id": "AAAA", "response": []}',
    '{"id": "AAAA", "response": {}}',
    '{"id": "AAAA", "response": {"clientDataJSON": null}}',
    '{"id": "AAAA", "response": {"clientDataJSON": "%%%%"}}',
    '{"id": "AAAA", "response": {"clientDataJSON": "A"}}',
    '{"id": "\\ud800", "response": {"clientDataJSON": "\\ud800"}}',
    "\ud800",
    "\ufeff{}",
    "é",
    "٣",
    " ",
    "\n",
]
ODD: list[Any] = [None, True, 0, -1, 1.5, 10**400, "", " ", "A", "%", "=", "é", "\ud800", "A" * 9000, [], ["AAAA"], {}]
CLIENT_DATA: list[Any] = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"5",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"[" * 40_000,
    b'"webauthn.get"',
    b'[["challenge", "AAAA"]]',
    *(json.dumps({"type": "webauthn.get", "challenge": odd, "origin": ORIGIN}).encode() for odd in ODD),
]
CBOR = [
    b"",
    b"\xff",
    b"\x81" * 40_000,  # nested lists
    b"\xa1\x01" * 20_000,  # nested maps
    b"\xc1" * 40_000,  # nested tags
    b"\x9a\x80\x00\x00\x00",  # a list of two thousand million items
    b"\x9b\x00\x00\x01\x00\x00\x00\x00\x00",
    b"\x5b\x00\x00\x01\x00\x00\x00\x00\x00",  # a byte string of as many bytes
    b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x9f",  # a list without an end
    *map(cbor2.dumps, [None, 5, [], {}, {"fmt": "none"}, {"fmt": "none", "attStmt": {}, "authData": b""}]),
    cbor2.dumps({"fmt": 5, "attStmt": 5, "authData": 5}),
    cbor2.dumps({"fmt": "none", "attStmt": {"sig": b""}, "authData": bytes(200)}),
]


def refused(answer: str) -> None:
    """Both ceremonies refuse it with our own exception."""
    with pytest.raises(KeyRefused):
        CEREMONIES.registered(answer, ENROLL)
    with pytest.raises(KeyRefused):
        CEREMONIES.asserted(answer, LOG_IN, KNOWN.public_key)


def test_an_empty_answer_is_told_from_a_wrong_one() -> None:
    for read in (challenge_in, id_in, assert_in, lambda answer: CEREMONIES.registered(answer, ENROLL)):
        with pytest.raises(NoCredential):
            read("")


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda text: repr(text[:40]))
def test_a_malformed_answer_is_refused(garbage: str) -> None:
    refused(garbage)
    with pytest.raises(KeyRefused) as raised:
        challenge_in(garbage)
    assert not isinstance(raised.value, NoCredential)


@given(garbage=st.text(max_size=60))
@example(garbage="0")
def test_any_text_is_refused(garbage: str) -> None:
    refused(garbage)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(id_=json_values, response=json_values | st.dictionaries(st.just("clientDataJSON"), json_values))
def test_any_json_is_refused(id_: Any, response: Any) -> None:
    refused(json.dumps({"id": id_, "rawId": id_, "type": "public-key", "response": response}))
    refused(json.dumps(response))


PARTS = [
    ("id",),
    ("rawId",),
    ("type",),
    ("response",),
    ("response", "clientDataJSON"),
    ("response", "attestationObject"),
    ("response", "authenticatorData"),
    ("response", "signature"),
    ("response", "userHandle"),
    ("response", "transports"),
    ("authenticatorAttachment",),
    ("clientExtensionResults",),
]
OPTIONAL = {"userHandle", "transports", "authenticatorAttachment", "clientExtensionResults"}


def changed(answer: str, part: tuple[str, ...], value: Any) -> str:
    whole = json.loads(answer)
    inner = whole
    for name in part[:-1]:
        inner = inner[name]
    inner[part[-1]] = value
    return json.dumps(whole)


def without(answer: str, part: tuple[str, ...]) -> str:
    whole = json.loads(answer)
    inner = whole
    for name in part[:-1]:
        inner = inner[name]
    inner.pop(part[-1], None)
    return json.dumps(whole)


@pytest.mark.parametrize("part", PARTS, ids=".".join)
def test_a_right_answer_with_one_malformed_member_is_refused_unless_the_member_is_not_needed(
    part: tuple[str, ...],
) -> None:
    made, used = registration(), assertion()
    for answer, read in ((made, lambda text: CEREMONIES.registered(text, ENROLL)), (used, assert_in)):
        needed = part[-1] not in OPTIONAL and (len(part) == 1 or part[1] in json.loads(answer)["response"])
        if answer is made and part[-1] == "authenticatorData":
            needed = False  # a copy for pages without a CBOR parser; the attestation is what is verified
        for text in (without(answer, part), *(changed(answer, part, odd) for odd in ODD)):
            if needed:
                with pytest.raises(KeyRefused):
                    read(text)
                continue
            with suppress(KeyRefused):
                assert isinstance(read(text), Registered | Asserted)


@pytest.mark.parametrize("data", CLIENT_DATA, ids=lambda data: repr(data[:50]))
def test_malformed_client_data_is_refused(data: bytes) -> None:
    refused(changed(assertion(), ("response", "clientDataJSON"), b64(data)))
    refused(changed(registration(), ("response", "clientDataJSON"), b64(data)))


@pytest.mark.parametrize("data", CBOR, ids=lambda data: repr(data[:20]))
def test_a_malformed_attestation_is_refused(data: bytes) -> None:
    with pytest.raises(KeyRefused):
        CEREMONIES.registered(changed(registration(), ("response", "attestationObject"), b64(data)), ENROLL)


def test_a_truncated_attestation_is_refused_at_every_length() -> None:
    answer = registration()
    whole = unb64(json.loads(answer)["response"]["attestationObject"])
    for length in range(len(whole)):
        with pytest.raises(KeyRefused):
            CEREMONIES.registered(changed(answer, ("response", "attestationObject"), b64(whole[:length])), ENROLL)


def test_truncated_authenticator_data_is_refused_at_every_length() -> None:
    answer = assertion()
    whole = unb64(json.loads(answer)["response"]["authenticatorData"])
    for length in range(len(whole)):
        with pytest.raises(KeyRefused):
            assert_in(changed(answer, ("response", "authenticatorData"), b64(whole[:length])))


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_an_attestation_with_one_changed_bit_is_accepted_or_refused_without_an_error(place: int, bit: int) -> None:
    answer = registration()
    whole = bytearray(unb64(json.loads(answer)["response"]["attestationObject"]))
    whole[place % len(whole)] ^= 1 << bit
    try:
        made = CEREMONIES.registered(changed(answer, ("response", "attestationObject"), b64(bytes(whole))), ENROLL)
    except KeyRefused:
        return
    assert len(as_bytes(made.id)) <= 1023


@given(
    part=st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]),
    place=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_an_assertion_with_one_changed_bit_is_refused(part: str, place: int, bit: int) -> None:
    answer = assertion()
    whole = bytearray(unb64(json.loads(answer)["response"][part]))
    whole[place % len(whole)] ^= 1 << bit
    with pytest.raises(KeyRefused):
        assert_in(changed(answer, ("response", part), b64(bytes(whole))))


@pytest.mark.parametrize(
    "public_key", ["", "AAAA", "%%%", as_text(cbor2.dumps({})), as_text(cbor2.dumps({1: 2, 3: -7}))]
)
def test_an_unreadable_stored_public_key_refuses_the_answer(public_key: str) -> None:
    with pytest.raises(KeyRefused):
        CEREMONIES.asserted(assertion(), LOG_IN, public_key)


def test_the_id_of_an_answer_is_read_as_bytes() -> None:
    assert id_in(assertion()) == KEY.credentials[0].id
    assert challenge_in(assertion(challenge=b"c" * 32)) == b"c" * 32
    assert urlsafe_b64decode("_-8=") == as_bytes("_-8")
