"""A configuration of gunicorn that writes each statement SQLite executes to the file that BENCH_STATEMENTS names.

Each line begins with 1 inside of a transaction and with 0 outside. All applications in Python are counted so; the one
in Node.js writes the same form.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

statements = open(os.environ["BENCH_STATEMENTS"], "a", buffering=1)  # noqa: SIM115  # until the server ends
connect = sqlite3.connect


def counted(*args: Any, **options: Any) -> sqlite3.Connection:
    connection = connect(*args, **options)

    def write(statement: str) -> None:
        statements.write(f"{int(connection.in_transaction)} {' '.join(statement.split())}\n")

    connection.set_trace_callback(write)
    return connection


sqlite3.connect = sqlite3.dbapi2.connect = counted
