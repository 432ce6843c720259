"""The floor: Flask with nothing but a log-in by password and TOTP code, and two pages behind it."""

from __future__ import annotations

import sqlite3
import threading
import time

import nacl.exceptions
import pyotp
import shared
from flask import Flask, abort, redirect, render_template_string, request, session
from nacl.pwhash import argon2id
from werkzeug.wrappers import Response

FORM = """<!doctype html><title>Log in</title><form method="post">
{% for name, type in fields %}<label>{{ name }} <input name="{{ name }}" type="{{ type }}" required></label>{% endfor %}
<button>Log in</button></form>"""
PAGE = """<!doctype html><title>{{ title }}</title><h1>{{ title }}</h1><p>Logged in as {{ name }}.</p>
<a href="/">Home</a> <a href="/settings">Settings</a>"""

app = Flask(__name__)
app.config.update(SECRET_KEY=shared.SECRET, SESSION_COOKIE_SAMESITE="Lax")
threads = threading.local()


def database() -> sqlite3.Connection:
    if not hasattr(threads, "connection"):
        threads.connection = sqlite3.connect(shared.DATABASE.removeprefix("sqlite:///"), isolation_level=None)
    return threads.connection


def row(columns: str, condition: str, value: object) -> tuple:
    found = database().execute(f"SELECT {columns} FROM accounts WHERE {condition} = ?", (value,)).fetchone()
    return found or abort(403)


@app.get("/log-in")
def form() -> str:
    return render_template_string(FORM, fields=[("username", "text"), ("password", "password")])


@app.post("/log-in")
def log_in() -> Response:
    account, hashed = row("id, password", "username", request.form["username"])
    try:
        argon2id.verify(hashed.encode(), request.form["password"].encode())
    except nacl.exceptions.InvalidkeyError:
        abort(403)
    session["pending"] = account
    return redirect("/code", 303)


@app.get("/code")
def code_form() -> str:
    return render_template_string(FORM, fields=[("code", "text")])


@app.post("/code")
def code() -> Response:
    account = session.pop("pending", None)
    totp, step = pyotp.TOTP(row("secret", "id", account)[0]), int(time.time()) // 30
    if not totp.verify(request.form["code"]):
        abort(403)
    used = database().execute("UPDATE accounts SET step = ? WHERE id = ? AND step < ?", (step, account, step))
    if not used.rowcount:
        abort(403)
    session["account"] = account
    return redirect("/", 303)


@app.get("/")
def home() -> str:
    return render_template_string(PAGE, title="Home", name=row("username", "id", session.get("account"))[0])


@app.get("/settings")
def settings() -> str:
    return render_template_string(PAGE, title="Settings", name=row("username", "id", session.get("account"))[0])


def hash_password() -> bytes:
    return argon2id.str(
        shared.PASSWORD.encode(), opslimit=shared.ARGON2["time_cost"], memlimit=shared.ARGON2["memory_cost"] * 1024
    ).rstrip(b"\0")


def seed(count: int) -> str:
    secret, db = pyotp.random_base32(), database()
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, username UNIQUE, password, secret, step DEFAULT 0)")
    values = (hash_password().decode(), secret)
    db.execute("INSERT INTO accounts (id, username, password, secret) VALUES (1, 'bench1', ?, ?)", values)
    columns = ["id", "username", "password", "secret", "step"]
    db.execute(shared.copies("accounts", columns, count, id="i", username="'bench' || i"))
    return secret


if __name__ == "__main__":
    encoded = hash_password()
    shared.main(seed, lambda: argon2id.verify(encoded, shared.PASSWORD.encode()))
