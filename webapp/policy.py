"""The limits and lifetimes of the product, each with its source.

ASVS is OWASP ASVS 5.0, NIST is SP 800-63B-4. Durations are in whole seconds. An operator can change the numbers in
`BOUNDS`, within those bounds, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .environment import SettingsError, whole_number

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

WARN_AT_LEFT = 2  # the page says how many attempts are left from this number down

PREFIX = "NIGHTLATCH_POLICY_"
BOUNDS: dict[str, tuple[int, int]] = {  # what an operator can change: minimum and maximum
    "password_minimum": (8, 64),
    "argon2_memory_kib": (19456, 1048576),
    "argon2_passes": (2, 10),
    "remember_browsers": (0, 1),
}


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window: at most `most` in any `seconds`."""

    most: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Policy:
    # Passwords
    password_minimum: int = 15  # NIST 3.1.1.2, ASVS V6.2.1
    password_maximum: int = 256  # characters
    password_maximum_bytes: int = 1024
    password_guesses: int = 10**10  # fewer are too few, as zxcvbn estimates them
    argon2_memory_kib: int = 19456  # OWASP Password Storage Cheat Sheet, RFC 9106
    argon2_passes: int = 2
    hashes_at_once: int = 4  # in one process; bounds its memory
    hashes_waiting: int = 80  # what a core hashes in `hash_queue_seconds`: more would wait for nothing
    hash_queue_seconds: int = 2
    password_attempts: Window = Window(10, 15 * MINUTE)  # ASVS V6.3.1; by name and network, or of a known browser
    password_first_wait: int = 30  # doubles with each further failure
    password_longest_wait: int = HOUR
    password_attempts_address: Window = Window(30, 15 * MINUTE)
    password_failures_in_a_row: int = 100  # NIST 3.2.2; then none from an unknown browser is compared
    login_links: Window = Window(1, HOUR)  # mailed to one account, or asked for by one name
    login_link_seconds: int = HOUR  # not less than the window: the earlier e-mail must still work
    known_network: int = 30 * DAY  # since an app succeeded from there

    # Sign-up
    sign_ups: tuple[Window, ...] = (Window(20, HOUR), Window(100, DAY))  # of one network

    # The owner's account
    username_change_every: int = 30 * DAY
    username_change_waits: int = DAY  # so that its owner can stop it
    username_changes_asked: Window = Window(3, DAY)  # those that were stopped, too
    recovery_waits: int = DAY  # before an operator's reset of second factors, so that the owner can stop it
    recoveries_started: Window = Window(3, DAY)  # of one account: each one mails and texts its owner
    recovery_why_maximum: int = 200
    deletion_waits: int = 30 * DAY  # a full log-in undoes it
    exports: Window = Window(3, DAY)  # of one account

    # Second factors
    challenge_attempts: int = 5  # then the log-in starts again at the password
    second_factor_attempts: tuple[Window, ...] = (Window(5, 5 * MINUTE), Window(20, HOUR), Window(50, DAY))
    second_factor_failures_in_a_row: int = 100  # NIST 3.2.2; then codes are refused
    wrong_codes_told: int = 5  # the owner gets a mail after so many, ASVS V6.3.5
    wrong_code_mails: tuple[Window, ...] = (Window(1, HOUR), Window(5, DAY))
    totp_step: int = 30  # RFC 6238 section 5.2
    totp_steps_aside: int = 1
    totp_slow_told: int = 10 * MINUTE  # a code this old is refused, but the page says that the clock is slow
    totp_secret_bytes: int = 20  # 160 bits, RFC 4226 section 4 R6

    # Codes and links by e-mail
    email_code_seconds: int = HOUR  # greylisting delays mail
    email_code_attempts: int = 5
    resend_after: int = MINUTE
    email_sends: Window = Window(10, HOUR)  # of one account; to one address by its owner, and by all others
    email_sends_day: Window = Window(20, DAY)  # to one address: by its confirmed owner, and by all others together
    email_sends_stranger: Window = Window(5, DAY)  # to one address that is not one's own: of an account, of a network
    email_sends_network: tuple[Window, ...] = (Window(60, HOUR), Window(200, DAY))
    email_claimants: int = 4  # accounts to which codes for one unconfirmed address are sent in a day
    reset_link_seconds: int = HOUR  # ASVS V6.4.3
    reset_sends: Window = Window(5, DAY)  # for one account, and from one network
    reset_sends_always: Window = Window(1, HOUR)  # for one account, whatever was sent before
    reset_sends_address: Window = Window(100, HOUR)  # an office may share one address
    email_undo_seconds: int = 7 * DAY  # ASVS V6.3
    email_undo_waits: int = DAY  # with a second factor on, so that an older factor can stop it
    notice_link_seconds: int = 7 * DAY
    invitation_seconds: int = 3 * DAY

    # Codes by text message
    text_code_seconds: int = 10 * MINUTE  # ASVS V6.6.2
    text_warning_seconds: int = 3 * DAY  # of delivery attempts: the phone may be off over a weekend
    text_code_attempts: int = 5
    text_gap: Window = Window(1, MINUTE)  # between two texts to one number
    text_sends_challenge: int = 3
    text_sends: tuple[Window, ...] = (Window(5, HOUR), Window(10, DAY))  # of one account
    text_sends_others: Window = Window(3, DAY)  # to one number, by all accounts whose number it is not
    text_sends_address: Window = Window(20, HOUR)
    text_sends_network: Window = Window(100, HOUR)  # of enrollments and changes: five times as many as an address
    text_sends_prefix: Window = Window(10, HOUR)  # the same, to numbers that differ only in their last four digits
    text_budget_kept: int = 50  # per cent of the daily budget that are kept for numbers that are factors
    accounts_of_number: int = 3  # that can have one phone number
    text_budget_warnings: tuple[int, ...] = (80, 100)  # per cent of the daily budget

    # Security keys (WebAuthn Level 3)
    ceremony_seconds: int = 5 * MINUTE  # section 15.1
    credential_id_bytes: int = 1023  # section 7.1, step 25
    user_handle_bytes: int = 64  # section 14.6.1

    # Login requests (NIST 3.1.3, ASVS V6.6.4)
    request_seconds: int = 5 * MINUTE
    requests: tuple[Window, ...] = (Window(3, 10 * MINUTE), Window(10, DAY))  # of one account
    denials_that_pause: int = 2  # in a row
    pushes_paused: int = HOUR  # after that many denials
    asks_every: int = 2  # seconds between two polls of the waiting page
    asks_slower_after: int = MINUTE
    asks_slower_every: int = 5

    # Contacts
    contacts: int = 1000  # of one account
    contact_lookups: Window = Window(2000, DAY)  # new numbers of one account; stops enumeration of numbers
    contact_entries: int = 2000  # read from one upload
    contact_entries_day: Window = Window(10_000, DAY)  # read from all uploads of one account, fit or not

    # Sessions (ASVS V7.3, NIST 2.2.3)
    session_idle: int = HOUR
    session_total: int = DAY
    kept_session_idle: int = 7 * DAY
    kept_session_total: int = 30 * DAY
    pending_login_seconds: int = 10 * MINUTE
    fresh: int = 10 * MINUTE  # ASVS V7.5.1
    clock_ahead: int = MINUTE  # a time further ahead was written while the clock was wrong, and counts for nothing
    remembered_browser: int = 30 * DAY
    remember_browsers: bool = True
    known_browser: int = 365 * DAY
    session_seen_every: int = MINUTE  # "last seen" is written at most this often
    account_used_every: int = DAY  # the last use of an account likewise
    access_entries_shown: int = 100  # entries on the page of sessions; "Log out all others" ends the rest too
    activity_page: int = 25  # events on one page
    operator_page: int = 100  # accounts on one page of an operator

    # Legacy access, for apps that know only a password
    temporary_password_seconds: int = HOUR  # from its generation
    temporary_passwords: Window = Window(5, DAY)  # generated or texted, of one account
    texted_again: int = 10 * MINUTE  # then an unused text may be replaced by another: it may be lost
    refused_access_seconds: int = 10 * MINUTE  # after a refused app, a text is sent within this time or not at all
    app_session_idle: int = 7 * DAY  # as kept_session_idle
    app_session_total: int = 30 * DAY
    legacy_cache_seconds: int = 4  # so that a revoked password is refused within 5 s
    legacy_cache_size: int = 10_000  # entries; 3 MB of a process

    # Apps
    app_secrets: int = 2  # of one app that work at a time, so that it can be given the next before the last one ends
    token_seconds: int = 10 * MINUTE  # of access and ID tokens; our choice
    authorization_request_seconds: int = HOUR  # for log-in, enrollment and consent
    proof_for_request: int = MINUTE  # what a proof that a request asked for counts at least; our choice
    authorize_characters: int = 8000  # stored of one request; our choice
    authorize_requests: Window = Window(300, HOUR)  # stored without a session, of one network; our choice
    code_seconds: int = MINUTE  # at most ten (RFC 6749 section 4.1.2); our choice
    device_code_seconds: int = 10 * MINUTE  # RFC 8628 section 3.2; our choice
    device_interval: int = 5  # seconds between two polls, RFC 8628 section 3.2; each early one adds 5, section 3.5
    device_requests: Window = Window(300, HOUR)  # stored, of one network; our choice
    device_codes_session: int = 5  # wrong ones, RFC 8628 section 5.1; our choice
    device_codes_network: Window = Window(20, HOUR)  # the same of one network
    refresh_token_idle: int = 30 * DAY  # without a use (RFC 9700 section 4.14.2); our choice
    client_assertion_seconds: int = 10 * MINUTE  # at most ahead of now; our choice
    client_keys_cached: int = 5 * MINUTE  # the keys at an app's address; our choice
    client_keys_again: int = MINUTE  # for an unknown key they are fetched again, at most this often; our choice
    dpop_proof_aside: int = MINUTE  # of its time, either side; RFC 9449 section 11.1
    dpop_proof_kept: int = 5 * MINUTE  # its jti, so that it is used once
    pushed_request_seconds: int = MINUTE  # RFC 9126 section 2.2
    client_failures: Window = Window(10, 15 * MINUTE)  # of one client from one network; our choice
    guarded_logins: Window = Window(1000, HOUR)  # begun from one network, which may be a whole company; our choice
    guarded_login_seconds: int = 10 * MINUTE  # of a log-in on the way to a guarded host; our choice
    guarded_path_characters: int = 4000  # kept of one request to a guarded host; our choice
    guarded_check_seconds: int = 5  # then a check is refused, as the shipped configurations do
    assertion_seconds: int = MINUTE  # of the signed statement for a guarded application; our choice
    assertion_cached: int = 20  # seconds, in which every request of a page has the same one; our choice
    refusals_of_network: Window = Window(60, HOUR)  # kept for `flask why`; our choice
    refusals_noted: Window = Window(300, HOUR)  # kept in total: 50 000 rows in a week
    refusals_kept: int = 7 * DAY
    logout_token_seconds: int = 2 * MINUTE  # OpenID Connect Back-Channel Logout 1.0 section 2.4
    ended_lately: int = 10 * MINUTE  # for which each round of the worker looks; a slower one looks for all; our choice
    signing_key_seconds: int = 90 * DAY  # for which a key signs; our choice
    signing_key_ahead: int = DAY  # for which it is published before it signs
    signing_keys_cached: int = HOUR  # by this site's processes, and by apps

    # Enrollment
    draft_seconds: int = 30 * MINUTE
    new_backup_code_seconds: int = 30 * MINUTE  # kept sealed for its session, until its owner has saved it
    turn_back_on_seconds: int = 10 * MINUTE

    # Input
    body_bytes: int = 64 * 1024
    upload_bytes: int = 1024 * 1024  # of a contacts file with its form; a thousand cards of a phone have 377 KB
    name_maximum: int = 60
    username_maximum: int = 30

    # Messages
    retry_after: tuple[int, ...] = (MINUTE, 5 * MINUTE, 15 * MINUTE)
    mail_timeout: int = 20
    text_timeout: int = 20
    push_timeout: int = 20
    server_timeout: int = 5  # a whole call of an app's server, so that messages do not wait for it; our choice
    server_answer_bytes: int = 64 * 1024  # that are read of it; a set of keys (RFC 7517) has a few KiB; our choice
    worker_claims_for: int = 2 * MINUTE

    test_messages: Window = Window(5, 10 * MINUTE)  # of one operator, each an email and a text; our choice
    messages_shown: int = 50  # on the operator's page, and as many that failed

    flood: Window = Window(600, MINUTE)  # failed POSTs from one address

    # Retention
    activity_kept: int = 180 * DAY
    activity_address_kept: int = 30 * DAY
    messages_kept: int = 30 * DAY
    ended_kept: int = DAY
    unconfirmed_kept: int = 30 * DAY  # accounts without a confirmed address, since their last use

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Policy:
        """The defaults, changed by NIGHTLATCH_POLICY_ variables within `BOUNDS`. Raises `SettingsError`."""
        changes: dict[str, Any] = {}
        for variable, text in environ.items():
            if not variable.startswith(PREFIX) or not text.strip():
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in BOUNDS:
                choices = ", ".join(PREFIX + known.upper() for known in sorted(BOUNDS))
                raise SettingsError(f"{variable} is not a setting of the policy; these are: {choices}.")
            changes[name] = whole_number(variable, text.strip(), *BOUNDS[name])
        return cls(**changes)
