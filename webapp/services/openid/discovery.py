"""What an app reads first: the addresses of this OpenID Connect provider and what it can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...models.registered_apps import ALGORITHMS, SCOPES
from .signed_proofs import PROOF_ALGORITHMS

AUTHORIZE, TOKEN, USERINFO, KEYS = "/oauth/authorize", "/oauth/token", "/oauth/userinfo", "/oauth/keys"
REVOKE, INTROSPECT, LOG_OUT, PUSH = "/oauth/revoke", "/oauth/introspect", "/oauth/log-out", "/oauth/par"
DEVICE = "/oauth/device"
CLAIMS = ("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash", "name",
          "preferred_username", "locale", "updated_at", "email", "email_verified", "phone_number",
          "phone_number_verified", "groups")  # fmt: skip
SFA, MFA, PHR = "https://refeds.org/profile/sfa", "https://refeds.org/profile/mfa", "phr"
"""Authentication context classes: REFEDS SFA and MFA profiles, and phishing-resistant (OpenID EAP ACR Values 1.0)."""
BASIC, POST, NONE = "client_secret_basic", "client_secret_post", "none"
BY_ASSERTION = "private_key_jwt"
CONFIDENTIAL = (BY_ASSERTION, BASIC, POST)
EVERY_CLIENT = (*CONFIDENTIAL, NONE)
"""How an app proves itself (OpenID Connect Core 1.0 section 9)."""
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
GRANTS = ("authorization_code", "refresh_token", DEVICE_CODE)
PROMPTS = ("none", "login", "consent", "select_account")
MODES = ("query", "form_post")


def document(issuer: str, languages: Sequence[str]) -> dict[str, Any]:
    """The metadata of OpenID Connect Discovery 1.0 section 3, which are those of RFC 8414 section 2 too.

    `issuer` is the URL of the main host; `languages` are BCP 47 tags.
    """
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}{AUTHORIZE}",
        "token_endpoint": f"{issuer}{TOKEN}",
        "userinfo_endpoint": f"{issuer}{USERINFO}",
        "jwks_uri": f"{issuer}{KEYS}",
        "revocation_endpoint": f"{issuer}{REVOKE}",
        "introspection_endpoint": f"{issuer}{INTROSPECT}",
        "device_authorization_endpoint": f"{issuer}{DEVICE}",  # RFC 8628 section 4
        "end_session_endpoint": f"{issuer}{LOG_OUT}",
        "pushed_authorization_request_endpoint": f"{issuer}{PUSH}",  # RFC 9126 section 5
        "backchannel_logout_supported": True,  # Back-Channel Logout 1.0 section 2.1
        "backchannel_logout_session_supported": True,
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": MODES,
        "grant_types_supported": GRANTS,
        "subject_types_supported": ["pairwise", "public"],
        "id_token_signing_alg_values_supported": ALGORITHMS,
        "token_endpoint_auth_methods_supported": EVERY_CLIENT,
        "token_endpoint_auth_signing_alg_values_supported": PROOF_ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": EVERY_CLIENT,
        "revocation_endpoint_auth_signing_alg_values_supported": PROOF_ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": CONFIDENTIAL,
        "introspection_endpoint_auth_signing_alg_values_supported": PROOF_ALGORITHMS,
        "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,  # RFC 9449 section 5.1
        "claims_supported": CLAIMS,
        "claims_parameter_supported": True,
        "acr_values_supported": [SFA, MFA, PHR],
        "prompt_values_supported": PROMPTS,  # Initiating User Registration 1.0 section 2
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,  # RFC 9207 section 3
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "ui_locales_supported": languages,
    }
