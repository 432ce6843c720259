"""The sentence of each refusal, in one table; only a refusal of a single method has its sentence in the method's file.

A test fails for a refusal without a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from markupsafe import Markup

from ..domain import account_refusals as a
from ..domain import budget_refusals as b
from ..domain import contact_refusals as c
from ..domain import key_refusals as k
from ..domain import refusals as r
from ..domain import request_refusals as q
from ..domain.language import gettext as _
from ..domain.language import ngettext, npgettext
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


WORDS: dict[type[r.Refusal], Callable[[Any], str]] = {
    r.WrongPassword: lambda _r: _("Wrong password. Try again."),
    r.WrongLogin: lambda _r: _("Wrong username or password. Check both and try again."),
    r.WrongLoginHere: lambda _r: _(
        "That username and password didn't work here. Check them, or have a link emailed to you."
    ),
    r.TemporaryPasswordHere: lambda _r: _(
        "That username and password didn't work here. Temporary passwords only work in apps: use your usual password."
    ),
    r.PasswordTooShort: lambda e: _("Use at least %(minimum)s characters.", minimum=e.minimum),
    r.PasswordTooLong: lambda e: _("Use %(maximum)s characters or fewer.", maximum=e.maximum),
    r.PasswordTooCommon: lambda _r: _("That password is too common and easy to guess. Choose another."),
    r.PasswordTooEasy: lambda _r: _("That password is easy to guess. Add another word or two."),
    r.PasswordIsOneOfYourWords: lambda _r: _(
        "That password is too close to your name or this site's name. Choose another."
    ),
    a.SignUpClosed: lambda _r: _("Accounts are created by the people who run this site. Ask them for an account."),
    a.UsernameTaken: lambda _r: _("That username is taken. Try another."),
    a.UsernameUnchanged: lambda _r: _("This is already your username. Enter a different one."),
    a.UsernameChangeWaits: lambda _r: _("A change of your username is already waiting. Nothing else was changed."),
    a.UsernameChangedLately: lambda e: times.sentence(
        _("You can change your username once in 30 days. Try again after %(time)s."), time=times.at(e.until)
    ),
    a.TooManyExports: lambda e: _(
        "You've downloaded your data too often today. Try again in %(wait)s.", wait=until(e.seconds)
    ),
    a.UsernameReserved: lambda _r: _("This username is reserved. Choose another."),
    a.UsernameMalformed: lambda _r: _(
        "Use 2 to 30 letters (A to Z), numbers, dots, dashes, or underscores. Start and end with a letter or number."
    ),
    a.NameMalformed: lambda _r: _("Enter a name with up to 60 characters."),
    r.EmailMalformed: lambda _r: _("Enter a valid email address, like name@example.com."),
    r.AddressTaken: lambda _r: _("That email address belongs to another account."),
    r.PhoneMalformed: lambda _r: _("Enter a complete phone number and choose its country."),
    r.PhoneNotMobile: lambda _r: _("This number can't receive texts. Enter a mobile number."),
    r.PhonePremium: lambda _r: _("This is a premium-rate number. Enter a mobile number."),
    r.CountryNotServed: lambda _r: _("We don't send texts to that country. Use a number from a country in the list."),
    b.NumberTaken: lambda e: _(
        "This number already belongs to %(most)s accounts. Enter a different phone number.", most=e.most
    ),
    c.NoNumbersInFile: lambda _r: _("There's no phone number in this file. Choose another file."),
    c.NotContacts: lambda _r: _("This file isn't a contact list. Choose a file that ends in .vcf."),
    c.FileTooLarge: lambda e: _(
        "This file is too large. Choose one of at most %(megabytes)s MB, without photos.", megabytes=e.megabytes
    ),
    c.NoNumbers: lambda _r: _("Choose a contacts file or enter phone numbers."),
    c.TooManyContacts: lambda e: _(
        "That's more than %(maximum)s contacts, so none were added. Upload fewer.", maximum=e.maximum
    ),
    r.CodeMalformed: lambda e: _("Enter the complete code."),
    r.WrongCode: lambda e: _("Wrong code. Check it and try again."),
    r.CodeAlreadyUsed: lambda e: _("That code was already used. Enter a new one."),
    r.CodeExpired: lambda e: _("That code has expired. Request a new one."),
    r.CodeFromEarlierMessage: lambda e: _("That code is from an earlier message. Use the latest one."),
    r.ClockSlow: _clock_slow,
    r.WrongBackupCode: lambda e: _("Wrong backup code. Check it and try again."),
    k.NoCredential: lambda _r: _(
        "We didn't get an answer from your security key. It needs JavaScript: turn it on, or choose another method."
    ),
    k.KeyRefused: lambda _r: _("That didn't work. Nothing was changed. Try again."),
    k.KeyChanged: lambda _r: _(
        "This key isn't the same as when you added it, so trying again won't help. Log in another way, then delete it"
        " and add it again."
    ),
    k.CeremonyExpired: lambda _r: _("That took too long. Nothing was changed. Try again."),
    k.KeyUnknown: lambda _r: _("We don't recognize that key. Try another one."),
    k.KeyUnverified: lambda _r: _(
        "That key didn't verify you with a PIN, face, or fingerprint, so it can't replace your password. Log"
        " in with your password."
    ),
    k.KeyCloned: lambda _r: _(
        "We rejected that key because it may have been cloned, and emailed its owner. Choose another method."
    ),
    q.TooManyRequests: lambda e: _(
        "Too many login requests. You can send another in %(wait)s, or choose another method.",
        wait=until(e.seconds),
    ),
    q.NotApproved: lambda _r: _("Not approved yet. Approve it on your phone, then try again."),
    q.RequestEnded: lambda _r: _("This login request has ended. Nothing was changed."),
    q.NotThisPhone: lambda _r: _("You can deny it here. To approve, use a phone where login requests are turned on."),
    q.NumberMalformed: lambda _r: _("Enter the six-digit number."),
    q.WrongNumber: lambda _r: _("That number doesn't match the other screen, so we canceled this login."),
    q.SubscriptionRefused: lambda _r: _(
        "This browser's notifications don't work here. Choose Not now; you can still find requests under"
        " Login requests."
    ),
    r.FactorExists: lambda _r: _("You've already added that security key. Try a different one."),
    r.LabelTaken: lambda _r: _("You already have one with that name. Choose another name."),
    r.ChallengeExhausted: lambda _r: _("Too many wrong codes. Log in again to continue."),
    r.CodesBlocked: lambda _r: _(
        "Codes are blocked after too many wrong attempts. Log in with another method or your backup code."
    ),
    r.TooManyAttempts: lambda e: _("Too many attempts. Try again in %(wait)s.", wait=until(e.seconds)),
    a.TooManySignUps: lambda e: _(
        "Many accounts were created from your network. Try again in %(wait)s.", wait=until(e.seconds)
    ),
    r.TooManyLogins: lambda e: _("Too many attempts. Try again in %(wait)s.", wait=until(e.seconds)),
    r.MailLimitReached: lambda e: _(
        "You've reached the limit of codes for this address. Try again in %(wait)s, or use a different address.",
        wait=until(e.seconds),
    ),
    b.NetworkMailLimitReached: lambda e: _(
        "Your network requested too many codes. Try again in %(wait)s.", wait=until(e.seconds)
    ),
    r.TooSoon: lambda e: _("We just sent a code. You can request another in %(wait)s.", wait=until(e.seconds)),
    r.PageTooOld: lambda _r: _("This page was out of date. Nothing was changed. Try again."),
    r.CookiesOff: lambda _r: _(
        "This site needs cookies, and your browser sent none. Allow cookies for this site, then try again."
    ),
    r.StepClosed: lambda _r: _("That step isn't available yet. Continue here."),
    r.AlreadyDone: lambda _r: _("That's already done, maybe in another tab. Here's the current status."),
    a.ChangesPaused: lambda e: times.sentence(
        _(
            "Someone asked to bring back your old email address. Until %(time)s, your email, phone number, password"
            " and second factors can't be changed."
        ),
        time=times.at(e.until),
    ),
    r.NotFresh: lambda _r: _("First, verify it's you."),
    r.TextLimitReached: lambda e: _(
        "We can't text you now. Try again in %(wait)s, or choose another method.", wait=until(e.seconds)
    ),
    c.TooManyLookups: lambda e: _(
        "That's more new numbers than we allow in a day, so none were added. Try again in %(wait)s.",
        wait=until(e.seconds),
    ),
    r.TooManyTemporaryPasswords: lambda e: _(
        "You've reached today's limit for temporary passwords. Try again in %(wait)s.", wait=until(e.seconds)
    ),
    r.TooManyTexts: lambda _r: _("We've already sent three codes. Enter the latest one, or choose another method."),
    r.LoginExpired: lambda _r: _("Your login timed out or was canceled. Log in again."),
    r.LinkInvalid: lambda _r: _("This link no longer works."),
    r.EmailRequired: lambda _r: _("Confirm your email address first."),
    r.NotFound: lambda _r: _("We can't find that page."),
    r.Busy: lambda e: _("The site is busy right now. Try again in %(wait)s.", wait=until(e.seconds)),
    r.DatabaseUnavailable: lambda e: _(
        "We can't save changes right now. Try again in %(wait)s.", wait=until(e.seconds)
    ),
    **app_words.WORDS,
}


def say(refusal: r.Refusal) -> str:
    """The sentence of the refusal in the current language, with a warning when few attempts are left."""
    sentence = _own(refusal) or WORDS[type(refusal)](refusal)
    if isinstance(refusal, r.CodeRefusal) and 0 < refusal.left <= WARN_AT_LEFT:
        attempts = ngettext("You have %(num)s attempt left.", "You have %(num)s attempts left.", refusal.left)
        return f"{sentence} {attempts}"
    return sentence


def say_plainly(refusal: r.Refusal) -> str:
    """As `say`, for what is no page: without the elements of times."""
    sentence = say(refusal)
    return sentence.striptags() if isinstance(sentence, Markup) else sentence


def _own(refusal: r.Refusal) -> str | None:
    return refusal.sentence % {"wait": until(refusal.wait or 0)} if refusal.sentence is not None else None


def place(refusal: r.Refusal, form: Any) -> None:
    """Shows the refusal beside the field it belongs to, or above the form when the form has no such field."""
    form.refusal = refusal
    sentence = say(refusal)
    if refusal.field is not None and refusal.field in form:
        field = form[refusal.field]
        field.errors = [*field.errors, sentence]
    else:
        form.form_errors.append(sentence)


def place_others(problems: Callable[[], Iterable[r.Refusal]], form: Any) -> None:
    """When a field of the form is wrong, says of its other fields too what is wrong with them, so that all is said at
    once. `problems` is asked only then."""
    if not form.errors or form.form_errors:
        return
    for problem in problems():
        if problem.field in form and not form[problem.field].errors:
            place(problem, form)
