"""The rules by which requests of apps are refused: what each demands, which source says so, and what would be right.

`flask why` prints them, in English only. A refusal is noted under the name of its rule; `rule_for` finds the rule by an
answer in the words of the protocol, which Authlib writes too.
"""

from __future__ import annotations

from dataclasses import dataclass

OTHER = "other"
"""The rule of an answer that is in no list here."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`demands` and `right` are sentences, `source` names a document and section.

    `said` are beginnings of `error_description`, `errors` codes of `error`, by which an answer is found.
    """

    demands: str
    source: str
    right: str
    said: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    compare: str = ""
    """The column of `RegisteredApp` with what is registered, to be printed beside what was asked."""
    is_stored: bool = True
    """False where the database itself is the trouble: the log has the refusal, and no row is written."""


COPY_ID = "Copy the client ID from the app's page (/operator/apps, or `apps list`) into the app."
NEW_LOGIN = (
    "Let the person log in to the app again. If it happens often, look whether the app sends its requests twice."
)
LOOK_AT_APP = "Compare the app's request with the documentation of its OpenID Connect library."

AUTHORIZATION: dict[str, Rule] = {
    "client_id": Rule("client_id names an app that is registered here.", "RFC 6749 section 4.1.2.1", COPY_ID),
    "redirect_uri": Rule(
        "redirect_uri is, letter by letter, one of the app's redirect addresses.",
        "RFC 9700 section 2.1",
        "Add the address that was asked for to the app's redirect addresses, or correct it in the app.",
        compare="redirect_uris",
    ),
    "repeated": Rule(
        "No parameter is sent twice.",
        "RFC 6749 section 3.1",
        "Let the app send each parameter once; only resource may be repeated.",
        ("A parameter is sent more than once", "Multiple '"),
    ),
    "long": Rule(
        "The parameters of one request have at most 8000 characters together.",
        "our choice, authorize_characters in webapp/policy.py",
        "Let the app send a shorter state, or fewer claims.",
    ),
    "expired": Rule(
        "A login to an app is finished within an hour, and its page is opened once.",
        "our choice, authorization_request_seconds in webapp/policy.py",
        "Start again in the app.",
    ),
    "answered": Rule("Each request is answered once.", "RFC 9700 section 4.7", "Start again in the app."),
    "unproved": Rule(
        "The session still has the proof that the app asks for when the app is answered.",
        "OpenID Connect Core 1.0 section 3.1.2.3",
        "Start again in the app: the session changed meanwhile.",
    ),
    "access": Rule(
        "The account has a confirmed email address, or is in a group of the app; it is neither locked nor deleted.",
        "the groups of the app",
        "Add the account to a group of the app (`groups add`), or let its owner confirm the email address.",
    ),
    "id_token_hint": Rule(
        "id_token_hint is an ID token of this site for this app.",
        "OpenID Connect Core 1.0 section 3.1.2.1, RP-Initiated Logout 1.0 section 2",
        "Let the app send the ID token as it got it, and check that it knows this site by its present address.",
        ("The id_token_hint is not a token of this app.",),
    ),
    "hint_client": Rule(
        "client_id and the app of id_token_hint are the same.",
        "OpenID Connect RP-Initiated Logout 1.0 section 2",
        "Let the app send its own ID token, or leave out client_id.",
    ),
    "post_logout_redirect_uri": Rule(
        "post_logout_redirect_uri is, letter by letter, one of the app's log-out addresses.",
        "OpenID Connect RP-Initiated Logout 1.0 section 3",
        "Add the address to the app's log-out addresses, and let the app send client_id or id_token_hint with it.",
        compare="post_logout_redirect_uris",
    ),
    "parameter-unsupported": Rule(
        "The parameters request, request_uri and registration are not sent.",
        "OpenID Connect Core 1.0 section 3.1.2.6",
        "Turn off request objects in the app.",
        errors=("request_not_supported", "request_uri_not_supported", "registration_not_supported"),
    ),
    "response_type": Rule(
        "response_type is code.",
        "RFC 6749 section 4.1.1, RFC 9700 section 2.1.2",
        "Choose the authorization code flow in the app, not implicit or hybrid.",
        ("The parameter response_type is missing.", "Only the response type code is supported."),
        ("unsupported_response_type",),
    ),
    "response_mode": Rule(
        "response_mode is query, or form_post for a redirect address that begins with http.",
        "OAuth 2.0 Form Post Response Mode",
        "Leave out response_mode in the app.",
        ("This response mode is not supported for this redirect address.",),
    ),
    "parameter-long": Rule(
        "nonce, claims and login_hint have at most 2000 characters each.",
        "our choice",
        "Let the app send a shorter value.",
        ("A parameter is too long.",),
    ),
    "prompt": Rule(
        "prompt is none alone, or some of login, consent and select_account.",
        "OpenID Connect Core 1.0 section 3.1.2.1",
        LOOK_AT_APP,
        ("The parameter prompt is not valid.",),
    ),
    "claims": Rule(
        "claims is a JSON object whose members id_token and userinfo are objects of claims.",
        "OpenID Connect Core 1.0 section 5.5",
        LOOK_AT_APP,
        ("The parameter claims is not valid.",),
    ),
    "max_age": Rule(
        "max_age is a whole number of seconds.",
        "OpenID Connect Core 1.0 section 3.1.2.1",
        LOOK_AT_APP,
        ("The parameter max_age is not a number of seconds.",),
    ),
    "resource": Rule(
        "resource is one of the app's resources.",
        "RFC 8707 section 2",
        "Add the resource to the app, or leave out the parameter.",
        ("This resource is not registered for the app.",),
        ("invalid_target",),
        compare="resources",
    ),
    "scope": Rule(
        "scope has at least one scope that is known here, and of these only what the app may ask for.",
        "RFC 6749 section 3.3",
        "Allow the scopes on the app's page, or let the app ask for fewer. A login needs openid.",
        ("The app may not ask for these scopes.",),
        ("invalid_scope",),
        compare="scopes",
    ),
    "pkce-missing": Rule(
        "The request has a code_challenge.",
        "RFC 9700 section 2.1.1",
        "Turn on PKCE (S256) in the app; for a web application that cannot, turn off the demand on the app's page.",
        ("The parameter code_challenge is missing: PKCE with S256 is required.", "Missing 'code_challenge'"),
    ),
    "pkce-malformed": Rule(
        "code_challenge has 43 characters and code_challenge_method is S256.",
        "RFC 7636 section 4.2",
        "Choose S256 in the app, not plain.",
        (
            "PKCE needs a code_challenge of 43 characters and the method S256.",
            "Invalid 'code_challenge'",
            "Unsupported 'code_challenge_method'",
        ),
    ),
    "account-hint": Rule(
        "The account that is logged in is the one that the app names.",
        "OpenID Connect Core 1.0 sections 3.1.2.1 and 5.5.1",
        "Let the person log in with the account that they used in the app before.",
        ("Another account is logged in.",),
    ),
    "acr": Rule(
        "A class of authentication that the app demands can be proved here.",
        "OpenID Connect Core Unmet Authentication Requirements 1.0",
        "Let the app ask for one of acr_values_supported in the discovery document.",
        ("No requested class can be proved here.",),
        ("unmet_authentication_requirements",),
    ),
    "prompt-none": Rule(
        "With prompt=none the person is logged in, has agreed, and has proved what the app asks for.",
        "OpenID Connect Core 1.0 section 3.1.2.6",
        "Nothing is wrong: the app has to ask again without prompt=none. The error says what is missing.",
        ("A page would be needed, but prompt is none.",),
        ("login_required", "interaction_required", "consent_required", "account_selection_required"),
    ),
    "canceled": Rule(
        "The person agrees to log in to the app.",
        "RFC 6749 section 4.1.2.1",
        "Nothing is wrong: the person pressed Cancel.",
        ("The user canceled the request.",),
        ("access_denied",),
    ),
    "too-many-requests": Rule(
        "Requests come no faster than the limits of this site allow.",
        "authorize_requests in webapp/policy.py",
        "Wait. If it goes on, look which program on that network sends them.",
    ),
    "unavailable": Rule(
        "The database answers.",
        "RFC 6749 section 4.1.2.1 (temporarily_unavailable)",
        "Look at the log and at /readyz; nothing was changed.",
        errors=("temporarily_unavailable", "server_error"),
        is_stored=False,
    ),
}
"""Of the pages on which people log in to an app and log out for it."""

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
        "Choose either client_secret_basic or client_secret_post in the app.",
        ("The client is named or proved in more than one way.",),
    ),
    "client-failures": Rule(
        "An app fails to prove itself at most 10 times in 15 minutes from one network.",
        "client_failures in webapp/policy.py",
        "Wait 15 minutes, then correct the client ID and secret in the app.",
        ("Too many failed attempts.",),
    ),
    "client-proof": Rule(
        "The app is registered here and proves itself by its secret; one without a secret sends none.",
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
    "token_type_hint": Rule(
        "token_type_hint is access_token or refresh_token.",
        "RFC 7009 section 2.1",
        "Leave out token_type_hint in the app.",
        errors=("unsupported_token_type",),
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
}
"""Of the addresses that apps call by themselves."""

RULES = AUTHORIZATION | MACHINES
UNLISTED = Rule("The request is one that this site understands.", "RFC 6749 section 5.2", LOOK_AT_APP)


def rule_for(error: str, description: str) -> str:
    """The name of the rule behind an answer: by its description, else by its code; `OTHER` for neither."""
    said = ((name, words) for name, rule in RULES.items() for words in rule.said if description.startswith(words))
    found = max(said, key=lambda one: len(one[1]), default=None)
    if found is not None:
        return found[0]
    return next((name for name, rule in RULES.items() if error in rule.errors), OTHER)
