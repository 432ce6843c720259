"""The rules of the addresses that apps call by themselves."""

from __future__ import annotations

from .rule import COPY_ID, LOOK_AT_APP, NEW_LOGIN, Rule

MACHINES: dict[str, Rule] = {
    "content-type": Rule(
        "The body is a form, application/x-www-form-urlencoded.",
        "RFC 6749 section 3.2",
        "Let the app send a form, not JSON.",
        ("The content type must be",),
    ),
    "grant_type": Rule(
        "grant_type is one that is offered here.",
        "RFC 6749 section 5.2",
        "Choose the authorization code flow in the app; passwords are not taken here.",
        ("The parameter grant_type is missing.",),
        ("unsupported_grant_type",),
    ),
    "grant-allowed": Rule(
        "The app may use this grant.",
        "RFC 6749 section 5.2",
        "Turn the grant on for the app.",
        errors=("unauthorized_client",),
    ),
    "client-twice": Rule(
        "An app names itself once and proves itself once, in a header or in the form.",
        "RFC 6749 section 2.3",
        "Choose one of client_secret_basic, client_secret_post and private_key_jwt in the app.",
        ("The client is named or proved in more than one way",),
    ),
    "client-failures": Rule(
        "An app fails to prove itself at most 10 times in 15 minutes from one network.",
        "client_failures in webapp/policy.py",
        "Wait 15 minutes, then correct the client ID and secret in the app.",
        ("Too many failed attempts.",),
    ),
    "client-proof": Rule(
        "The app is registered here and proves itself by its secret, or by its keys if it has some; a public app sends "
        "its name alone.",
        "RFC 6749 sections 2.3 and 5.2",
        "Copy client ID and secret into the app again, or generate a new secret on the app's page.",
        ("The client cannot authenticate with methods",),
        ("invalid_client",),
    ),
    "client-unknown": Rule(
        "client_id names an app that is registered here.",
        "RFC 6749 section 5.2",
        COPY_ID,
        ("Missing 'client_id' parameter.", "The client does not exist on this server."),
    ),
    "code-missing": Rule(
        "The form has the code.", "RFC 6749 section 4.1.3", LOOK_AT_APP, ("Missing 'code' in request.",)
    ),
    "code-unknown": Rule(
        "The code was given to this app.",
        "RFC 6749 section 5.2",
        "Check that the app uses one client ID for both requests, and one of its processes for one login.",
        ("Invalid 'code' in request.",),
    ),
    "code-used": Rule(
        "A code is used once, within 60 seconds.",
        "RFC 6749 section 4.1.2",
        NEW_LOGIN,
        ("The code has expired or was used before.",),
    ),
    "code-ended": Rule(
        "The login that gave the code is still valid, and the account may use the app.",
        "RFC 6749 section 5.2",
        NEW_LOGIN,
        ("There is no 'user' for this code.",),
    ),
    "code-address": Rule(
        "redirect_uri is the same as in the request for the code.",
        "RFC 6749 section 4.1.3",
        "Check the address that the app has for itself, such as http behind a proxy that speaks https.",
        ("Invalid 'redirect_uri' in request.",),
    ),
    "verifier": Rule(
        "code_verifier has the code_challenge of the login as its SHA-256.",
        "RFC 7636 section 4.6",
        "Check that the app keeps the verifier with the login that it began, in one browser and one process.",
        (
            "Code challenge failed.",
            "Missing 'code_verifier'",
            "Invalid 'code_verifier'",
            "The authorization request had no 'code_challenge'",
        ),
    ),
    "refresh-missing": Rule(
        "The form has the refresh token.", "RFC 6749 section 6", LOOK_AT_APP, ("Missing 'refresh_token' in request.",)
    ),
    "refresh-used": Rule(
        "A refresh token is used once: each answer has the next one.",
        "RFC 9700 section 4.14.2",
        "Let the app store the new refresh token of each answer. The person has to log in to the app again.",
        ("The refresh token was used before.",),
    ),
    "refresh-ended": Rule(
        "The refresh token was used within 30 days, and its login was not ended.",
        "RFC 6749 section 6",
        "Let the person log in to the app again.",
        ("The refresh token has expired or has ended.", "There is no 'user' for this token."),
    ),
    "token-unknown": Rule(
        "The token was given to this app.",
        "RFC 6749 section 5.2, RFC 7009 section 2.1",
        "Let the person log in to the app again, and check that the app sends the whole token.",
        errors=("invalid_grant",),
    ),
    "resource-of-login": Rule(
        "The request for a token names no other resource than the login did.",
        "RFC 8707 section 2.2",
        "Let the app send resource with its login request too.",
        ("The login was for another resource.",),
    ),
    "bearer": Rule(
        "The Authorization header has an access token: Bearer and a space before it.",
        "RFC 6750 section 2.1",
        "Let the app send the access token of its login.",
        ("The access token is missing.",),
    ),
    "access-token": Rule(
        "The access token is younger than 10 minutes, and its login was not ended.",
        "RFC 6750 section 3.1",
        "Let the app get a new one by its refresh token, or let the person log in again.",
        ("The access token has expired or has ended.",),
        ("invalid_token",),
    ),
    "audience": Rule(
        "The access token is for this site, not for another resource.",
        "RFC 8707 section 3",
        "Let the app ask without resource for the token that it sends here.",
        ("The access token is for another server.",),
    ),
    "scope-openid": Rule(
        "The access token has the scope openid.",
        "OpenID Connect Core 1.0 section 5.3",
        "Let the app ask for the scope openid.",
        ("The scope openid is needed.",),
        ("insufficient_scope",),
    ),
    "proof": Rule(
        "The login is as new, and its proof as strong, as the app demands now.",
        "RFC 9470 section 3",
        "Let the app send the person to log in again, with acr_values or max_age of the answer.",
        ("The app asks for a newer or a stronger proof.",),
        ("insufficient_user_authentication",),
    ),
    "malformed": Rule(
        "The request has all parameters that its address needs.",
        "RFC 6749 section 5.2, RFC 7009 section 2.1, RFC 7662 section 2.1",
        LOOK_AT_APP,
        errors=("invalid_request",),
    ),
    "flood": Rule(
        "Few requests of one network address are refused.",
        "flood in webapp/policy.py",
        "Wait a minute. The log has the refusals before this one, each with its rule.",
        is_stored=False,
    ),
}
