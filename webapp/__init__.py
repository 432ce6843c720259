"""Nightlatch: `create_app` builds the Flask application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .settings import ROOT, Settings

if TYPE_CHECKING:
    from flask import Flask


def create_app(settings: Settings, **overrides: Any) -> Flask:
    """The application. Tests pass `overrides`, such as a clock or languages, which go to `bootstrap.build`."""
    # 440 ms and 49 MiB; `serve` needs only the settings (docs/decisions/lazy-imports.md)
    from flask import Flask

    from . import bootstrap, cli
    from .web import logs, site, words

    services = bootstrap.build(settings, **overrides)
    app = Flask(
        "webapp",
        root_path=str(ROOT / "webapp"),
        template_folder=str(ROOT / "templates"),
        instance_path=str(settings.instance.resolve()),
        static_folder=None,
        subdomain_matching=True,
    )
    app.config.from_mapping(settings_for_flask(settings))
    logs.install(settings)
    if settings.tracing:
        from .web import tracing  # a site without it need not have OpenTelemetry

        tracing.install(app, services.db.engine)
    site.install(app, services)
    cli.install(app, words.say_plainly)
    return app


def settings_for_flask(settings: Settings) -> dict[str, Any]:
    """The configuration of Flask, Flask-WTF and Flask-Login."""
    hosts = [settings.main_host, settings.mobile_host]
    return {
        "SERVER_NAME": settings.server_name,
        "PREFERRED_URL_SCHEME": settings.scheme,
        "TRUSTED_HOSTS": hosts,
        "SECRET_KEY": settings.secret_key,
        "SECRET_KEY_FALLBACKS": list(settings.secret_key_fallbacks),
        "SESSION_COOKIE_NAME": "__Host-form" if settings.secure else "form",
        "SESSION_COOKIE_SECURE": settings.secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "MAX_CONTENT_LENGTH": settings.policy.body_bytes,
        "MAX_FORM_MEMORY_SIZE": settings.policy.body_bytes,
        "MAX_FORM_PARTS": 100,
        "WTF_CSRF_TIME_LIMIT": 3600,
        "WTF_CSRF_SSL_STRICT": True,
        "REMEMBER_COOKIE_NAME": "__Host-remember_token",  # Flask-Login reads it; __Host-: no other host can set it
        "TEMPLATES_AUTO_RELOAD": False,
    }
