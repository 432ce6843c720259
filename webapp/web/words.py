"""The sentence of each refusal, in one table; only a refusal of a single method has its sentence in the method's file.

A test fails for a refusal without a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..domain import account_refusals as a
from ..domain import budget_refusals as b
from ..domain import contact_refusals as c
from ..domain import key_refusals as k
from ..domain import refusals as r
from ..domain import request_refusals as q
from ..domain.language import gettext as _
from ..domain.language import ngettext
from ..domain.moments import minute
from ..policy import WARN_AT_LEFT


def duration(seconds: int) -> str:
    """The wait in seconds, minutes or hours, rounded up."""
    if seconds < 90:
        return ngettext("%(num)s second", "%(num)s seconds", max(1, seconds))
    if seconds < 90 * 60:
        return ngettext("%(num)s minute", "%(num)s minutes", -(-seconds // 60))
    return ngettext("%(num)s hour", "%(num)s hours", -(-seconds // 3600))


def _clock_slow(refusal: Any) -> str:
    return ngettext(
        "That code is out of date. Your phone's clock seems about %(num)s minute slow. Turn on automatic time in its"
        " settings and try again.",
        "That code is out of date. Your phone's clock seems about %(num)s minutes slow. Turn on automatic time in its"
        " settings and try again.",
        refusal.minutes,
    )


WORDS: dict[type[r.Refusal], Callable[[Any], str]] = {
    r.WrongPassword: lambda _r: _("That password is wrong. Try again."),
    r.WrongLogin: lambda _r: _("The username or the password is wrong. Check both and try again."),
    r.WrongLoginHere: lambda _r: _(
        "That username and password didn't work here. Check them, or have a link emailed to you."
    ),
    r.TemporaryPasswordHere: lambda _r: _(
        "That username and password didn't work here. A temporary password works only in apps: use your usual password."
    ),
    r.PasswordTooShort: lambda e: _("Use at least %(minimum)s characters.", minimum=e.minimum),
    r.PasswordTooLong: lambda e: _("Use at most %(maximum)s characters.", maximum=e.maximum),
    r.PasswordTooCommon: lambda _r: _("Many people use this password, so it is guessed first. Choose another."),
    r.PasswordTooEasy: lambda _r: _("That password is easy to guess. Add another word or two."),
    r.PasswordIsOneOfYourWords: lambda _r: _(
        "This is little more than your name or the site's, which is guessed first. Choose another."
    ),
    a.SignUpClosed: lambda _r: _("Accounts are created by the people who run this site. Ask them for one."),
    a.UsernameTaken: lambda _r: _("This username is taken. Choose another."),
    a.UsernameReserved: lambda _r: _("This username is reserved. Choose another."),
    a.UsernameMalformed: lambda _r: _(
        "Use 2 to 30 letters from A to Z, digits, dots, dashes or underscores, with a letter or digit at both ends."
    ),
    a.NameMalformed: lambda _r: _("Enter a name of 1 to 60 characters."),
    r.EmailMalformed: lambda _r: _("Enter an email address in the form name@example.org."),
    r.AddressTaken: lambda _r: _("That email address belongs to another account."),
    r.PhoneMalformed: lambda _r: _("Enter a whole phone number, and choose the country it belongs to."),
    r.PhoneNotMobile: lambda _r: _("This number cannot get text messages. Enter the number of a mobile phone."),
    r.PhonePremium: lambda _r: _("Messages to this number cost extra. Enter the number of a mobile phone."),
    r.CountryNotServed: lambda _r: _(
        "We do not send text messages to that country. Enter a number from one of the countries in the list."
    ),
    b.NumberTaken: lambda e: _(
        "This number already belongs to %(most)s accounts. Enter a different phone number.", most=e.most
    ),
    c.NoNumbersInFile: lambda _r: _("There's no phone number in this file. Choose another file."),
    c.NotContacts: lambda _r: _("This file isn't a contact list. Choose a file that ends in .vcf."),
    c.FileTooLarge: lambda e: _(
        "This file is too large. Choose one of at most %(kilobytes)s KB, without photos.", kilobytes=e.kilobytes
    ),
    c.NoNumbers: lambda _r: _("Choose a contacts file, or enter phone numbers."),
    c.TooManyContacts: lambda e: _(
        "That is more than %(maximum)s contacts, so none was kept. Upload fewer.", maximum=e.maximum
    ),
    r.CodeMalformed: lambda e: _("Enter the whole code."),
    r.WrongCode: lambda e: _("That code is wrong. Check it and try again."),
    r.CodeAlreadyUsed: lambda e: _("That code was already used. Enter a new one."),
    r.CodeExpired: lambda e: _("That code has expired. Ask for a new one."),
    r.CodeFromEarlierMessage: lambda e: _("That code is from an earlier message. Use the newest one."),
    r.ClockSlow: _clock_slow,
    r.WrongBackupCode: lambda e: _("That backup code is wrong. Check it and try again."),
    k.NoCredential: lambda _r: _(
        "Nothing came from a security key: that needs JavaScript. Turn it on, or choose another method."
    ),
    k.KeyRefused: lambda _r: _("That did not work, and nothing was changed. Try again."),
    k.KeyChanged: lambda _r: _(
        "This key isn't the same as when you added it, so trying again won't help. Log in another way, then delete it"
        " and add it again."
    ),
    k.CeremonyExpired: lambda _r: _("That took too long, and nothing was changed. Try again."),
    k.KeyUnknown: lambda _r: _("That key is not known here. Try another one."),
    k.KeyUnverified: lambda _r: _(
        "That key did not check who holds it, by PIN, face or fingerprint, so it cannot log you in alone."
        " Use your password."
    ),
    k.KeyCloned: lambda _r: _(
        "That key was refused: there may be a copy of it. We e-mailed its owner. Choose another method."
    ),
    q.TooManyRequests: lambda e: _(
        "Too many login requests were sent. Another can be sent in %(wait)s, or choose another method.",
        wait=duration(e.seconds),
    ),
    q.NotApproved: lambda _r: _("Your phone has not approved it yet. Approve it there, then try again."),
    q.RequestEnded: lambda _r: _("This login request is over. Nothing was changed."),
    q.NotThisPhone: lambda _r: _(
        "You can deny it here. Approving takes a phone on which you turned on login requests."
    ),
    q.NumberMalformed: lambda _r: _("Enter the number of six digits."),
    q.WrongNumber: lambda _r: _("That is not the number on the other screen, so this log-in was ended."),
    q.SubscriptionRefused: lambda _r: _(
        "This browser's notifications cannot be used here. Choose Not now: the list works without them."
    ),
    r.FactorExists: lambda _r: _("That security key is added already. Try another one."),
    r.LabelTaken: lambda _r: _("You have one of that name. Choose another name."),
    r.ChallengeExhausted: lambda _r: _("That was too many wrong codes. Enter your password again."),
    r.CodesBlocked: lambda _r: _(
        "There were too many wrong codes in a row, so codes are stopped. Log in with another method or a backup code."
    ),
    r.TooManyAttempts: lambda e: _("That was too many tries. Try again in %(wait)s.", wait=duration(e.seconds)),
    a.TooManySignUps: lambda e: _(
        "Many accounts were created from your network. Try again in %(wait)s.", wait=duration(e.seconds)
    ),
    r.TooManyLogins: lambda e: _("That was too many tries. Try again in %(wait)s.", wait=duration(e.seconds)),
    r.MailLimitReached: lambda e: _(
        "We send only so many codes to one address. Another can be sent in %(wait)s, or enter a different address.",
        wait=duration(e.seconds),
    ),
    b.NetworkMailLimitReached: lambda e: _(
        "Your network requested too many codes. Try again in %(wait)s.", wait=duration(e.seconds)
    ),
    r.TooSoon: lambda e: _("A code was sent a moment ago. Another can be sent in %(wait)s.", wait=duration(e.seconds)),
    r.PageTooOld: lambda _r: _("The page was old. Nothing was changed; try again."),
    r.CookiesOff: lambda _r: _(
        "This site needs cookies, and your browser sent none. Allow cookies for this site, then try again."
    ),
    r.StepClosed: lambda _r: _("That step is not open now. Here is where you are."),
    r.AlreadyDone: lambda _r: _("This was already done, perhaps in another tab. Here is how things stand now."),
    a.ChangesPaused: lambda e: _(
        "Someone asked to bring back your earlier email address. Until %(time)s, your email, phone number, password and"
        " second factors can't be changed.",
        time=minute(e.until),
    ),
    r.NotFresh: lambda _r: _("Confirm that it is you first."),
    r.TextLimitReached: lambda e: _(
        "We can't text you now. Try again in %(wait)s, or choose another method.", wait=duration(e.seconds)
    ),
    c.TooManyLookups: lambda e: _(
        "That is more new numbers than one day allows, so none was kept. Try again in %(wait)s.",
        wait=duration(e.seconds),
    ),
    r.TooManyTemporaryPasswords: lambda e: _(
        "You had as many temporary passwords as one day allows. Make another in %(wait)s.", wait=duration(e.seconds)
    ),
    r.TooManyTexts: lambda _r: _("Three codes were sent already. Type the newest, or choose another method."),
    r.LoginExpired: lambda _r: _("That took longer than ten minutes, or was ended. Log in again."),
    r.LinkInvalid: lambda _r: _("This link no longer works."),
    r.EmailRequired: lambda _r: _("Confirm your email address first."),
    r.NotFound: lambda _r: _("There is nothing at this address."),
    r.Busy: lambda e: _("Many people are logging in right now. Try again in %(wait)s.", wait=duration(e.seconds)),
    r.DatabaseUnavailable: lambda e: _(
        "We cannot save anything right now. Try again in %(wait)s.", wait=duration(e.seconds)
    ),
}


def say(refusal: r.Refusal) -> str:
    """The sentence of the refusal in the current language, with a warning when few attempts are left."""
    sentence = _own(refusal) or WORDS[type(refusal)](refusal)
    if isinstance(refusal, r.CodeRefusal) and 0 < refusal.left <= WARN_AT_LEFT:
        left = ngettext("%(num)s try is left.", "%(num)s tries are left.", refusal.left)
        return f"{sentence} {left}"
    return sentence


def _own(refusal: r.Refusal) -> str | None:
    return refusal.sentence % {"wait": duration(refusal.wait or 0)} if refusal.sentence is not None else None


def place(refusal: r.Refusal, form: Any) -> None:
    """Shows the refusal beside the field it belongs to, or above the form when the form has no such field."""
    form.refusal = refusal
    sentence = say(refusal)
    if refusal.field is not None and refusal.field in form:
        field = form[refusal.field]
        field.errors = [*field.errors, sentence]
    else:
        form.form_errors.append(sentence)
