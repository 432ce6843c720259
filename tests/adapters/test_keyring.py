"""A sealed value opens only in its place, unaltered, and with its key."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import ScriptedEntropy
from webapp.adapters.keyring import AesGcmKeyring

OLD, NEW = ("k1", bytes(range(32))), ("k2", bytes(range(32, 64)))
ENTROPY = ScriptedEntropy()


def keyring(*keys: tuple[str, bytes]) -> AesGcmKeyring:
    return AesGcmKeyring(keys or (OLD,), ENTROPY)


@given(text=st.text(), place=st.text())
def test_a_sealed_value_opens_in_its_place(text: str, place: str) -> None:
    sealed = keyring().seal(text, place)
    assert keyring().open(sealed, place) == text


def test_a_sealed_value_reveals_neither_its_text_nor_that_two_texts_are_equal() -> None:
    one, two = keyring().seal("JBSWY3DPEHPK3PXP", "here"), keyring().seal("JBSWY3DPEHPK3PXP", "here")
    assert one != two
    assert b"JBSWY" not in base64.b64decode(one.partition(".")[2])


def test_a_value_moved_to_another_place_does_not_open() -> None:
    sealed = keyring().seal("secret", "account:1:factor")
    with pytest.raises(ValueError, match="altered or moved"):
        keyring().open(sealed, "account:2:factor")


@given(place=st.integers(0, 33))
def test_a_value_altered_anywhere_does_not_open(place: int) -> None:
    name, _, text = keyring().seal("secret", "here").partition(".")
    raw = bytearray(base64.b64decode(text))
    raw[place] ^= 1
    with pytest.raises(ValueError, match="altered or moved"):
        keyring().open(f"{name}.{base64.b64encode(raw).decode()}", "here")


@pytest.mark.parametrize("text", ["k1.", "k1.!!!", "k1.AAAA", "k1.Ä"])
def test_a_value_that_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(ValueError, match="altered or moved"):
        keyring().open(text, "here")


def test_a_missing_key_is_named_in_the_error() -> None:
    sealed = keyring(OLD).seal("secret", "here")
    with pytest.raises(ValueError, match="'k1' is not among the settings"):
        keyring(NEW).open(sealed, "here")


def test_another_key_under_the_same_name_opens_nothing() -> None:
    sealed = keyring(OLD).seal("secret", "here")
    with pytest.raises(ValueError, match="altered or moved"):
        keyring(("k1", NEW[1])).open(sealed, "here")


def test_the_first_key_seals_and_the_others_still_open() -> None:
    old = keyring(OLD).seal("secret", "here")
    rotated = keyring(NEW, OLD)
    assert rotated.open(old, "here") == "secret"
    assert not rotated.is_newest(old)
    assert rotated.is_newest(rotated.seal("secret", "here"))


def test_a_mac_is_valid_for_its_text_and_place_only_and_survives_a_rotation() -> None:
    mac = keyring(OLD).mac("123456", "account:1")
    assert keyring(NEW, OLD).is_mac_of(mac, "123456", "account:1")
    assert not keyring(OLD).is_mac_of(mac, "123457", "account:1")
    assert not keyring(OLD).is_mac_of(mac, "123456", "account:2")
    assert not keyring(NEW).is_mac_of(mac, "123456", "account:1")
    assert "123456" not in mac


def test_macs_are_made_under_each_key_newest_first() -> None:
    rotated = keyring(NEW, OLD)
    macs = rotated.macs("+447400123456", "contact")
    assert macs == [keyring(NEW).mac("+447400123456", "contact"), keyring(OLD).mac("+447400123456", "contact")]
    assert all(rotated.knows(mac) for mac in macs)
    assert [keyring(NEW).knows(mac) for mac in macs] == [True, False]
