"""WebAuthn: answers that are wrong in one value, answers for another ceremony, and keys of other users.

Each attack is made in all four places where a key answers: when it is added, at log-in, at step-up, and as a passkey.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from tests.attacks.races import Racers, request_of
from tests.attacks.tools import (
    BOOKKEEPING,
    account_id,
    cookies_of,
    count,
    everything,
    forged_token,
    give,
    is_in,
    live_sessions,
    old_token,
    second_factor_attempts,
    stale,
    stored,
    thief_of,
    unguessable_attempts,
)
from tests.authenticator import ES384, Authenticator, b64, unb64
from tests.conftest import Site, one_database
from tests.people import ANDROID, HOST, TWO_FACTOR, Owner, Page, Person
from tests.prepared import prepare
from webapp.models.factors import Factor
from webapp.models.sessions import Attempt
from webapp.services.ceremonies import LONGEST_ANSWER

KEYS = f"{TWO_FACTOR}/security-key"
LIST = f"{TWO_FACTOR}/security-keys"
OPTIONS = "/log-in/passkey/options"
HOME = "Welcome, Ada Lovelace"
CHALLENGE = "Use your security key"
REFUSED = "That didn't work. Nothing was changed. Try again."
CHANGED = (
    "This key isn't the same as when you added it, so trying again won't help. Log in another way, then delete it"
    " and add it again."
)
EXPIRED = "That took too long. Nothing was changed. Try again."
UNKNOWN = "We don't recognize that key. Try another one."
AT_ONCE = 20
COPIED = "We rejected that key because it may have been cloned, and emailed its owner. Choose another method."
TAKEN = "You've already added that security key. Try a different one."
ADDED, LOG_IN, STEP_UP, PASSKEY = PLACES = ("added", "log-in", "step-up", "alone")

each_place = pytest.mark.parametrize("place", PLACES)
each_use = pytest.mark.parametrize("place", [PASSKEY, LOG_IN, STEP_UP])


def with_key(site: Site, username: str, **options: Any) -> Owner:
    """A user with one security key and no other method, logged in."""
    owner = Owner.signed_up(site, username)
    owner.turn_on_key(owner.new_key(**options))
    prepare(owner, "got it", lambda: owner.press("Got it"))
    return owner


@pytest.fixture
def vera(site: Site) -> Owner:
    """Her key has no signature counter, so that only the challenge protects against a repeated answer."""
    return with_key(site, "vera", counts=False)


@pytest.fixture
def olga(site: Site) -> Owner:
    """Another user with a key of her own."""
    return with_key(site, "olga", counts=False)


def key_of(owner: Owner) -> Authenticator:
    assert owner.key is not None
    return owner.key


class KeyPrompt:
    """A page that asks for a security key, open in a new browser."""

    def __init__(self, place: str, owner: Owner) -> None:
        self.place = place
        self.owner = owner
        self.site: Site = owner.site
        self.browser = owner.other_browser(address=f"203.0.113.{len(place)}")
        if place in (ADDED, STEP_UP):
            prepare(self.browser, "log in", self.browser.log_in)
            assert prepare(self.browser, "use the key", self.browser.use_key).h1 == HOME
        if place == STEP_UP:
            self.site.clock.pass_(601)
            assert prepare(self.browser, "verify the password", self._verify_password).h1 == CHALLENGE
        if place == LOG_IN:
            assert prepare(self.browser, "log in", self.browser.log_in).h1 == CHALLENGE

    def _verify_password(self) -> Page:
        self.browser.open("/settings/account/password")
        return self.browser.press("Verify", password=self.owner.password)

    @property
    def path(self) -> str:
        return {
            ADDED: f"{KEYS}/touch",
            LOG_IN: "/log-in/verify",
            STEP_UP: "/step-up/verify?next=/settings/account/password",
            PASSKEY: "/log-in",
        }[self.place]

    def ask(self) -> dict[str, Any]:
        if self.place == PASSKEY:
            return dict(json.loads(self.browser.post(OPTIONS).text))
        return self.reopen().options()

    def reopen(self) -> Page:
        """Opens the page again, after logging in and stepping up where that has expired."""
        page = self.browser.open(self.path)
        if page.h1 == "Log in":
            page = self.browser.log_in()
        if page.h1 == "Enter your password":
            page = self.browser.press("Verify", password=self.owner.password)
            if self.place == ADDED:
                page = self.browser.use_key()
        return page

    def sign(self, options: dict[str, Any], **wrong: Any) -> str:
        if self.place != ADDED:
            return key_of(self.owner).get(options, **wrong)
        if "signature" in wrong:
            wrong["attestation"] = "packed"  # the only attestation here with a signature
        return self.owner.new_key().create(options, **wrong)

    def send(self, credential: str) -> Page:
        return self.browser.post(self.path, credential=credential)

    def answer(self, **wrong: Any) -> Page:
        return self.send(self.sign(self.ask(), **wrong))

    def is_open(self, page: Page) -> bool:
        return page.h1 == {ADDED: "Name your key", STEP_UP: "Change your password"}.get(self.place, HOME)

    def unchanged_by_refusal(self) -> dict[str, Any]:
        """The rows that a refused answer must not change."""
        return everything(self.site, but={*BOOKKEEPING, "drafts"})


def assert_refused(prompt: KeyPrompt, page: Page, sentence: str, before: dict[str, Any]) -> None:
    assert (page.status, len(page.problems)) == (422, 1)
    assert page.problems[0] in (
        sentence,
        f"{sentence} You have 2 attempts left.",
        f"{sentence} You have 1 attempt left.",
    )
    assert not prompt.is_open(page)
    assert prompt.unchanged_by_refusal() == before
    if prompt.place in (LOG_IN, PASSKEY):
        assert not is_in(prompt.browser)
    if prompt.place == ADDED:
        assert prompt.browser.open(f"{KEYS}/name").h1 == "Add your security key", "no key waits for its name"


# -- One wrong value -------------------------------------------------------------------------------

WRONG: dict[str, dict[str, Any]] = {
    "id other than rawId": {"raw_id": b"another id"},
    "bad signature": {"signature": b"\x30\x06\x02\x01\x01\x02\x01\x01"},
    "no signature": {"signature": b""},
    "origin of a third host": {"origin": "https://evil.example"},
    "origin of a third host under ours": {"origin": f"http://www.{HOST}"},
    "origin that begins like ours": {"origin": f"http://{HOST}.evil.example"},
    "origin at another port": {"origin": "http://nightlatch.localhost:5001"},
    "origin without the port": {"origin": "http://nightlatch.localhost"},
    "origin over https": {"origin": f"https://{HOST}"},
    "origin with a slash": {"origin": f"http://{HOST}/"},
    "origin with a final dot": {"origin": "http://nightlatch.localhost.:5000"},
    "origin in capitals": {"origin": f"http://{HOST}".upper()},
    "no origin": {"origin": ""},
    "origin null": {"origin": "null"},
    "RP ID of another site": {"rp_id": "evil.example"},
    "RP ID of the phone's host": {"rp_id": "mobile.nightlatch.localhost"},
    "RP ID with the port": {"rp_id": HOST},
    "type of a payment": {"type": "payment.get"},
    "no user presence": {"user_present": False},
    "backup state without eligibility": {"backup_eligible": False, "backed_up": True},
    "in the frame of another site": {"cross_origin": True},
    "under another site": {"top_origin": "https://evil.example"},
    "another kind of credential": {"garbage": {"type": "password"}},
}


@one_database
@each_place
@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_that_is_wrong_in_one_thing_is_refused_and_changes_nothing(
    site: Site, vera: Owner, place: str, wrong: str
) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()
    assert_refused(prompt, prompt.answer(**WRONG[wrong]), REFUSED, before)
    assert prompt.is_open(prompt.answer()), "the right answer to a new challenge is taken"


@each_place
def test_an_answer_of_the_other_ceremony_type_is_refused(site: Site, vera: Owner, place: str) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()
    other = "webauthn.get" if place == ADDED else "webauthn.create"
    assert_refused(prompt, prompt.answer(type=other), REFUSED, before)


@each_place
def test_a_challenge_that_was_never_issued_is_refused(site: Site, vera: Owner, place: str) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()
    for challenge in (b"", b"0" * 32, bytes(32), unb64(prompt.ask()["challenge"]) + b"\0"):
        assert_refused(prompt, prompt.answer(challenge=challenge), EXPIRED, before)


def test_a_passkey_log_in_requires_user_verification(site: Site, vera: Owner) -> None:
    prompt = KeyPrompt(PASSKEY, vera)
    before = prompt.unchanged_by_refusal()
    page = prompt.answer(user_verified=False)
    assert page.status == 422
    assert page.problems[0].startswith("That key didn't verify you")
    assert prompt.unchanged_by_refusal() == before
    assert not is_in(prompt.browser)


@each_use
def test_a_key_with_the_user_handle_of_another_account_is_refused(
    site: Site, vera: Owner, olga: Owner, place: str
) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()
    handle = key_of(olga).credentials[0].user_handle
    assert handle != key_of(vera).credentials[0].user_handle
    assert_refused(prompt, prompt.answer(user_handle=handle), REFUSED, before)


@each_use
def test_a_key_whose_backup_eligibility_changed_is_refused(site: Site, vera: Owner, place: str) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()
    assert_refused(prompt, prompt.answer(backup_eligible=True, backed_up=True), CHANGED, before)


@pytest.mark.parametrize(
    "wrong",
    [{"algorithm": ES384}, {"id": bytes(1024)}, {"id": bytes(4000)}, {"id": b""}],
    ids=["algorithm", "1024 bytes", "4000 bytes", "no id"],
)
def test_a_new_key_with_an_unrequested_algorithm_or_an_id_too_long_is_refused(
    site: Site, vera: Owner, wrong: dict[str, Any]
) -> None:
    prompt = KeyPrompt(ADDED, vera)
    before = prompt.unchanged_by_refusal()
    assert_refused(prompt, prompt.answer(**wrong), REFUSED, before)


def test_the_longest_allowed_id_is_stored_and_used(site: Site, vera: Owner) -> None:
    prompt = KeyPrompt(ADDED, vera)
    key = vera.new_key()
    assert prompt.send(key.create(prompt.ask(), id=b"\xff" * 1023)).h1 == "Name your key"
    assert prompt.browser.press("Save", name="Long key").h1 == "Manage security keys"
    vera.key = key
    assert KeyPrompt(PASSKEY, vera).answer().h1 == HOME


# -- A challenge is good for one ceremony, once, for five minutes ----------------------------------


@each_place
def test_an_answered_challenge_is_used_up(site: Site, vera: Owner, place: str) -> None:
    prompt = KeyPrompt(place, vera)
    asked = prompt.ask()
    kept = cookies_of(prompt.browser)
    credential = prompt.sign(asked)
    assert prompt.is_open(prompt.send(credential))
    if place in (LOG_IN, PASSKEY):
        prompt.browser.log_out()
        give(prompt.browser, **kept)  # the cookies from before the log-in
        prompt.browser.page = None
    before = live_sessions(site, "vera"), count(site, "SELECT count(*) FROM factors")
    page = prompt.send(credential)
    if place == LOG_IN:
        assert page.path == "/log-in", "that pending login was ended"
    else:
        assert (page.status, page.problems) == (422, [EXPIRED])
    assert (live_sessions(site, "vera"), count(site, "SELECT count(*) FROM factors")) == before


@each_place
def test_a_wrongly_answered_challenge_is_used_up_too(site: Site, vera: Owner, place: str) -> None:
    prompt = KeyPrompt(place, vera)
    asked = prompt.ask()
    before = prompt.unchanged_by_refusal()
    assert_refused(prompt, prompt.send(prompt.sign(asked, origin="https://evil.example")), REFUSED, before)
    assert_refused(prompt, prompt.send(prompt.sign(asked)), EXPIRED, before)
    assert prompt.is_open(prompt.answer())


@each_place
def test_a_challenge_expires_after_five_minutes(site: Site, vera: Owner, place: str) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()["factors"]
    asked = prompt.ask()
    site.clock.pass_(300)
    page = prompt.send(prompt.sign(asked))
    assert (page.status, page.problems) == (422, [EXPIRED])
    assert prompt.unchanged_by_refusal()["factors"] == before
    asked = prompt.ask()
    site.clock.pass_(299)
    assert prompt.is_open(prompt.send(prompt.sign(asked)))


@each_place
def test_a_challenge_of_another_browser_is_refused(site: Site, vera: Owner, place: str) -> None:
    mine = KeyPrompt(place, vera)
    theirs = KeyPrompt(place, vera)
    theirs.ask()
    asked = mine.ask()
    before = theirs.unchanged_by_refusal()
    assert_refused(theirs, theirs.send(theirs.sign(asked)), EXPIRED, before)


@each_place
def test_a_challenge_of_another_account_is_refused(site: Site, vera: Owner, olga: Owner, place: str) -> None:
    mine = KeyPrompt(place, vera)
    theirs = KeyPrompt(place, olga)
    challenge = unb64(theirs.ask()["challenge"])
    mine.ask()
    before = mine.unchanged_by_refusal()
    assert_refused(mine, mine.answer(challenge=challenge), EXPIRED, before)


@pytest.mark.parametrize(("place", "other"), [(a, b) for a in PLACES for b in PLACES if a != b])
def test_a_challenge_of_another_ceremony_is_refused(site: Site, vera: Owner, place: str, other: str) -> None:
    elsewhere = KeyPrompt(other, vera)
    prompt = KeyPrompt(place, vera)
    challenge = unb64(elsewhere.ask()["challenge"])
    prompt.ask()
    before = prompt.unchanged_by_refusal()
    assert_refused(prompt, prompt.answer(challenge=challenge), EXPIRED, before)


def test_a_challenge_of_another_ceremony_in_the_same_browser_is_refused(site: Site, vera: Owner) -> None:
    """With the same cookies and the same session."""
    prompt = KeyPrompt(LOG_IN, vera)
    alone = json.loads(prompt.browser.post(OPTIONS).text)
    before = prompt.unchanged_by_refusal()
    page = prompt.send(key_of(vera).get(alone))
    assert (page.status, page.problems) == (422, [EXPIRED])
    asked = prompt.ask()
    page = prompt.browser.post("/log-in", credential=key_of(vera).get({**asked, "allowCredentials": []}))
    assert (page.status, page.problems) == (422, [EXPIRED])
    assert prompt.unchanged_by_refusal() == before
    assert not is_in(prompt.browser)


@pytest.mark.parametrize("place", [PASSKEY, LOG_IN, STEP_UP])
def test_a_registration_answer_does_not_log_in(site: Site, vera: Owner, place: str) -> None:
    adding, prompt = KeyPrompt(ADDED, vera), KeyPrompt(place, vera)
    asked = adding.ask()
    before = prompt.unchanged_by_refusal()
    page = prompt.send(adding.sign(asked))
    assert page.status == 422
    assert prompt.unchanged_by_refusal() == before
    page = prompt.send(vera.new_key().create({**asked, "challenge": prompt.ask()["challenge"]}))
    assert page.status == 422
    assert prompt.unchanged_by_refusal() == before


def test_an_authentication_answer_adds_no_key(site: Site, vera: Owner) -> None:
    prompt, pending = KeyPrompt(ADDED, vera), KeyPrompt(LOG_IN, vera)
    before = prompt.unchanged_by_refusal()
    assert prompt.send(pending.sign(pending.ask())).problems == [EXPIRED]
    page = prompt.send(key_of(vera).get({"challenge": prompt.ask()["challenge"]}))
    assert (page.status, page.problems) == (422, [REFUSED])
    assert prompt.unchanged_by_refusal() == before


# -- The signature counter -------------------------------------------------------------------------


@each_use
@pytest.mark.parametrize("shown", [0, 1, 9])
def test_a_counter_that_does_not_rise_is_refused_and_the_owner_is_notified(site: Site, place: str, shown: int) -> None:
    vera = with_key(site, "vera")
    while key_of(vera).credentials[0].sign_count < 9:
        other = vera.log_in_elsewhere()
        assert other.use_key().h1 == HOME
    prompt = KeyPrompt(place, vera)
    if place == STEP_UP:
        shown = min(shown, key_of(vera).credentials[0].sign_count)
    mails, before = len(site.emails(vera.email)), prompt.unchanged_by_refusal()
    page = prompt.answer(sign_count=shown)
    assert (page.status, page.problems) == (422, [COPIED])
    after = prompt.unchanged_by_refusal()
    assert {name for name in after if after[name] != before[name]} == {"activity", "links"}, "the notice, and no more"
    told = site.emails(vera.email)
    assert len(told) == mails + 1
    assert told[0].subject.startswith("We rejected Blue key because it may have been cloned")
    assert len(after["activity"]) == len(before["activity"]) + 1
    assert not is_in(prompt.browser) or place == STEP_UP


# -- Too many attempts -----------------------------------------------------------------------------


def test_after_five_wrong_answers_a_network_waits_even_for_the_right_one_and_other_networks_do_not(
    site: Site, vera: Owner
) -> None:
    """A signature cannot be guessed, so wrong ones use up no attempt of the challenge and refuse no code."""
    prompt = KeyPrompt(LOG_IN, vera)
    for _ in range(5):
        page = prompt.answer(origin="https://evil.example")
        assert (page.status, page.problems) == (422, [REFUSED])
    asked = prompt.ask()
    page = prompt.send(prompt.sign(asked))
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) == 300
    assert not is_in(prompt.browser)
    assert unguessable_attempts(site, "vera") == 5, "a refused try is not counted again"
    assert second_factor_attempts(site, "vera") == 0
    elsewhere = vera.log_in_elsewhere(address="198.51.100.1")
    assert elsewhere.use_key().h1 == HOME
    assert unguessable_attempts(site, "vera") == 0, "a full log-in"


def test_after_five_wrong_answers_the_step_up_waits_even_for_the_right_one(site: Site, vera: Owner) -> None:
    prompt = KeyPrompt(STEP_UP, vera)
    for _ in range(5):
        assert prompt.answer(origin="https://evil.example").status == 422
    page = prompt.answer()
    assert (page.status, page.h1) == (429, CHALLENGE)
    assert prompt.browser.open("/settings/account/password").h1 == CHALLENGE, "who it is stays unproved"
    site.clock.pass_(300)
    assert prompt.is_open(prompt.answer())


def test_an_attacker_who_knows_the_id_of_a_key_locks_no_user_out(site: Site, vera: Owner) -> None:
    """A signature cannot be guessed, so wrong ones without a password count for no account."""
    prompt = KeyPrompt(PASSKEY, vera)
    for _ in range(25):
        assert prompt.answer(origin="https://evil.example").status == 422
    assert not is_in(prompt.browser)
    assert second_factor_attempts(site, "vera") == 0
    assert KeyPrompt(LOG_IN, vera).answer().h1 == HOME
    assert KeyPrompt(PASSKEY, vera).answer().h1 == HOME


def test_a_known_id_with_an_unreadable_answer_is_refused_without_a_server_error(site: Site, vera: Owner) -> None:
    prompt = KeyPrompt(PASSKEY, vera)
    answer = json.loads(prompt.sign(prompt.ask()))
    answer["response"]["clientDataJSON"] = "AAAA"
    assert prompt.send(json.dumps(answer)).status == 422
    assert not is_in(prompt.browser)


def test_a_key_added_without_user_verification_is_no_passkey(site: Site) -> None:
    """A finder could set a PIN of their own on it (WebAuthn Level 3 section 7.2, uvInitialized)."""
    uma = Owner.signed_up(site, "uma")
    key = uma.new_key(verifies=False)
    uma.turn_on_key(key)
    key.verifies = True
    prompt = KeyPrompt(PASSKEY, uma)
    assert prompt.answer().status == 422
    assert not is_in(prompt.browser)
    assert KeyPrompt(LOG_IN, uma).answer().h1 == HOME, "with the password it may show that it checks"
    assert KeyPrompt(PASSKEY, uma).answer().h1 == HOME


def test_adding_a_key_has_twenty_attempts_an_hour(site: Site, vera: Owner) -> None:
    prompt = KeyPrompt(ADDED, vera)
    for _ in range(19):  # the first attempt was the user's own key
        assert prompt.answer(origin="https://evil.example").status == 422
    page = prompt.answer()
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0


NOTHINGS: tuple[dict[str, Any], ...] = (
    {},
    {"credential": ""},
    {"credential": "null"},
    {"credential": "[]"},
    {"credential": "{}"},
    {"credential": "false"},
    {"credential": "000000"},
    {"mfa": "false"},
    {"code": "000000"},
    {"credential": "x" * 5000},
)


@one_database
@pytest.mark.parametrize("fields", NOTHINGS, ids=lambda fields: str(fields)[:40])
def test_a_missing_answer_is_a_counted_failure(site: Site, vera: Owner, fields: dict[str, Any]) -> None:
    prompt = KeyPrompt(LOG_IN, vera)
    page = prompt.browser.post(prompt.path, follow=False, **fields)
    assert page.status == 422
    assert prompt.browser.cookie("session") is None
    assert unguessable_attempts(site, "vera") == 1


@one_database
@pytest.mark.parametrize("fields", NOTHINGS, ids=lambda fields: str(fields)[:40])
@pytest.mark.parametrize("place", [ADDED, STEP_UP])
def test_a_missing_answer_in_the_other_places_is_refused_without_a_server_error(
    site: Site, vera: Owner, place: str, fields: dict[str, Any]
) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()
    assert prompt.browser.post(prompt.path, follow=False, **fields).status == 422
    assert prompt.unchanged_by_refusal() == before


GARBAGE = (
    "[" * 20_000,
    '{"a":' * 4_500,
    '{"id": "\\ud800", "rawId": "\\ud800", "response": {"clientDataJSON": "\\ud800"}}',
    '{"id": 5, "response": {"clientDataJSON": 5}}',
    '{"id": ["AAAA"], "response": {"clientDataJSON": ["AAAA"]}}',
    '{"id": "AAAA", "response": null}',
    '{"id": "%%%", "response": {"clientDataJSON": "%%%"}}',
    '[["id", "AAAA"]]',
    '{"id": "AAAA", "response": {"clientDataJSON": "' + b64(b'{"challenge": "AAAA"}') + '"}}',
    '{"id": "AAAA", "response": {"clientDataJSON": "' + b64(b'{"challenge": null}') + '"}}',
    '{"id": "AAAA", "response": {"clientDataJSON": "' + b64(b'{"challenge": {"a": 1}}') + '"}}',
    '{"id": "AAAA", "response": {"clientDataJSON": "' + b64(b"[" * 30_000) + '"}}',
    "9" * 5000,
    "٣٤٥",
    "NaN",
)


@one_database
@each_place
@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: repr(garbage[:50]))
def test_a_malformed_answer_is_refused_without_a_server_error(
    site: Site, vera: Owner, place: str, garbage: str
) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()
    for text in (garbage, f" {garbage}\n"):
        assert prompt.send(text).status == 422
    assert prompt.unchanged_by_refusal() == before


@each_place
def test_a_challenge_of_any_length_is_refused_without_a_server_error_and_stores_little(
    site: Site, vera: Owner, place: str
) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()
    for length in (33, 200, 5000):
        assert_refused(prompt, prompt.answer(challenge=b"c" * length), EXPIRED, before)
    with site.services.db.read() as tx:
        longest = tx.scalar(select(func.max(func.length(Attempt.bucket))))
    assert longest is not None
    assert longest <= 160, "the column holds no more: PostgreSQL refuses it, and SQLite fills up"


@each_place
def test_an_answer_that_is_longer_than_any_is_refused_unread(site: Site, vera: Owner, place: str) -> None:
    prompt = KeyPrompt(place, vera)
    before = prompt.unchanged_by_refusal()
    answer = json.loads(prompt.sign(prompt.ask()))
    page = prompt.send(json.dumps({**answer, "another": "x" * LONGEST_ANSWER}))
    assert page.status == 422
    assert prompt.unchanged_by_refusal() == before


# -- Keys of other users ----------------------------------------------------------------------------


def test_a_key_of_another_account_does_not_log_in_to_this_one(site: Site, vera: Owner, olga: Owner) -> None:
    for place in (LOG_IN, STEP_UP):
        prompt = KeyPrompt(place, vera)
        before = prompt.unchanged_by_refusal()
        credential = key_of(olga).get({"challenge": prompt.ask()["challenge"]})
        page = prompt.send(credential)
        assert (page.status, page.problems) == (422, [UNKNOWN])
        mine = key_of(vera).credentials[0].id
        page = prompt.send(key_of(olga).get({"challenge": prompt.ask()["challenge"]}, id=mine))
        assert (page.status, page.problems) == (422, [REFUSED]), "our id under another's signature"
        page = prompt.send(
            key_of(vera).get({"challenge": prompt.ask()["challenge"]}, id=key_of(olga).credentials[0].id)
        )
        assert page.status == 422
        assert prompt.unchanged_by_refusal() == before
    assert unguessable_attempts(site, "vera") >= 3


def test_a_passkey_of_another_account_logs_in_to_that_account(site: Site, vera: Owner, olga: Owner) -> None:
    prompt = KeyPrompt(PASSKEY, vera)
    before = prompt.unchanged_by_refusal()
    page = prompt.send(key_of(olga).get(prompt.ask(), id=key_of(vera).credentials[0].id))
    assert (page.status, page.problems) == (422, [REFUSED])
    mine = key_of(vera).credentials[0].user_handle
    page = prompt.send(key_of(olga).get(prompt.ask(), user_handle=mine))
    assert (page.status, page.problems) == (422, [REFUSED])
    assert prompt.unchanged_by_refusal() == before
    prompt.send(key_of(olga).get(prompt.ask()))
    assert prompt.browser.open("/settings/account").says("olga")


@pytest.mark.parametrize("act", ["rename", "delete"])
def test_a_key_of_another_account_is_answered_like_one_that_never_existed(
    site: Site, vera: Owner, olga: Owner, act: str
) -> None:
    with site.services.db.read() as tx:
        theirs = tx.scalar(select(Factor.id).where(Factor.account_id == account_id(site, "vera")))
    before = everything(site)
    seen = {
        (method, page.status, page.h1, page.soup.main.get_text(" ", strip=True))
        for number in (theirs, 9_999)
        for method, page in (
            ("GET", olga.open(f"{LIST}/{number}/{act}")),
            ("POST", olga.post(f"{LIST}/{number}/{act}", name="Mine")),
        )
    }
    sent = (404, "Page not found") if act == "rename" else (200, "Manage security keys")  # as after a second press
    assert sorted(one[:3] for one in seen) == [("GET", 404, "Page not found"), ("POST", *sent)]
    for number in ("10" * 40, "0"):
        assert olga.open(f"{LIST}/{number}/{act}").status == 404
    assert everything(site) == before


def test_only_security_keys_have_a_list(site: Site, vera: Owner) -> None:
    for path in (f"{TWO_FACTOR}/authentication-apps", f"{TWO_FACTOR}/security-keys/1", f"{LIST}/x/delete"):
        assert vera.open(path).status == 404


def test_a_key_whose_id_belongs_to_another_account_is_refused_when_it_is_saved(
    site: Site, vera: Owner, olga: Owner
) -> None:
    prompt = KeyPrompt(ADDED, olga)
    taken = key_of(vera).credentials[0].id
    copy = olga.new_key()
    assert prompt.send(copy.create(prompt.ask(), id=taken)).h1 == "Name your key", "nothing is told before"
    before = everything(site, but={*BOOKKEEPING, "drafts"})
    page = prompt.browser.press("Save", name="Copied key")
    assert (page.status, page.problems) == (422, [TAKEN])
    for told in ("vera", "Blue key"):
        assert told not in page.soup.get_text(" ")
    assert everything(site, but={*BOOKKEEPING, "drafts"}) == before
    assert "Copied key" not in prompt.browser.open(LIST).text
    assert KeyPrompt(PASSKEY, vera).answer().h1 == HOME
    page = prompt.browser.open(f"{KEYS}/touch")
    assert prompt.send(olga.new_key().create(page.options())).h1 == "Name your key", "another key goes on from here"
    assert prompt.browser.press("Save", name="Copied key").h1 == "Manage security keys"


# -- Pending logins and stolen sessions --------------------------------------------------------------


def acts(site: Site) -> list[tuple[str, dict[str, Any]]]:
    """Every request that changes keys, with a right answer where one is needed."""
    with site.services.db.read() as tx:
        number = tx.scalar(select(func.min(Factor.id)))
    return [
        (f"{KEYS}/overview", {}),
        (f"{KEYS}/touch", {"credential": "{}"}),
        (f"{KEYS}/name", {"name": "Mine"}),
        (f"{LIST}/{number}/rename", {"name": "Mine"}),
        (f"{LIST}/{number}/delete", {}),
    ]


def test_a_pending_login_adds_renames_and_deletes_no_key(site: Site, vera: Owner) -> None:
    adding = KeyPrompt(ADDED, vera)
    right = adding.sign(adding.ask())
    pending = vera.other_browser(address="203.0.113.9")
    assert pending.log_in().h1 == CHALLENGE
    before = everything(site)
    for path, fields in [*acts(site), (f"{KEYS}/touch", {"credential": right})]:
        assert pending.open(path).path == "/log-in"
        assert pending.post(path, **fields).path == "/log-in"
    for path in (LIST, KEYS, f"{KEYS}/done"):
        page = pending.open(path)
        assert page.path == "/log-in"
        assert "Blue key" not in page.text
    assert everything(site) == before


def test_a_stolen_session_changes_no_key_without_step_up(site: Site, vera: Owner) -> None:
    thief = thief_of(stale(vera))
    before = everything(site, but={*BOOKKEEPING, "kept_acts", "sessions"})
    for path, fields in acts(site):
        page = thief.post(path, **fields)
        assert page.h1 in ("Enter your password", "Security key"), path
        if path != f"{KEYS}/overview":
            assert thief.open(path).h1 == "Enter your password", path
    assert everything(site, but={*BOOKKEEPING, "kept_acts", "sessions"}) == before


def test_what_an_attacker_asked_for_is_not_done_by_the_owners_key(site: Site, vera: Owner) -> None:
    delete_path = acts(site)[-1][0]
    thief = thief_of(stale(vera))
    assert thief.post(delete_path).h1 == "Enter your password"
    vera.open("/settings/account/password")
    vera.press("Verify", password=vera.password)
    assert vera.use_key().h1 == "Change your password"
    assert count(site, "SELECT count(*) FROM factors") == 1


# -- Keys deleted in the meantime ------------------------------------------------------------------


def test_a_key_deleted_between_the_page_and_the_answer_opens_nothing(site: Site, vera: Owner) -> None:
    spare = vera.new_key()
    vera.open(LIST)
    page = vera.follow("Add another key")
    vera.press("Use security key", credential=spare.create(page.options()))
    vera.press("Save", name="Green key")
    pending, alone = KeyPrompt(LOG_IN, vera), KeyPrompt(PASSKEY, vera)
    asked, asked_alone = pending.ask(), alone.ask()
    vera.open(LIST)
    vera.follow("Delete Blue key")
    vera.press("Delete")
    before = everything(site)
    assert pending.send(pending.sign(asked)).path == "/log-in", "a key less ends every pending login"
    page = alone.send(alone.sign(asked_alone))
    assert (page.status, page.problems) == (422, [UNKNOWN])
    told = page.soup.select_one("[data-tell-browser]")
    assert told is not None, "the browser learns to offer it no more"
    unknown = json.loads(str(told["data-tell-browser"]))["unknown"]
    assert unknown == {"rpId": "nightlatch.localhost", "credentialId": b64(key_of(vera).credentials[0].id)}
    assert everything(site) == before
    assert not is_in(pending.browser)
    assert not is_in(alone.browser)


def test_a_key_deleted_during_step_up_proves_nothing(site: Site, vera: Owner) -> None:
    KeyPrompt(PASSKEY, vera).answer()
    vera.turn_on_app()
    prompt = KeyPrompt(STEP_UP, vera)
    asked = prompt.ask()
    with site.services.db.write() as tx:
        tx.execute(delete(Factor).where(Factor.method == "security-key"))
    before = prompt.unchanged_by_refusal()
    page = prompt.browser.post("/step-up/verify?method=security-key", credential=prompt.sign(asked))
    assert page.status == 404
    assert prompt.send(prompt.sign(asked)).status == 422
    assert prompt.unchanged_by_refusal() == before


def test_an_unknown_key_is_refused_and_the_browser_is_told_its_own_id_only(site: Site, vera: Owner) -> None:
    prompt, strange = KeyPrompt(PASSKEY, vera), vera.new_key()
    strange.create(KeyPrompt(ADDED, vera).ask())
    before = prompt.unchanged_by_refusal()
    page = prompt.send(strange.get(prompt.ask(), id=b"</div><script>"))
    assert (page.status, page.problems) == (422, [UNKNOWN])
    told = page.soup.select_one("[data-tell-browser]")
    assert told is not None
    assert json.loads(str(told["data-tell-browser"]))["unknown"]["credentialId"] == b64(b"</div><script>")
    assert prompt.unchanged_by_refusal() == before
    page = prompt.answer(origin="https://evil.example")
    assert page.soup.select_one("[data-tell-browser]") is None, "a key that is known is not forgotten for a mistake"


# -- What the options reveal -----------------------------------------------------------------------


def test_the_options_are_the_same_for_all_and_name_no_user(site: Site, vera: Owner) -> None:
    seen = []
    for browser in (Person(site.app), vera.other_browser(), vera, vera.other_browser(layout=ANDROID)):
        token = browser.token()
        site.statements.clear()
        page = browser.send("POST", OPTIONS, data={"csrf_token": token, "username": "vera"}, follow=False)
        assert page.status == 200
        assert page.response.content_type == "application/json"
        assert page.response.headers["Cache-Control"] == "no-store"
        assert [s for s in site.statements if not s.lstrip().startswith("SELECT")] == []
        told = page.response.get_json()
        assert len(unb64(told.pop("challenge"))) == 32
        seen.append(told)
    wanted = {
        "rpId": "nightlatch.localhost",
        "timeout": 300_000,
        "userVerification": "required",
        "allowCredentials": [],
    }
    assert seen == [wanted] * 4


def test_an_earlier_challenge_stays_valid_when_the_browser_asks_for_another(site: Site, vera: Owner) -> None:
    prompt = KeyPrompt(PASSKEY, vera)
    first = prompt.ask()
    second = prompt.ask()
    assert first["challenge"] != second["challenge"]
    assert prompt.is_open(prompt.send(prompt.sign(first))), "the browser's own list and the button ask by turns"


def test_the_options_demand_their_csrf_token_and_their_own_site(site: Site, vera: Owner) -> None:
    eve = vera.other_browser()
    right = eve.token()
    assert eve.send("POST", OPTIONS, data={}, follow=False).status == 400
    assert eve.send("POST", OPTIONS, data={"csrf_token": ""}, follow=False).status == 400
    for token in (forged_token(eve), old_token(site, eve), vera.token(), "x"):
        page = eve.send("POST", OPTIONS, data={"csrf_token": token}, follow=False)
        assert page.status == 422
        assert page.response.content_type == "application/problem+json"
        told = json.loads(page.text)
        assert told["status"] == 422
        assert told["detail"] == told["title"] == "This page was out of date. Nothing was changed. Try again."
        assert "challenge" not in page.text
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        page = eve.send("POST", OPTIONS, data={"csrf_token": right}, headers=headers, follow=False)
        assert page.status == 403
    for method in ("GET", "PUT", "DELETE"):
        assert eve.send(method, OPTIONS, data={"csrf_token": right}, follow=False).status == 405
    assert eve.send("POST", OPTIONS, data={"csrf_token": right}, follow=False).status == 200


def test_a_passkey_without_the_csrf_token_opens_nothing(site: Site, vera: Owner) -> None:
    prompt = KeyPrompt(PASSKEY, vera)
    credential = prompt.sign(prompt.ask())
    before = prompt.unchanged_by_refusal()
    for token in (forged_token(prompt.browser), old_token(site, prompt.browser), vera.token()):
        page = prompt.browser.send("POST", "/log-in", data={"csrf_token": token, "credential": credential})
        assert (page.status, page.problems) == (422, ["This page was out of date. Nothing was changed. Try again."])
    assert prompt.browser.send("POST", "/log-in", data={"credential": credential}).status == 400
    assert prompt.unchanged_by_refusal() == before
    assert not is_in(prompt.browser)
    assert prompt.send(credential).h1 == HOME, "what was never looked at is not used up"


def test_a_password_or_username_sent_with_a_passkey_is_ignored(site: Site, vera: Owner, olga: Owner) -> None:
    prompt = KeyPrompt(PASSKEY, vera)
    credential = prompt.sign(prompt.ask(), origin="https://evil.example")
    page = prompt.browser.post("/log-in", credential=credential, username="vera", password=vera.password)
    assert (page.status, page.problems) == (422, [REFUSED]), "a wrong key is no fall-back to the password"
    page = prompt.browser.post("/log-in", credential="", username="olga", password=olga.password)
    assert page.status == 422
    assert not is_in(prompt.browser)
    prompt.browser.post("/log-in", credential=prompt.sign(prompt.ask()), username="olga", password="x")
    assert prompt.browser.open("/settings/account").says("vera")


# -- Secrets in the database and the log -----------------------------------------------------------


def test_a_dump_has_no_valid_challenge_no_answer_and_no_token(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    vera = with_key(site, "vera")
    secrets: dict[str, str] = {"backup code": vera.kept_code, "backup code as typed": vera.kept_code.replace("-", "")}
    for place in (LOG_IN, PASSKEY, STEP_UP):
        prompt = KeyPrompt(place, vera)
        waiting = prompt.ask()["challenge"]
        secrets[f"challenge that waits at {place}"] = waiting
        secrets[f"the same in hex at {place}"] = unb64(waiting).hex()
        answer = json.loads(prompt.sign(prompt.ask()))
        for part in ("clientDataJSON", "signature"):
            secrets[f"{part} at {place}"] = answer["response"][part]
        assert prompt.is_open(prompt.send(json.dumps(answer))), place
        secrets[f"session of {place}"] = cookies_of(prompt.browser)["session"].split(".")[0]
    prompt = KeyPrompt(ADDED, vera)
    made = prompt.sign(prompt.ask())
    secrets["attestation that waits for step-up"] = json.loads(made)["response"]["attestationObject"]
    site.clock.pass_(601)
    assert prompt.send(made).h1 == "Enter your password"
    places = {"log": capsys.readouterr().err.encode(), **stored(site)}
    for place, content in places.items():
        for what, secret in secrets.items():
            assert secret.encode() not in content, f"{what} in {place}"


# -- At once, from two processes -------------------------------------------------------------------


def successes(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [answer for answer in answers if answer["session"] is not None]


@pytest.mark.xdist_group("races")
def test_one_answer_sent_twenty_times_at_once_opens_one_session(
    site: Site, environ: dict[str, str], vera: Owner, racers: Racers
) -> None:
    for place in (LOG_IN, PASSKEY):
        site.clock.pass_(301)
        prompt = KeyPrompt(place, vera)
        credential = prompt.sign(prompt.ask())
        before = live_sessions(site, "vera")
        requests = [request_of(prompt.browser, prompt.path, n, credential=credential) for n in range(AT_ONCE)]
        answers = racers.race(site, environ, requests)
        assert len(successes(answers)) == 1, place
        assert live_sessions(site, "vera") == before + 1


@pytest.mark.xdist_group("races")
def test_one_answer_sent_twenty_times_at_once_proves_one_step_up(
    site: Site, environ: dict[str, str], vera: Owner, racers: Racers
) -> None:
    prompt = KeyPrompt(STEP_UP, vera)
    before = count(site, "SELECT count(*) FROM activity WHERE kind = 'stepped-up'")
    request = request_of(prompt.browser, prompt.path, credential=prompt.sign(prompt.ask()))
    racers.race(site, environ, [request] * AT_ONCE)
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'stepped-up'") == before + 1


@pytest.mark.xdist_group("races")
def test_one_new_key_sent_and_saved_twenty_times_at_once_is_added_once(
    site: Site, environ: dict[str, str], vera: Owner, racers: Racers
) -> None:
    prompt = KeyPrompt(ADDED, vera)
    request = request_of(prompt.browser, prompt.path, credential=prompt.sign(prompt.ask()))
    answers = racers.race(site, environ, [request] * AT_ONCE)
    assert [a["to"] for a in answers if a["status"] == 303].count(f"{KEYS}/name") == 1
    requests = [request_of(prompt.browser, f"{KEYS}/name", name=f"Key {n}") for n in range(AT_ONCE)]
    racers.race(site, environ, requests)
    assert count(site, "SELECT count(*) FROM factors") == 2
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'factor-added'") == 2


@pytest.mark.xdist_group("races")
def test_of_a_copy_and_the_key_with_one_count_one_succeeds(site: Site, environ: dict[str, str], racers: Racers) -> None:
    vera = with_key(site, "vera")
    prompts = [KeyPrompt(PASSKEY, vera) for _ in range(4)]
    requests = [
        request_of(prompt.browser, prompt.path, number, credential=prompt.sign(prompt.ask(), sign_count=50))
        for number, prompt in enumerate(prompts)
    ]
    answers = racers.race(site, environ, requests)
    assert len(successes(answers)) == 1, "each has a challenge of its own, and only one of them counts higher"
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'factor-copied'") == 3


@pytest.mark.xdist_group("races")
def test_one_key_deleted_twenty_times_at_once_is_notified_once(
    site: Site, environ: dict[str, str], vera: Owner, racers: Racers
) -> None:
    prompt = KeyPrompt(ADDED, vera)
    request = request_of(prompt.browser, acts(site)[-1][0])
    racers.race(site, environ, [request] * AT_ONCE)
    assert count(site, "SELECT count(*) FROM factors") == 0
    assert count(site, "SELECT count(*) FROM activity WHERE kind = 'last-factor-deleted'") == 1
