"""The settings that both Django applications share: those of `django-admin startproject` in production."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import shared
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher


class Hasher(Argon2PasswordHasher):
    """The work factor is changed by a subclass, as Django's page "Password management" says."""

    memory_cost = shared.ARGON2["memory_cost"]
    time_cost = shared.ARGON2["time_cost"]
    parallelism = shared.ARGON2["parallelism"]


def database() -> dict[str, Any]:
    url = urlsplit(shared.DATABASE)
    if url.scheme == "sqlite":
        # both options as Django's page "Databases" describes them: without, some logins at once are "locked"
        options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode = WAL;"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.path[1:], "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "PASSWORD": url.password,
        "HOST": url.hostname,
        "PORT": url.port,
    }


def configure(urls: str, apps: list[str], middleware: list[str], **more: Any) -> None:
    """`middleware` comes last; `more` are further settings."""
    settings.configure(
        DEBUG=False,
        SECRET_KEY=shared.SECRET,
        ALLOWED_HOSTS=[".localhost"],
        ROOT_URLCONF=urls,
        DATABASES={"default": database()},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        PASSWORD_HASHERS=["django_project.Hasher"],
        STATIC_URL="static/",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            *apps,
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
            *middleware,
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        **more,
    )


def copy(model: Any, count: int, **changed: str) -> None:
    from django.db import connection

    columns = [field.column for field in model._meta.concrete_fields]
    with connection.cursor() as cursor:
        cursor.execute(shared.copies(model._meta.db_table, columns, count, id="i", **changed))


def seed_users(count: int) -> Any:
    """Makes the tables and the users, and returns the first one."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("bench1", "bench1@example.org", shared.PASSWORD)
    copy(User, count, username="'bench' || i", email="'bench' || i || '@example.org'")
    return user
