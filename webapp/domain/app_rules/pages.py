"""The rules of the pages on which people log in to an app and log out for it."""

from __future__ import annotations

from .rule import COPY_ID, LOOK_AT_APP, Rule

AUTHORIZATION: dict[str, Rule] = {
    "client_id": Rule("client_id names an app that is registered here.", "RFC 6749 section 4.1.2.1", COPY_ID),
    "redirect_uri": Rule(
        "redirect_uri is, letter by letter, one of the app's redirect addresses.",
        "RFC 9700 section 2.1",
        "Add the address that was asked for to the app's redirect addresses, or correct it in the app.",
        ("The redirect_uri is not registered for the app.",),
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
        ("The request is too long.",),
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
        "Add the address on the app's page under Operator > Apps, to the addresses after logging out, and let the app"
        " send client_id or id_token_hint with it.",
        compare="post_logout_redirect_uris",
    ),
    "request_uri": Rule(
        "The address of a pushed request is used once, within 60 seconds and by its app, and nothing differs from it.",
        "RFC 9126 sections 2.2 and 4",
        "Start again in the app. If it happens often, let it push a new request for each login.",
        ("The parameter request_uri cannot be pushed.",),
    ),
    "parameter-unsupported": Rule(
        "The parameters request and registration are not sent, and request_uri is that of a pushed request.",
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
        "response_mode is query, or form_post for a redirect address that begins with http and has no IPv6 address.",
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
