"""The catalogue of a site with the toy methods, each by one line, beside the real ones."""

from __future__ import annotations

from tests.toys import emailed_code, hotp_token
from webapp.methods.catalogue import Parts
from webapp.methods.catalogue import catalogue as real_ones
from webapp.services.method_kinds import Methods


def catalogue(parts: Parts) -> Methods:
    return Methods(
        (
            *real_ones(parts),
            hotp_token.HotpToken(parts.core),
            emailed_code.EmailedCode(parts.core, parts.attempts, parts.codes, parts.outbox),
        )
    )
