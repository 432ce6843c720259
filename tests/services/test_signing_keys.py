"""The keys that sign the tokens for apps: made once, published before they sign, kept while needed."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.conftest import Site
from webapp.bootstrap import Services, build
from webapp.models.registered_apps import ALGORITHMS, ES256, RS256
from webapp.models.signing_keys import SigningKey
from webapp.services.openid.signing_keys import RotatedLately, SigningKeys

DAY, HOUR = 86400, 3600


@pytest.fixture
def keys(site: Site) -> SigningKeys:
    return site.services.openid.signing_keys


def states(keys: SigningKeys, algorithm: str = RS256) -> list[str]:
    return [key.state for key in keys.states() if key.algorithm == algorithm]


def kid(keys: SigningKeys, algorithm: str = RS256) -> str:
    token = keys.sign(keys.published(), {"sub": "ada"}, algorithm, "JWT")
    return jwt.decode(token, KeySet.import_key_set(keys.published().document), algorithms=[algorithm]).header["kid"]


def other_process(site: Site) -> SigningKeys:
    """The keys as another process sees them."""
    return SigningKeys(site.services.core)


def test_the_first_key_of_each_algorithm_is_made_when_it_is_needed(keys: SigningKeys) -> None:
    document = keys.published().document
    assert [(key["kty"], key["alg"], key["use"]) for key in document["keys"]] == [
        ("RSA", "RS256", "sig"),
        ("EC", "ES256", "sig"),
    ]
    assert not [name for key in document["keys"] for name in key if name in ("d", "p", "q", "dp", "dq", "qi")]
    for algorithm in ALGORITHMS:
        assert keys.verified(keys.sign(keys.published(), {"sub": "ada"}, algorithm, "JWT"), "JWT") == {"sub": "ada"}


def test_what_was_read_is_kept_for_an_hour(site: Site, keys: SigningKeys) -> None:
    keys.published()
    site.statements.clear()
    keys.published()
    assert len([one for one in site.statements if one.startswith("SELECT")]) == 1, "only whether there is a newer key"
    site.clock.pass_(HOUR)
    site.statements.clear()
    keys.published()
    assert len([one for one in site.statements if one.startswith("SELECT")]) == 3


def test_the_next_key_is_published_a_day_before_it_signs(site: Site, keys: SigningKeys) -> None:
    first = kid(keys)
    site.clock.pass_(89 * DAY - 1)
    keys.rotate_due()
    assert states(keys) == ["present"]
    site.clock.pass_(1)
    keys.rotate_due()
    keys.rotate_due()
    assert states(keys) == ["next", "present"]
    assert kid(keys) == first
    site.clock.pass_(DAY)
    assert states(keys) == ["present", "previous"]
    assert kid(keys) != first
    assert kid(keys, ES256)


def test_a_key_that_was_not_rotated_in_time_is_published_for_a_day_all_the_same(site: Site, keys: SigningKeys) -> None:
    first = kid(keys)
    site.clock.pass_(200 * DAY)
    keys.rotate_due()
    assert kid(keys) == first
    site.clock.pass_(DAY)
    assert kid(keys) != first


def test_nothing_is_due_on_a_site_without_apps(site: Site, keys: SigningKeys) -> None:
    keys.rotate_due()
    with site.services.db.read() as tx:
        assert tx.objects.query(SigningKey).count() == 0


def test_a_second_rotation_within_a_day_must_be_at_once(site: Site, keys: SigningKeys) -> None:
    first = kid(keys)
    starts = keys.rotate()
    assert starts == site.clock.now() + DAY
    with pytest.raises(RotatedLately) as refused:
        keys.rotate()
    assert refused.value.at == starts
    assert kid(keys) == first
    waiting = keys.states()[0].kid
    keys.rotate(at_once=True)
    assert kid(keys) not in (first, waiting)
    assert waiting not in [key.kid for key in keys.states()], "a key that may be known must never sign"
    with pytest.raises(RotatedLately):
        keys.rotate()
    site.clock.pass_(DAY)
    keys.rotate()


def test_every_key_is_kept_while_a_token_of_it_lives(site: Site, keys: SigningKeys) -> None:
    token = keys.sign(keys.published(), {"sub": "ada"}, RS256, "JWT")
    for _ in range(3):
        keys.rotate(at_once=True)
    assert keys.verified(token, "JWT") == {"sub": "ada"}
    assert states(keys) == ["present", "previous", "previous", "previous"]
    site.clock.pass_(HOUR)
    assert states(keys) == ["present", "previous"]
    assert keys.verified(token, "JWT") is None


def test_a_withdrawn_key_is_neither_published_nor_believed(site: Site, keys: SigningKeys) -> None:
    """A key that became known: who has it must not sign anything that is believed, from now on, in any process."""
    elsewhere, before = other_process(site), kid(keys)
    token = elsewhere.sign(elsewhere.published(), {"sub": "ada"}, RS256, "JWT")
    keys.rotate()
    waiting = keys.states()[0].kid
    assert keys.rotate(withdraw=True) == site.clock.now()
    for process in (keys, elsewhere):
        assert process.verified(token, "JWT") is None
        assert states(process) == states(process, ES256) == ["present"]
        assert kid(process) not in (before, waiting)
    with pytest.raises(RotatedLately):
        keys.rotate()
    keys.rotate(at_once=True)
    assert states(keys) == ["present", "previous"], "what was withdrawn does not come back"
    keys.rotate(withdraw=True)
    with site.services.db.read() as tx:
        assert tx.objects.query(SigningKey).filter(SigningKey.withdrawn_at.is_(None)).count() == len(ALGORITHMS)


def test_another_process_signs_with_the_newest_key_at_once(site: Site, keys: SigningKeys) -> None:
    elsewhere = other_process(site)
    before = kid(elsewhere)
    keys.rotate(at_once=True)
    assert kid(elsewhere) == kid(keys) != before


def test_the_private_half_is_sealed_and_resealed(site: Site, keys: SigningKeys, services: Services) -> None:
    keys.published()
    with site.services.db.read() as tx:
        for row in tx.objects.query(SigningKey):
            assert '"d"' not in row.sealed + row.public
    assert services.maintenance.reseal() == 2
    assert kid(SigningKeys(services.core))


@pytest.fixture
def services(site: Site) -> Services:
    """The same site with a newer encryption key."""
    settings = site.services.settings
    newer = (("newer", b"n" * 32), *settings.encryption_keys)
    return build(replace(settings, encryption_keys=newer), db=site.services.db, clock=site.clock)


def test_ended_keys_are_purged(site: Site, keys: SigningKeys) -> None:
    keys.published()
    keys.rotate(at_once=True)
    site.clock.pass_(91 * DAY)
    assert site.services.maintenance.purge()["signing_keys"] == 0
    site.clock.pass_(1)
    assert site.services.maintenance.purge()["signing_keys"] == 2


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_cannot_choose_its_algorithm(keys: SigningKeys, algorithm: str) -> None:
    """CVE-2016-10555, RFC 8725 section 3.1: the public key as the secret of an HMAC, or no signature."""
    public = keys.published().keys[0]
    header = {"alg": algorithm, "kid": public.kid, "typ": "JWT"}
    signed = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, {"sub": "ada"}))
    mac = hmac.digest(public.verifier.as_pem(), signed, "sha256") if algorithm == "HS256" else b""
    token = b".".join((signed, urlsafe_b64encode(mac).rstrip(b"="))).decode()
    assert keys.verified(token, "JWT") is None


@pytest.mark.parametrize(
    "more",
    [{"crit": ["unknown"], "unknown": 1}, {"crit": []}, {"kid": "another"}, {"alg": "RS512"}, {"alg": "ES256"}],
    ids=["crit", "empty crit", "kid", "alg", "alg of the other key"],
)
def test_a_header_that_is_not_understood_is_refused(keys: SigningKeys, more: dict[str, Any]) -> None:
    """RFC 7515 section 4.1.11, RFC 8725 section 3.1: even when the signature is right."""
    keys.sign(keys.published(), {}, RS256, "JWT")
    (signer,) = keys.kept.signers.values()
    header = {"alg": RS256, "kid": keys.published().keys[0].kid, "typ": "JWT", **more}
    signed = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, {"sub": "ada"}))
    private: Any = signer.private_key
    signature = private.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    token = b".".join((signed, urlsafe_b64encode(signature).rstrip(b"="))).decode()
    assert keys.verified(token, "JWT") is None


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "e30.e30.", "é.é.é", "a.b.c.d.e", "." * 5000])
def test_what_is_no_token_is_refused(keys: SigningKeys, token: str) -> None:
    assert keys.verified(token, "JWT") is None


def test_a_token_of_another_kind_is_refused(keys: SigningKeys) -> None:
    """RFC 8725 section 3.11: an access token must not be taken for an ID token."""
    assert keys.verified(keys.sign(keys.published(), {"sub": "ada"}, RS256, "at+jwt"), "JWT") is None
