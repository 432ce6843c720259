"""Flask-Security-Too, as its pages "Quick Start" and "Two-factor Configurations" set it up."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import shared
from flask import Flask, render_template_string
from flask_security import (
    Security,
    SQLAlchemyUserDatastore,
    auth_required,
    hash_password,
    verify_password,
)
from flask_security.models import fsqla_v3 as fsqla
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

app = Flask(__name__)
app.config.update(
    SECRET_KEY=shared.SECRET,
    SECURITY_PASSWORD_SALT=shared.SECRET,
    REMEMBER_COOKIE_SAMESITE="strict",
    SESSION_COOKIE_SAMESITE="strict",
    SQLALCHEMY_DATABASE_URI=shared.DATABASE.replace("postgresql:", "postgresql+psycopg:"),
    SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},
    SECURITY_PASSWORD_HASH="argon2",
    SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS={f"argon2__{name}": value for name, value in shared.ARGON2.items()},
    SECURITY_TWO_FACTOR=True,
    SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
    SECURITY_TOTP_SECRETS={"1": shared.SECRET},
    SECURITY_TOTP_ISSUER="Bench",
)
db = SQLAlchemy(app)
fsqla.FsModels.set_db_info(db)


class Role(db.Model, fsqla.FsRoleMixin):
    pass


class User(db.Model, fsqla.FsUserMixin):
    pass


class WebAuthn(db.Model, fsqla.FsWebAuthnMixin):
    """The model of a user refers to it. Security keys are off."""


app.security = Security(app, SQLAlchemyUserDatastore(db, User, Role))


@app.route("/")
@auth_required()
def home() -> str:
    return render_template_string("Hello {{ current_user.email }}")


def seed(count: int) -> str:
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            db.session.execute(text("PRAGMA journal_mode = WAL"))
        db.create_all()
        totp = app.security.totp_factory
        secret = totp.generate_totp_secret()
        app.security.datastore.create_user(
            email="bench1@example.org",
            password=hash_password(shared.PASSWORD),
            tf_primary_method="authenticator",
            tf_totp_secret=secret,
        )
        db.session.commit()
        columns = [column.name for column in User.__table__.columns]
        changed = {"id": "i", "email": "'bench' || i || '@example.org'", "fs_uniquifier": "'u' || i"}
        handle = {"fs_webauthn_user_handle": "'w' || i"}
        db.session.execute(text(shared.copies("user", columns, count, **changed, **handle)))
        db.session.commit()
        return parse_qs(urlsplit(totp.get_totp_uri("bench1", secret)).query)["secret"][0]


if __name__ == "__main__":
    with app.app_context():
        encoded = hash_password(shared.PASSWORD)
        shared.main(seed, lambda: verify_password(shared.PASSWORD, encoded))
