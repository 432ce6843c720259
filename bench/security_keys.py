"""The processor time of a WebAuthn authentication, without the request around it."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.authenticator import Authenticator
from webapp.bootstrap import build
from webapp.settings import Settings

NAME = "log-in:1"
ANSWERS = 300


def cpu_of_an_answer() -> float:
    """Seconds to generate the options and to verify the response; the median without the first one."""
    with TemporaryDirectory() as folder:
        environ = {"NIGHTLATCH_DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3"}
        ceremonies = build(Settings.read(environ, Path(folder))).ceremonies
        key = Authenticator(ceremonies.origins[0], ceremonies.rp_id)
        options = ceremonies.creation(NAME, "YWRh", "ada", "Ada Lovelace", ())
        registered = ceremonies.registered(key.create(options), NAME)
        descriptor = {"type": "public-key", "id": registered.id, "transports": registered.transports}
        taken = []
        for _ in range(ANSWERS):
            begun = time.process_time()
            options_json = json.dumps(ceremonies.request(NAME, [descriptor]))
            generating = time.process_time() - begun
            answer = key.get(json.loads(options_json))
            begun = time.process_time()
            ceremonies.asserted(answer, NAME, registered.public_key)
            taken.append(time.process_time() - begun + generating)
        return statistics.median(taken[1:])
