"""The rules of guarded hosts, at which a reverse proxy asks this site about each request."""

from __future__ import annotations

from .rule import Rule

HOSTS: dict[str, Rule] = {
    "host-rule": Rule(
        "No rule by path of the host denies the request.",
        "the rules of the app",
        "Change the rules on the app's page if this path should be open; its form tells which rule matches a path.",
    ),
    "host-credentials": Rule(
        "The Authorization header has a temporary password, the token of an app, or the password of an account without "
        "a second factor.",
        "RFC 9110 section 11.6.2",
        "Let the person make a temporary password, and enter it in the program with the username.",
    ),
    "host-limit": Rule(
        "Log-ins are begun, and passwords tried, no faster than the limits of this site allow.",
        "guarded_logins and the limits of passwords in webapp/policy.py",
        "Wait. If it goes on, look which program on that network sends the requests.",
    ),
    "host-login": Rule(
        "A login to a guarded host ends within ten minutes, once, and in the browser in which it began.",
        "guarded_login_seconds and code_seconds in webapp/policy.py",
        "Open the app again. If it happens often, see that the browser takes cookies of the host and that its proxy "
        "passes /.nightlatch/start and /.nightlatch/back as they are.",
    ),
}
