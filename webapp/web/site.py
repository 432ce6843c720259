"""Registers pages, guards, templates and headers in the Flask application."""

from __future__ import annotations

from flask import Flask, request
from flask.wrappers import Response
from flask_login import LoginManager
from htmx_flask import Htmx
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import BaseConverter

from ..bootstrap import Services
from . import (
    assets,
    compression,
    current,
    errors,
    flood_limit,
    forwarded,
    guards,
    headers,
    hosts,
    kept_acts,
    languages,
    latency,
    layouts,
    repeats,
    row_ids,
    sent_twice,
    templates,
    unavailable,
)
from .pages import (
    activity,
    app_logins,
    challenge,
    connected_apps,
    contacts,
    device,
    enrollment,
    entrance,
    forward,
    guarded_logins,
    guarded_pages,
    help,
    home,
    legacy,
    login_links,
    machine,
    named_factors,
    not_you,
    openid,
    operator,
    operator_accounts,
    operator_apps,
    operator_messages,
    outbox,
    own_account,
    recoveries,
    requests,
    sessions,
    settings,
    site,
    step_up,
    temporary_passwords,
    two_factor,
    web_app,
)

PAGES = (
    *(entrance, login_links, not_you, challenge, home, settings, own_account, sessions, activity, contacts),
    *(two_factor, temporary_passwords, enrollment, step_up, help, web_app, site, assets),
    *(operator, operator_apps, operator_accounts, operator_messages, app_logins, connected_apps, guarded_logins),
    *(device, recoveries),
)


class Slug(BaseConverter):
    """The URL converter `<slug:name>`: lower-case words joined by hyphens."""

    regex = "[a-z0-9]+(?:-[a-z0-9]+)*"
    part_isolating = True


def install(app: Flask, services: Services) -> None:
    app.extensions[current.EXTENSION] = services
    app.url_map.converters |= {"slug": Slug, "id": row_ids.RowId}
    latency.install(app)
    app.after_request(headers.add)  # Flask calls the first ones last, when the response is complete
    app.after_request(compression.compress)
    Htmx(app)
    assets.install(app, services.settings.instance)
    _log_in(app)
    app.before_request(_before_request)
    app.teardown_request(languages.forget)
    forwarded.install(app, services)
    unavailable.install(app, services)
    flood_limit.install(app, services)
    errors.install(app)
    pages = [page.bp for page in PAGES]
    pages += [of_methods.blueprint(services.methods) for of_methods in (named_factors, requests)]
    if services.settings.shows_outbox:
        pages.append(outbox.bp)
    layouts.mount(app, pages, services.settings)
    templates.install(app, services)
    app.register_blueprint(machine.bp)
    for of_machines in (openid, forward, guarded_pages):
        app.register_blueprint(of_machines.bp)
    app.register_blueprint(legacy.bp if services.settings.legacy_access else legacy.absent)
    app.wsgi_app = hosts.Hosts(app.wsgi_app, services.settings)  # type: ignore[method-assign]  # as Flask's documentation shows it
    if not services.db.is_sqlite:
        app.wsgi_app = repeats.Repeats(app.wsgi_app, services.db)  # type: ignore[method-assign]  # likewise


def _log_in(app: Flask) -> None:
    """Flask-Login reads the sessions of the database. `login_user` is never called, so it sets no cookie."""
    manager = LoginManager(app, add_context_processor=False)  # templates have `user`
    manager.session_protection = None  # it would end a session when the network address changes, as on phones
    manager.request_loader(lambda _request: current.user_or_none())
    manager.unauthorized_handler(guards.log_in_first)


def _before_request() -> Response | None:
    """One function, because Flask takes a hundredth of a page's time to call eight."""
    layouts.choose()
    page = layouts.endpoint()
    languages.choose(page)
    moved = hosts.without_final_dot()
    if moved is not None or isinstance(request.routing_exception, MethodNotAllowed):
        return moved  # a method that no view has is answered with 405 before the rest of the request is judged
    guards.clean_input()
    guards.same_site()
    moved = guards.phone_layout(page) or (sent_twice.answer() if page is not None else None)
    if moved is not None:
        return moved
    kept_acts.drop_elsewhere(page)
    compression.judge(page)
    return None
