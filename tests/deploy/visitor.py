"""Run inside the machine of tests/deploy: visits the site through its proxy, as browsers do, and prints what it got.

`visitor.py HOST load` asks for the log-in page, over a new connection each time, until it reads a line, and prints how
many answers had which status. `visitor.py HOST USERNAME` logs in with the password that it reads.
"""

from __future__ import annotations

import json
import re
import ssl
import sys
from collections import Counter
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.cookies import SimpleCookie
from socket import create_connection
from threading import Event, Thread
from urllib.parse import urlencode

HOST, WHAT = sys.argv[1:]


def ask(path: str, form: dict[str, str] | None = None, cookies: str = "") -> tuple[HTTPResponse, str]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = HTTPConnection(HOST, 443, timeout=30)
    connection.sock = context.wrap_socket(create_connection(("127.0.0.1", 443), timeout=30), server_hostname=HOST)
    headers = {"Cookie": cookies, "Referer": f"https://{HOST}{path}", "Connection": "close"}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request("GET" if form is None else "POST", path, urlencode(form) if form else None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def visit_until_told() -> dict[str, int]:
    seen: Counter[str] = Counter()
    told = Event()

    def visit() -> None:
        while not told.is_set():
            try:
                seen[str(ask("/log-in")[0].status)] += 1
            except (OSError, HTTPException) as error:
                seen[repr(error)] += 1

    threads = [Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    told.set()
    for thread in threads:
        thread.join()
    return dict(seen)


def log_in(username: str, password: str) -> list[object]:
    page, text = ask("/log-in")
    found = re.search(r'name="csrf_token" value="([^"]+)"', text)
    assert found, text
    cookie = SimpleCookie(page.headers["Set-Cookie"])
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in cookie.items())
    form = {"csrf_token": found[1], "username": username, "password": password}
    answer, _ = ask("/log-in", form, cookies)
    return [answer.status, answer.headers["Location"]]


got = visit_until_told() if WHAT == "load" else log_in(WHAT, sys.stdin.readline().strip())
print(json.dumps(got))  # noqa: T201
