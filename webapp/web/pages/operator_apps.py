"""The operator's pages of apps: adding one, its client id and secret, every option, and deleting it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from ...domain.language import gettext as _
from ...domain.language import pgettext
from ...domain.refusals import AlreadyDone, NotFound, PageTooOld, Refusal
from ...models.registered_apps import GUARDED, RegisteredApp
from ...services.guarded.configurations import PROXIES, configuration
from ...services.operators.apps import StoredApp
from .. import app_form, current, guards, layouts, operators, render, rule_trial, shown_once, times, words
from ..app_form import GROUP, KINDS, SCOPE, AppForm, checkboxes_of
from ..forms import Form, untrusted

PROXY_NAMES = dict(zip(PROXIES, ("nginx", "Caddy", "Traefik", "Envoy", "Apache"), strict=True))
"""As they call themselves."""

bp = Blueprint("operator_apps", __name__, url_prefix="/operator/apps")


@bp.get("")
@guards.operator
def listed() -> Any:
    apps, url = operators.services().apps.all(), layouts.page_url
    rows = [(app.name, _used(app), url("operator_apps.app", client_id=app.client_id)) for app in apps]
    return render.page("operator/apps.html", rows=rows, add_url=layouts.page_url("operator_apps.add"))


@bp.route("/new", methods=["GET", "POST"])
@guards.operator
def add() -> Any:
    apps = operators.services().apps
    form = app_form.new_app_form(apps.new_client_id(), _group_names())
    if form.submitted():
        options, client_id = app_form.new_options(form), str(form.client_id.data)
        try:
            made = apps.create(form.kind.data, options, operators.actor(), client_id)
            render.receipt(_("You added the app %(app)s.", app=made.app.name))
            return _told(made.app, made.secret)
        except AlreadyDone as refusal:
            return render.go_on(_connect_url(apps.named(client_id).app), refusal)
        except Refusal as refusal:
            words.place(refusal, form)
    words.place_others(lambda: apps.problems(form.kind.data, app_form.new_options(form)), form)
    return render.page("operator/new_app.html", form, groups=checkboxes_of(form, GROUP))


@bp.get("/<client_id>/connect")
@guards.operator
def connect(client_id: str) -> Any:
    """The page with the client id and the addresses, and once with a new secret."""
    app, url = operators.services().apps.named(client_id).app, current.services().settings.main_url
    if app.kind == GUARDED:
        raise NotFound()
    addresses = [
        (_("Issuer"), url),
        (_("Discovery"), f"{url}/.well-known/openid-configuration"),
        (_("Authorization"), f"{url}/oauth/authorize"),
        (_("Token"), f"{url}/oauth/token"),
        (_("User info"), f"{url}/oauth/userinfo"),
        (_("Keys"), f"{url}/oauth/keys"),
        (_("Logout"), f"{url}/oauth/log-out"),
    ]
    app_url = layouts.page_url("operator_apps.app", client_id=client_id)
    secret = shown_once.shown()
    return render.page("operator/connect.html", app=app, secret=secret, addresses=addresses, app_url=app_url)


@bp.get("/<client_id>/proxies/<proxy>")
@guards.operator
def proxy(client_id: str, proxy: str) -> Any:
    """The configuration for the proxy of a guarded host, with the host's secret."""
    stored, url = operators.services().apps.named(client_id), layouts.page_url
    if stored.app.kind != GUARDED or proxy not in PROXIES:
        raise NotFound()
    services, of_app = current.services(), {"client_id": client_id}
    settings = services.settings
    text = configuration(proxy, stored, services.core, bind=settings.bind, main_url=settings.main_url)
    tabs = [(PROXY_NAMES[name], url("operator_apps.proxy", **of_app, proxy=name), name == proxy) for name in PROXIES]
    app_url = url("operator_apps.app", **of_app)
    return render.page("operator/proxy.html", app=stored.app, text=text, tabs=tabs, app_url=app_url)


@bp.route("/<client_id>", methods=["GET", "POST"])
@guards.operator
def app(client_id: str) -> Any:
    stored = operators.services().apps.named(client_id)
    form = app_form.app_form(stored.app.kind, stored.options, _group_names())
    if form.submitted():
        try:
            options, as_read = app_form.options_in(form, stored.options), str(form.as_read.data)
            operators.services().apps.change(client_id, options, operators.actor(), as_read=as_read)
            render.receipt(_("You changed the app %(app)s.", app=form.name.data))
            return render.go(layouts.page_url("operator_apps.app", client_id=client_id))
        except PageTooOld as refusal:
            return render.go_on(layouts.page_url("operator_apps.app", client_id=client_id), refusal)
        except Refusal as refusal:
            words.place(refusal, form)
    apps, kind = operators.services().apps, stored.app.kind
    words.place_others(lambda: apps.problems(kind, app_form.options_in(form, stored.options)), form)
    return _shown(stored, form)


@bp.post("/<client_id>/new-secret")
@guards.operator
def new_secret(client_id: str) -> Any:
    stored, form = operators.services().apps.named(client_id), Form()
    app_url = layouts.page_url("operator_apps.app", client_id=client_id)
    if not form.submitted():
        return render.go_on(app_url, untrusted())
    try:
        drawn = current.services().shown_once.open(current.user().session.id, request.form.get("secret", ""))
        return _told(stored.app, operators.services().apps.new_secret(client_id, operators.actor(), secret=drawn))
    except Refusal as refusal:
        return render.go_on(app_url, refusal)


@bp.route("/<client_id>/secrets/<id:secret>/remove", methods=["GET", "POST"])
@guards.operator
def remove_secret(client_id: str, secret: int) -> Any:
    stored, form = operators.services().apps.named(client_id), Form()
    wanted = next((one for one in stored.secrets if one.id == secret), None)
    if wanted is None:
        raise NotFound()
    app_url = layouts.page_url("operator_apps.app", client_id=client_id)
    if form.submitted():
        with words.placing(form):
            operators.services().apps.remove_secret(client_id, secret, operators.actor())
            render.receipt(_("You removed a client secret of the app %(app)s.", app=stored.app.name))
            return render.go(app_url)
    return render.page("operator/remove_secret.html", form, app=stored.app, secret=wanted, cancel_url=app_url)


@bp.route("/<client_id>/delete", methods=["GET", "POST"])
@guards.operator
def delete(client_id: str) -> Any:
    stored, form = operators.services().apps.named(client_id), Form()
    if form.submitted():
        name = operators.services().apps.delete(client_id, operators.actor())
        render.receipt(_("You deleted the app %(app)s.", app=name))
        return render.go(layouts.page_url("operator_apps.listed"))
    cancel_url = layouts.page_url("operator_apps.app", client_id=client_id)
    return render.page("operator/delete_app.html", form, name=stored.app.name, cancel_url=cancel_url)


def _shown(stored: StoredApp, form: AppForm) -> Any:
    app, url, kinds = stored.app, layouts.page_url, {choice.value: choice.label for choice in KINDS}
    is_host, session_id = app.kind == GUARDED, current.user().session.id
    return render.page(
        "operator/app.html",
        form,
        app=app,
        kind=kinds[app.kind],
        used_at=app.used_at,
        groups=checkboxes_of(form, GROUP),
        scopes=checkboxes_of(form, SCOPE),
        secrets=[(one, _remove_url(app, one.id)) for one in stored.secrets],
        secret_url=url("operator_apps.new_secret", client_id=app.client_id) if stored.has_secret else None,
        drawn=current.services().shown_once.seal(session_id, operators.services().apps.draw_secret()),
        connect_url=_connect_url(app),
        connect_label=_("Configuration of the proxy") if is_host else _("Addresses for the app's settings"),
        trial=rule_trial.trial(app) if is_host else None,
        delete_url=url("operator_apps.delete", client_id=app.client_id),
    )


def _remove_url(app: RegisteredApp, secret: int) -> str:
    return layouts.page_url("operator_apps.remove_secret", client_id=app.client_id, secret=secret)


def _told(app: RegisteredApp, secret: str | None) -> Any:
    """Goes to the page that shows the secret once. That of a guarded host is in its configuration."""
    url = _connect_url(app)
    if secret is not None and app.kind != GUARDED:
        shown_once.keep(url, secret, current.user().session.id)
    return render.go(url)


def _connect_url(app: RegisteredApp) -> str:
    """The page with what has to be entered elsewhere."""
    if app.kind == GUARDED:
        return layouts.page_url("operator_apps.proxy", client_id=app.client_id, proxy=PROXIES[0])
    return layouts.page_url("operator_apps.connect", client_id=app.client_id)


def _group_names() -> list[str]:
    return [row.name for row in operators.services().groups.all()]


def _used(app: RegisteredApp) -> str:
    if app.used_at is None:
        return pgettext("app", "Not used yet")
    return times.sentence(pgettext("app", "Last used on %(date)s"), date=times.on(app.used_at))
