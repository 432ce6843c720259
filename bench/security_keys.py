"""What the answer of a security key costs the server, beyond the page it comes with."""

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
    """Seconds to draw what a key is asked and to verify what it says; the median, after the first."""
    with TemporaryDirectory() as folder:
        environ = {"NIGHTLATCH_DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3"}
        ceremonies = build(Settings.read(environ, Path(folder))).ceremonies
        key = Authenticator(ceremonies.origins[0], ceremonies.rp_id)
        options = ceremonies.creation(NAME, "YWRh", "ada", "Ada Lovelace", ())
        held = ceremonies.registered(key.create(options), NAME)
        descriptor = {"type": "public-key", "id": held.id, "transports": held.transports}
        taken = []
        for _ in range(ANSWERS):
            begun = time.process_time()
            asked = json.dumps(ceremonies.request(NAME, [descriptor]))
            drawing = time.process_time() - begun
            answer = key.get(json.loads(asked))
            begun = time.process_time()
            ceremonies.asserted(answer, NAME, held.public_key)
            taken.append(time.process_time() - begun + drawing)
        return statistics.median(taken[1:])
