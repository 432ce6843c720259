"""Security keys and passkeys (WebAuthn Level 3): the method that resists phishing, as a key answers its own site only.

An account may have several, each with a name. One that verifies its user and stores the account's user handle logs in
without a password. A public key is no secret, so it is not sealed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import and_, bindparam, or_, select, update
from wtforms import StringField
from wtforms.validators import InputRequired

from ..domain.base64url import as_bytes, as_text
from ..domain.devices import device, is_phone
from ..domain.forecast import PHONE, Authenticator, Loss
from ..domain.key_refusals import KeyChanged, KeyCloned, KeyRefused, KeyUnknown, KeyUnverified
from ..domain.labels import tidy_label, unused_label
from ..domain.language import gettext, lazy
from ..domain.origin import Origin
from ..domain.refusals import FactorExists
from ..models.accounts import Account
from ..models.database import Transaction, changed_one_row
from ..models.factors import Factor
from ..services.attempts import Attempts, single_use
from ..services.browser_needs import BrowserNeeds
from ..services.ceremonies import Ceremonies, challenge_in, id_in
from ..services.core import Core
from ..services.enrollment.common_steps import CONFIRMED_EMAIL, DONE, OVERVIEW_ONCE, PASSWORD_UNLESS_FRESH
from ..services.method import Answers, ByDevice, Challenge, NewFactor, Overview, Step, Visit
from ..services.method_kinds import Passwordless

MODELS = Path(__file__).with_name("authenticators.tsv")
RISES = or_(
    Factor.counter < bindparam("count"),
    and_(Factor.counter == 0, bindparam("count") == 0),  # a key without a counter (section 6.1.1)
)
ACCEPT_COUNT = (
    update(Factor)
    .where(Factor.id == bindparam("factor"), Factor.turned_off_at.is_(None), RISES)
    .values(counter=bindparam("count"), logged_in_at=bindparam("now"), attributes=bindparam("known"))
)
STILL_ON = select(Factor.id).where(Factor.id == bindparam("factor"), Factor.turned_off_at.is_(None))


class KeyFields:
    """The answer of the key, which JavaScript fills in. It is not shown again, so the template writes the input."""

    credential = StringField()


class LabelFields:
    name = StringField(lazy("Key name"), [InputRequired(lazy("Enter a name for the key."))])


@dataclass(frozen=True)
class Touch(Step):
    """The registration ceremony (section 7.1)."""

    slug, template = "touch", "enrollment/security-key/touch.html"
    fields = KeyFields
    ceremonies: Ceremonies
    attempts: Attempts

    def done(self, visit: Visit) -> bool:
        return "key" in visit.notes

    def show(self, visit: Visit) -> dict[str, Any]:
        account, keys = visit.account, _descriptors(visit.factors)
        options = self.ceremonies.creation(visit.challenge, _user_handle(visit), account.username, account.name, keys)
        return {"options": options}

    def submit(self, visit: Visit, answers: Answers) -> None:
        """Raises a `KeyRefused`, `FactorExists` or `TooManyAttempts`."""
        visit.count_attempt("touch")
        self.attempts.count(single_use(_used_by(answers)))
        key = self.ceremonies.registered(answers["credential"], visit.challenge)
        if _external_id(as_bytes(key.id)) in {f.external_id for f in visit.factors}:
            raise FactorExists()
        attributes = {
            "id": key.id,
            "key": key.public_key,
            "user": _user_handle(visit),
            "model": key.model,
            "transports": key.transports,
            "syncs": key.syncs,
            "synced": key.synced,
            "verifies": key.verified,
            "browser": visit.origin.browser,
            "phone": is_phone(visit.origin.user_agent),
        }
        visit.note(key=attributes, count=key.count)


class Name(Step):
    """The name that the owner gives the key."""

    slug, template = "name", "enrollment/security-key/name.html"
    fields = LabelFields

    def done(self, visit: Visit) -> bool:
        return False

    def show(self, visit: Visit) -> dict[str, Any]:
        key, labels = visit.notes["key"], [f.label for f in visit.factors]
        kind = device(visit.origin.user_agent) if "internal" in key["transports"] else gettext("Security key")
        return {"suggested": {"name": unused_label(_models().get(key["model"], kind), labels)}}

    def submit(self, visit: Visit, answers: Answers) -> None:
        """Raises `NameMalformed` or `LabelTaken`. `Enrollment.submit` raises `FactorExists` for a key in use."""
        key, labels = visit.notes["key"], [f.label for f in visit.factors]
        label = tidy_label(answers["name"], labels, visit.core.policy.name_maximum)
        external_id, count = _external_id(as_bytes(key["id"])), visit.notes["count"]
        visit.turn_on(NewFactor("", count, external_id, label, attributes=json.dumps(key)))


@dataclass(frozen=True)
class SecurityKey(Passwordless):
    core: Core
    attempts: Attempts
    ceremonies: Ceremonies

    slug, title = "security-key", lazy("Security key")
    template, fields = "challenge/security-key.html", KeyFields
    is_code = False
    path, list_title, list_template = "security-keys", lazy("Manage security keys"), "two_factor/security-keys.html"
    label_fields = LabelFields
    first_step = Touch.slug
    overview = Overview(
        what=lazy("Use a passkey (your face, fingerprint, or screen lock) or a physical security key."),
        needed=lazy(
            "A USB, NFC, or Bluetooth security key, or a phone or computer that supports passkeys. This is"
            " the safest method because it can't be phished. You can add more than one, and you don't need"
            " any other method."
        ),
        later=lazy(
            "You'll enter your password, then use your key. If your key has a PIN or fingerprint sensor, you"
            " can skip the password."
        ),
        button=ByDevice(computer=lazy("Start"), phone=lazy("Start"), iphone=lazy("Start")),
    )
    browser_needs = BrowserNeeds(
        script=lazy("Security keys need JavaScript, which is turned off in this browser. Turn it on, or:"),
        keys=lazy("This browser can't use security keys. Use another browser, or:"),
    )

    def steps(self) -> Sequence[Step]:
        touch = Touch(self.ceremonies, self.attempts)
        return PASSWORD_UNLESS_FRESH, *CONFIRMED_EMAIL, OVERVIEW_ONCE, touch, Name(), DONE

    def begin(self, visit: Visit) -> dict[str, Any]:
        return {"user": as_text(visit.core.entropy.bytes(visit.core.policy.user_handle_bytes))}

    # -- The challenge, and the log-in without a password ------------------------------------------------

    def source(self, challenge: Challenge) -> str:
        return gettext("Get your security key ready, then choose the button.")

    def show(self, challenge: Challenge) -> dict[str, Any]:
        return {"options": self.ceremonies.request(challenge.name, _descriptors(challenge.factors))}

    def single_use(self, answers: Answers) -> str:
        return _used_by(answers)

    def verify(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """Verifies one of the account's keys, after the password. Raises a `KeyRefused`."""
        self._verify(tx, challenge, answers, alone=False)

    def ask(self, challenge_name: str) -> dict[str, Any]:
        options: dict[str, Any] = self.ceremonies.request(challenge_name, ())
        return options

    def external_id(self, answers: Answers) -> str:
        return _external_id(id_in(answers.get("credential", "")))

    def verify_alone(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """Verifies a key without a password: it must name the account's user handle and verify its user."""
        self._verify(tx, challenge, answers, alone=True)

    def authenticators(self, account: Account, factors: Sequence[Factor]) -> list[Authenticator]:
        keys = sorted(factors, key=lambda f: f.id)
        return [Authenticator(key.label, _lost_with(key), _attributes(key)["verifies"], is_label=True) for key in keys]

    def _verify(self, tx: Transaction, challenge: Challenge, answers: Answers, *, alone: bool) -> None:
        """Section 7.2, for which `alone` means that no password was proved."""
        external_id = self.external_id(answers)
        factor = next((f for f in challenge.factors if f.external_id == external_id), None)
        if factor is None:
            raise KeyUnknown()
        known = _attributes(factor)
        seen = self.ceremonies.asserted(answers["credential"], challenge.name, known["key"])
        if seen.syncs != known["syncs"]:
            raise KeyChanged()
        if (seen.user or alone) and seen.user != known["user"]:
            raise KeyRefused()
        if alone and not (seen.verified and known["verifies"]):
            # who finds a key without a PIN can set one, so it must have verified its user before (uvInitialized, 7.2)
            raise KeyUnverified()
        learned = {"synced": seen.synced, "verifies": known["verifies"] or seen.verified}
        values = {"factor": factor.id, "count": seen.count, "now": self.core.clock.now()}
        if not changed_one_row(tx, ACCEPT_COUNT, {**values, "known": json.dumps({**known, **learned})}):
            if tx.execute(STILL_ON, {"factor": factor.id}).first() is None:
                raise KeyUnknown()  # deleted since it was read
            raise KeyCloned(name=factor.label)

    # -- The list of keys ------------------------------------------------------------------------------

    def describe(self, factor: Factor, origin: Origin) -> list[str]:
        known = _attributes(factor)
        if "internal" not in known["transports"]:
            where = gettext("Portable key")
        else:
            where = gettext("On this device") if self.is_here(factor, origin) else gettext("On another device")
        synced = gettext("Synced to your other devices") if known["synced"] else gettext("Not synced")
        return [where, synced, *([gettext("Can be used without a password (passkey)")] if known["verifies"] else [])]

    def icon_of(self, factor: Factor) -> str:
        known = _attributes(factor)
        if "internal" not in known["transports"]:
            return "stick"
        return "phone" if known.get("phone") else "laptop"

    def is_here(self, factor: Factor, origin: Origin) -> bool:
        known = _attributes(factor)
        return "internal" in known["transports"] and known["browser"] == origin.browser != ""

    def browser_hints(self, account: Account, factors: Sequence[Factor]) -> dict[str, Any]:
        """For signalAllAcceptedCredentials and signalCurrentUserDetails (section 5.1.10)."""
        if not factors:
            return {}
        keys = [_attributes(f) for f in factors]
        about = {"rpId": self.ceremonies.rp_id, "userId": keys[0]["user"]}
        accepted = {**about, "allAcceptedCredentialIds": [key["id"] for key in keys]}
        return {"accepted": accepted, "details": {**about, "name": account.username, "displayName": account.name}}

    def removal_hints(self, factor: Factor) -> dict[str, Any]:
        return self._unknown(_attributes(factor)["id"])

    def unknown_hints(self, answers: Answers) -> dict[str, Any]:
        return self._unknown(as_text(id_in(answers.get("credential", ""))))

    def _unknown(self, credential_id: str) -> dict[str, Any]:
        """For signalUnknownCredential (section 5.1.10)."""
        return {"unknown": {"rpId": self.ceremonies.rp_id, "credentialId": credential_id}}


def _user_handle(visit: Visit) -> str:
    """One handle for all keys of an account, so that browsers group them; it identifies no person (section 14.6.1)."""
    user: str = _attributes(visit.factors[0])["user"] if visit.factors else visit.notes["user"]
    return user


def _used_by(answers: Answers) -> str:
    """The name under which the answer's challenge is used up: it allows one answer, right or wrong."""
    return f"ceremony:{sha256(challenge_in(answers.get('credential', ''))).hexdigest()}"


def _attributes(factor: Factor) -> dict[str, Any]:
    attributes: dict[str, Any] = json.loads(factor.attributes)
    return attributes


def _lost_with(factor: Factor) -> tuple[Loss, ...]:
    """Nothing for a key that is synced to other devices. Over "hybrid", it is a phone that answers (section 5.8.4)."""
    known, own = _attributes(factor), Loss(f"{factor.method}:{factor.id}", factor.label, is_label=True)
    if known["synced"]:
        return ()
    if "internal" not in known["transports"]:
        return (PHONE,) if "hybrid" in known["transports"] else (own,)
    if "hybrid" in known["transports"] or known.get("phone"):
        return (PHONE,)
    return (own,) if "phone" in known else (own, PHONE)  # of earlier keys, the device is not known


def _descriptors(factors: Sequence[Factor]) -> list[dict[str, Any]]:
    keys = [_attributes(f) for f in factors]
    return [{"type": "public-key", "id": key["id"], "transports": key["transports"]} for key in keys]


def _external_id(credential_id: bytes) -> str:
    """A hash, short enough for an index: a credential id may have 1023 bytes (section 7.1)."""
    return sha256(credential_id).hexdigest()


@cache
def _models() -> dict[str, str]:
    """Names of authenticator models by AAGUID."""
    lines = MODELS.read_text("utf-8").splitlines()
    return dict(line.split("\t") for line in lines if line and not line.startswith("#"))
