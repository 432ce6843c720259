"""The rules of what an app signs: assertions in place of a secret, and proofs that it has a key (DPoP)."""

from __future__ import annotations

from .rule import LOOK_AT_APP, Rule

PROOFS: dict[str, Rule] = {
    "client-assertion": Rule(
        "The client assertion is signed with a key of the app, and meant for this site, now.",
        "RFC 7523 section 3, OpenID Connect Core 1.0 section 9",
        "The answer says what is wrong. Compare keys, aud and the clock of the app, and register its keys again.",
        ("The client assertion is refused.",),
    ),
    "client-keys": Rule(
        "The app's keys can be fetched from their address.",
        "OpenID Connect Core 1.0 section 10.1",
        "Open the address from this machine. A private one needs its network in NIGHTLATCH_PRIVATE_ADDRESSES or on the "
        "app's page.",
        ("The client assertion is refused. The app's keys could not be fetched",),
    ),
    "client-assertion-used": Rule(
        "A client assertion is used once.",
        "RFC 7523 section 3",
        "Let the app sign a new assertion, with another jti, for each request.",
        ("The client assertion was used before.",),
    ),
    "dpop": Rule(
        "The DPoP proof is signed by its own key, and made for this request, now.",
        "RFC 9449 section 4.3",
        "The answer says what is wrong. Compare htm, htu and the clock of the app.",
        ("The DPoP proof is refused.",),
        ("invalid_dpop_proof",),
    ),
    "dpop-used": Rule(
        "A DPoP proof is used once.",
        "RFC 9449 section 11.1",
        "Let the app sign a new proof, with another jti, for each request.",
        ("The DPoP proof was used before.",),
    ),
    "dpop-missing": Rule(
        "An app of which DPoP is demanded, and one whose login is bound to a key, sends a DPoP proof.",
        "RFC 9449 sections 5, 7.1 and 10",
        "Turn on DPoP in the app, or turn off the demand on the app's page.",
        ("A DPoP proof is demanded.", "The access token must be bound to a key."),
    ),
    "dpop-key": Rule(
        "The proof is made with the key to which the login or the token is bound.",
        "RFC 9449 sections 5, 7.1 and 10",
        "Let the app keep one key for each login, and send its tokens with a proof, as DPoP and not as Bearer.",
        (
            "The code or refresh token is bound to another key.",
            "The access token is not bound to this proof.",
            "The parameter dpop_jkt is not the key of the DPoP proof.",
        ),
    ),
    "dpop_jkt": Rule(
        "dpop_jkt is a SHA-256 in base64url, of 43 characters.",
        "RFC 9449 section 10",
        LOOK_AT_APP,
        ("The parameter dpop_jkt is not",),
    ),
}
