"""Security keys and passkeys (WebAuthn Level 3): the method that a copied page cannot ask for.

An account may have several, each with a name. One that checks who holds it, and knows whose it is, opens the
account alone. The public half of a key is no secret, so nothing of it is sealed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import and_, bindparam, or_, select, update
from wtforms import StringField
from wtforms.validators import InputRequired

from ..domain.base64url import as_bytes, as_text
from ..domain.key_refusals import KeyCloned, KeyRefused, KeyUnknown, KeyUnverified
from ..domain.labels import tidy_label, unused_label
from ..domain.language import gettext, lazy
from ..domain.origin import Origin
from ..domain.refusals import FactorExists
from ..enrollment.ceremonies import Ceremonies, challenge_in, id_in
from ..enrollment.common_steps import CONFIRMED_EMAIL, DONE_IF_FIRST, OVERVIEW_ONCE, PASSWORD_UNLESS_FRESH
from ..enrollment.method import Alone, Answers, Asking, ByDevice, Challenge, Method, Overview, Proof, Several, Step
from ..enrollment.visit import Visit
from ..models.accounts import Account
from ..models.base import rows_of
from ..models.database import changed_one_row
from ..models.factors import Factor

MODELS = Path(__file__).with_name("authenticators.tsv")


class KeyFields:
    """What the browser hands over; it is never shown again, so the template writes the input."""

    credential = StringField()


class LabelFields:
    name = StringField(lazy("Key name"), [InputRequired(lazy("Enter a name for the key."))])


def begin(visit: Visit) -> dict[str, Any]:
    return {"user": as_text(visit.entropy.bytes(visit.policy.user_handle_bytes))}


# -- The steps of its own --------------------------------------------------------------------------


def show_touch(visit: Visit) -> dict[str, Any]:
    account, mine = visit.account, _descriptors(visit.factors)
    asked = visit.ceremonies.creation(visit.ceremony, _user(visit), account.username, account.name, mine)
    return {"options": asked}


def touched(visit: Visit, answers: Answers) -> None:
    """Raises a `KeyRefused`, `FactorTaken` or `TooManyTries`."""
    visit.count_attempt("touch")
    visit.desk.consume_single_use(used(answers))
    key = visit.ceremonies.registered(answers["credential"], visit.ceremony)
    if _slot(as_bytes(key.id)) in {f.external_id for f in visit.factors}:
        raise FactorExists()
    facts = {
        "id": key.id,
        "key": key.public_key,
        "user": _user(visit),
        "model": key.model,
        "transports": key.transports,
        "syncs": key.syncs,
        "synced": key.synced,
        "verifies": key.verified,
        "browser": visit.origin.browser,
    }
    visit.note(key=facts, count=key.count)


def show_name(visit: Visit) -> dict[str, Any]:
    key, labels = visit.notes["key"], [f.label for f in visit.factors]
    here = gettext("This device") if "internal" in key["transports"] else gettext("Security key")
    return {"suggested": {"name": unused_label(_models().get(key["model"], here), labels)}}


def named(visit: Visit, answers: Answers) -> None:
    """Raises `NameMalformed` or `LabelTaken`; the service, `FactorTaken`."""
    key, labels = visit.notes["key"], [f.label for f in visit.factors]
    label = tidy_label(answers["name"], labels, visit.policy.name_maximum)
    visit.turn_on(
        "", external_id=_slot(as_bytes(key["id"])), label=label, facts=json.dumps(key), counter=visit.notes["count"]
    )


def _user(visit: Visit) -> str:
    """One handle for all keys of an account, so that a browser keeps them together; it says nothing of its owner."""
    user: str = _facts(visit.factors[0])["user"] if visit.factors else visit.notes["user"]
    return user


@cache
def _models() -> dict[str, str]:
    """Names of authenticators by AAGUID."""
    lines = MODELS.read_text().splitlines()
    return dict(line.split("\t") for line in lines if line and not line.startswith("#"))


TOUCH = Step(
    slug="touch",
    template="enrollment/security-key/touch.html",
    needed=lambda visit: True,
    done=lambda visit: "key" in visit.notes,
    submit=touched,
    show=show_touch,
    fields=KeyFields,
)
NAME = Step(
    slug="name",
    template="enrollment/security-key/name.html",
    needed=lambda visit: True,
    done=lambda visit: False,  # when it is, the enrollment is finished
    submit=named,
    show=show_name,
    fields=LabelFields,
)


# -- The challenge at log-in and step-up, and the log-in with nothing else ---------------------------


FACTORS = rows_of(Factor)
RISES = or_(
    FACTORS.c.counter < bindparam("count"),
    and_(FACTORS.c.counter == 0, bindparam("count") == 0),  # a key that does not count (section 6.1.1)
)
COUNT = (
    update(FACTORS)
    .where(FACTORS.c.id == bindparam("factor"), FACTORS.c.turned_off_at.is_(None), RISES)
    .values(counter=bindparam("count"), logged_in_at=bindparam("now"), attributes=bindparam("known"))
)

STILL_ON = select(FACTORS.c.id).where(FACTORS.c.id == bindparam("factor"), FACTORS.c.turned_off_at.is_(None))


def show(asking: Asking) -> dict[str, Any]:
    return {"options": asking.ceremonies.request(asking.name, _descriptors(asking.factors))}


def ask_anybody(ceremonies: Ceremonies, name: str) -> dict[str, Any]:
    options: dict[str, Any] = ceremonies.request(name, ())
    return options


def unknown(ceremonies: Ceremonies, answers: Answers) -> dict[str, Any]:
    return _unknown(as_text(id_in(answers.get("credential", ""))), ceremonies)


def used(answers: Answers) -> str:
    return f"ceremony:{sha256(challenge_in(answers.get('credential', ''))).hexdigest()}"


def slot_of(answers: Answers) -> str:
    return _slot(id_in(answers.get("credential", "")))


def verify(proof: Proof, answers: Answers) -> None:
    """One of the account's keys, after its password. Raises a `KeyRefused`."""
    _verify(proof, answers, alone=False)


def verify_alone(proof: Proof, answers: Answers) -> None:
    """The same for a key that says whose it is and checked who holds it."""
    _verify(proof, answers, alone=True)


def _verify(proof: Proof, answers: Answers, *, alone: bool) -> None:
    asking, external_id = proof.asking, slot_of(answers)
    factor = next((f for f in asking.factors if f.external_id == external_id), None)
    if factor is None:
        raise KeyUnknown()
    facts = _facts(factor)
    seen = asking.ceremonies.asserted(answers["credential"], asking.name, facts["key"])
    if seen.syncs != facts["syncs"]:
        raise KeyRefused()  # whether it may be copied is settled when it is made (section 6.1.3)
    if (seen.user or alone) and seen.user != facts["user"]:
        raise KeyRefused()
    if alone and not (seen.verified and facts["verifies"]):
        # whoever finds a key that never checked anybody may give it a PIN of their own (section 7.2, uvInitialized)
        raise KeyUnverified()
    known = json.dumps({**facts, "synced": seen.synced, "verifies": facts["verifies"] or seen.verified})
    now = proof.clock.now()
    if not changed_one_row(proof.tx, COUNT, {"factor": factor.id, "count": seen.count, "now": now, "known": known}):
        if proof.tx.execute(STILL_ON, {"factor": factor.id}).first() is None:
            raise KeyUnknown()  # deleted since it was read
        raise KeyCloned(name=factor.label)


# -- The list of them ------------------------------------------------------------------------------


def describe(factor: Factor, origin: Origin) -> list[str]:
    facts = _facts(factor)
    if "internal" not in facts["transports"]:
        where = gettext("A key to carry with you")
    else:
        where = gettext("On this device") if is_here(factor, origin) else gettext("On another device")
    kept = gettext("Synced with your other devices") if facts["synced"] else gettext("Not synced")
    return [where, kept, *([gettext("Logs you in without a password")] if facts["verifies"] else [])]


def is_here(factor: Factor, origin: Origin) -> bool:
    facts = _facts(factor)
    return "internal" in facts["transports"] and facts["browser"] == origin.browser != ""


def tell_browser(account: Account, factors: Sequence[Factor], ceremonies: Ceremonies) -> dict[str, Any]:
    """For the methods signalAllAcceptedCredentials and signalCurrentUserDetails (section 5.1.10)."""
    if not factors:
        return {}
    held = [_facts(f) for f in factors]
    about = {"rpId": ceremonies.rp_id, "userId": held[0]["user"]}
    accepted = {**about, "allAcceptedCredentialIds": [f["id"] for f in held]}
    return {"accepted": accepted, "details": {**about, "name": account.username, "displayName": account.name}}


def gone(factor: Factor, ceremonies: Ceremonies) -> dict[str, Any]:
    return _unknown(_facts(factor)["id"], ceremonies)


def _unknown(credential_id: str, ceremonies: Ceremonies) -> dict[str, Any]:
    """For the method signalUnknownCredential."""
    return {"unknown": {"rpId": ceremonies.rp_id, "credentialId": credential_id}}


def _facts(factor: Factor) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(factor.attributes)
    return facts


def _descriptors(factors: Sequence[Factor]) -> list[dict[str, Any]]:
    held = [_facts(f) for f in factors]
    return [{"type": "public-key", "id": f["id"], "transports": f["transports"]} for f in held]


def _slot(credential_id: bytes) -> str:
    """Short enough for an index, where the id may have a kilobyte."""
    return sha256(credential_id).hexdigest()


METHOD = Method(
    slug="security-key",
    title=lazy("Security key"),
    overview=Overview(
        what=lazy("A security key is a small device that you touch, or the screen lock of your phone or computer."),
        needed=lazy(
            "You need a key with USB, NFC or Bluetooth, or a device that can keep a passkey. It is the safest way:"
            " it never works on a copy of this site. You can add several, and need no other method beside them."
        ),
        later=lazy(
            "When you log in, you enter your password and then use your key. A key that checks who holds it can log"
            " you in without a password."
        ),
        button=ByDevice(computer=lazy("Start"), phone=lazy("Start"), iphone=lazy("Start")),
    ),
    steps=(PASSWORD_UNLESS_FRESH, *CONFIRMED_EMAIL, OVERVIEW_ONCE, TOUCH, NAME, DONE_IF_FIRST),
    begin=begin,
    challenge=Challenge(
        template="challenge/security-key.html",
        fields=KeyFields,
        hint=lambda factor, account: gettext("Security key"),
        source=lambda factor, account: gettext("Have your security key ready, then use the button."),
        verify=verify,
        is_code=False,
        show=show,
        uses=used,
    ),
    several=Several(
        path="security-keys",
        title=lazy("Manage security keys"),
        template="two_factor/security-keys.html",
        label=LabelFields,
        another=TOUCH.slug,
        describe=describe,
        tell_browser=tell_browser,
        gone=gone,
    ),
    alone=Alone(ask=ask_anybody, unknown=unknown, is_here=is_here, external_id=slot_of, verify=verify_alone),
)
