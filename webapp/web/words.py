"""The sentence of each refusal, in one table; only a refusal of a single method has its sentence in the method's file.

A test fails for a refusal without a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from markupsafe import Markup

from ..domain import account_refusals as a
from ..domain import contact_refusals as c
from ..domain import key_refusals as k
from ..domain import refusals as r
from ..domain import request_refusals as q
from ..domain.language import Sentence, lazy, ngettext, npgettext
from ..domain.language import gettext as _
from ..policy import WARN_AT_LEFT
from . import app_words, times


def until(seconds: int) -> str:
    """What follows "in": a wait in seconds, minutes or hours, rounded up."""
    unit, number = _rounded(seconds)
    if unit == "second":
        return npgettext("Try again in …", "%(num)s second", "%(num)s seconds", number)
    if unit == "minute":
        return npgettext("Try again in …", "%(num)s minute", "%(num)s minutes", number)
    return npgettext("Try again in …", "%(num)s hour", "%(num)s hours", number)


def since(seconds: int) -> str:
    """What precedes "ago", rounded up."""
    unit, number = _rounded(seconds)
    if unit == "second":
        return npgettext("… ago", "%(num)s second", "%(num)s seconds", number)
    if unit == "minute":
        return npgettext("… ago", "%(num)s minute", "%(num)s minutes", number)
    return npgettext("… ago", "%(num)s hour", "%(num)s hours", number)


def left(seconds: int) -> str:
    """How much longer something works, rounded up."""
    unit, number = _rounded(seconds)
    if unit == "second":
        return ngettext("%(num)s second left", "%(num)s seconds left", number)
    if unit == "minute":
        return ngettext("%(num)s minute left", "%(num)s minutes left", number)
    return ngettext("%(num)s hour left", "%(num)s hours left", number)


def _rounded(seconds: int) -> tuple[str, int]:
    """The unit in which the seconds are told, and how many of it, rounded up."""
    if seconds < 90:
        return "second", max(1, seconds)
    if seconds < 90 * 60:
        return "minute", -(-seconds // 60)
    return "hour", -(-seconds // 3600)


def _clock_slow(refusal: Any) -> str:
    return ngettext(
        "That code is out of date. Your phone's clock seems about %(num)s minute slow. Turn on automatic time in its"
        " settings and try again.",
        "That code is out of date. Your phone's clock seems about %(num)s minutes slow. Turn on automatic time in its"
        " settings and try again.",
        refusal.minutes,
    )


WORDS: dict[type[r.Refusal], Sentence | Callable[[Any], str]] = {
    r.WrongPassword: lazy("Wrong password. Try again."),
    r.WrongLogin: lazy("Wrong username or password. Check both and try again."),
    r.WrongLoginHere: lazy("That username and password didn't work here. Check them, or have a link emailed to you."),
    r.TemporaryPasswordHere: lazy(
        "That username and password didn't work here. Temporary passwords only work in apps: use your usual password."
    ),
    r.PasswordTooShort: lazy("Use at least %(minimum)s characters."),
    r.PasswordTooLong: lazy("Use %(maximum)s characters or fewer."),
    r.PasswordTooCommon: lazy("That password is too common and easy to guess. Choose another."),
    r.PasswordTooEasy: lazy("That password is easy to guess. Add another word or two."),
    r.PasswordIsOneOfYourWords: lazy("That password is too close to your name or this site's name. Choose another."),
    a.SignUpClosed: lazy("Accounts are created by the people who run this site. Ask them for an account."),
    a.UsernameTaken: lazy("That username is taken. Try another."),
    a.UsernameUnchanged: lazy("This is already your username. Enter a different one."),
    a.UsernameChangeWaits: lazy("A change of your username is already waiting. Nothing else was changed."),
    a.UsernameChangedLately: lambda e: times.sentence(
        _("You can change your username once in 30 days. Try again after %(time)s."), time=times.at(e.until)
    ),
    a.TooManyExports: lazy("You've downloaded your data too often today. Try again in %(wait)s."),
    a.UsernameReserved: lazy("This username is reserved. Choose another."),
    a.UsernameMalformed: lazy(
        "Use 2 to 30 letters (A to Z), numbers, dots, dashes, or underscores. Start and end with a letter or number."
    ),
    a.NameMalformed: lazy("Enter a name with up to 60 characters."),
    r.EmailMalformed: lazy("Enter a valid email address, like name@example.com."),
    r.AddressTaken: lazy("That email address belongs to another account."),
    r.PhoneMalformed: lazy("Enter a complete phone number and choose its country."),
    r.PhoneNotMobile: lazy("This number can't receive texts. Enter a mobile number."),
    r.PhonePremium: lazy("This is a premium-rate number. Enter a mobile number."),
    r.CountryNotServed: lazy("We don't send texts to that country. Use a number from a country in the list."),
    r.NumberTaken: lazy("This number already belongs to %(most)s accounts. Enter a different phone number."),
    c.NoNumbersInFile: lazy("There's no phone number in this file. Choose another file."),
    c.NotContacts: lazy("This file isn't a contact list. Choose a file that ends in .vcf."),
    c.FileTooLarge: lazy("This file is too large. Choose one of at most %(megabytes)s MB, without photos."),
    c.NoNumbers: lazy("Choose a contacts file or enter phone numbers."),
    c.TooManyContacts: lazy("That's more than %(maximum)s contacts, so none were added. Upload fewer."),
    r.CodeMalformed: lazy("Enter the complete code."),
    r.WrongCode: lazy("Wrong code. Check it and try again."),
    r.CodeAlreadyUsed: lazy("That code was already used. Enter a new one."),
    r.CodeExpired: lazy("That code has expired. Request a new one."),
    r.CodeFromEarlierMessage: lazy("That code is from an earlier message. Use the latest one."),
    r.ClockSlow: _clock_slow,
    r.WrongBackupCode: lazy("Wrong backup code. Check it and try again."),
    k.NoCredential: lazy(
        "We didn't get an answer from your security key. It needs JavaScript: turn it on, or choose another method."
    ),
    k.KeyRefused: lazy("That didn't work. Nothing was changed. Try again."),
    k.KeyChanged: lazy(
        "This key isn't the same as when you added it, so trying again won't help. Log in another way, then delete it"
        " and add it again."
    ),
    k.CeremonyExpired: lazy("That took too long. Nothing was changed. Try again."),
    k.KeyUnknown: lazy("We don't recognize that key. Try another one."),
    k.KeyUnverified: lazy(
        "That key didn't verify you with a PIN, face, or fingerprint, so it can't replace your password. Log"
        " in with your password."
    ),
    k.KeyCloned: lazy(
        "We rejected that key because it may have been cloned, and emailed its owner. Choose another method."
    ),
    q.TooManyRequests: lazy("Too many login requests. You can send another in %(wait)s, or choose another method."),
    q.NotApproved: lazy("Not approved yet. Approve it on your phone, then try again."),
    q.RequestEnded: lazy("This login request has ended. Nothing was changed."),
    q.NotThisPhone: lazy("You can deny it here. To approve, use a phone where login requests are turned on."),
    q.NumberMalformed: lazy("Enter the six-digit number."),
    q.WrongNumber: lazy("That number doesn't match the other screen, so we canceled this login."),
    q.SubscriptionRefused: lazy(
        "This browser's notifications don't work here. Choose Not now; you can still find requests under"
        " Login requests."
    ),
    r.FactorExists: lazy("You've already added that security key. Try a different one."),
    r.LabelTaken: lazy("You already have one with that name. Choose another name."),
    r.ChallengeExhausted: lazy("Too many wrong codes. Log in again to continue."),
    r.CodesBlocked: lazy(
        "Codes are blocked after too many wrong attempts. Log in with another method or your backup code."
    ),
    r.TooManyAttempts: lazy("Too many attempts. Try again in %(wait)s."),
    a.TooManySignUps: lazy("Many accounts were created from your network. Try again in %(wait)s."),
    r.TooManyLogins: lazy("Too many attempts. Try again in %(wait)s."),
    r.MailLimitReached: lazy(
        "You've reached the limit of codes for this address. Try again in %(wait)s, or use a different address."
    ),
    r.NetworkMailLimitReached: lazy("Your network requested too many codes. Try again in %(wait)s."),
    r.TooSoon: lazy("We just sent a code. You can request another in %(wait)s."),
    r.PageTooOld: lazy("This page was out of date. Nothing was changed. Try again."),
    r.CookiesOff: lazy(
        "This site needs cookies, and your browser sent none. Allow cookies for this site, then try again."
    ),
    r.StepClosed: lazy("That step isn't available yet. Continue here."),
    r.AlreadyDone: lazy("That's already done, maybe in another tab. Here's the current status."),
    a.ChangesPaused: lambda e: times.sentence(
        _(
            "Someone asked to bring back your old email address. Until %(time)s, your email, phone number, password"
            " and second factors can't be changed."
        ),
        time=times.at(e.until),
    ),
    r.NotFresh: lazy("First, verify it's you."),
    r.TextLimitReached: lazy("We can't text you now. Try again in %(wait)s, or choose another method."),
    c.TooManyLookups: lazy(
        "That's more new numbers than we allow in a day, so none were added. Try again in %(wait)s."
    ),
    r.TooManyTemporaryPasswords: lazy("You've reached today's limit for temporary passwords. Try again in %(wait)s."),
    r.TooManyTexts: lazy("We've already sent three codes. Enter the latest one, or choose another method."),
    r.LoginExpired: lazy("Your login timed out or was canceled. Log in again."),
    r.LinkInvalid: lazy("This link no longer works."),
    r.EmailRequired: lazy("Confirm your email address first."),
    r.NotFound: lazy("We can't find that page."),
    r.Busy: lazy("The site is busy right now. Try again in %(wait)s."),
    r.DatabaseUnavailable: lazy("We can't save changes right now. Try again in %(wait)s."),
    **app_words.WORDS,
}
"""A sentence has the facts of its refusal and `wait` as placeholders; a function says what needs more than these."""


def say(refusal: r.Refusal) -> str:
    """The sentence of the refusal in the current language, with a warning when few attempts are left."""
    words = refusal.sentence or WORDS[type(refusal)]
    facts = {**vars(refusal), "wait": until(refusal.wait or 0)}
    sentence = words % facts if isinstance(words, Sentence) else words(refusal)
    if isinstance(refusal, r.CodeRefusal) and 0 < refusal.left <= WARN_AT_LEFT:
        attempts = ngettext("You have %(num)s attempt left.", "You have %(num)s attempts left.", refusal.left)
        return f"{sentence} {attempts}"
    return sentence


def say_plainly(refusal: r.Refusal) -> str:
    """As `say`, for what is no page: without the elements of times."""
    sentence = say(refusal)
    return sentence.striptags() if isinstance(sentence, Markup) else sentence


def place(refusal: r.Refusal, form: Any) -> None:
    """Shows the refusal beside the field it belongs to, or above the form when the form has no such field."""
    form.refusal = refusal
    sentence = say(refusal)
    if refusal.field is not None and refusal.field in form:
        field = form[refusal.field]
        field.errors = [*field.errors, sentence]
    else:
        form.form_errors.append(sentence)


@contextmanager
def placing(form: Any, but: type[r.Refusal] | tuple[type[r.Refusal], ...] = ()) -> Iterator[None]:
    """Ends the block at a refusal, and shows it as `place` does. Those of the types `but` are raised."""
    try:
        yield
    except but:
        raise
    except r.Refusal as refusal:
        place(refusal, form)


def place_others(problems: Callable[[], Iterable[r.Refusal]], form: Any) -> None:
    """When a field of the form is wrong, says of its other fields too what is wrong with them, so that all is said at
    once. `problems` is asked only then."""
    if not form.errors or form.form_errors:
        return
    for problem in problems():
        if problem.field in form and not form[problem.field].errors:
            place(problem, form)
