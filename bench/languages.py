"""What a language costs beside English: processor time of a page, and the memory of all catalogues."""

from __future__ import annotations

from webapp.adapters.catalogues import offered
from webapp.domain.language import ENGLISH

from .person import Person
from .server import Server

PAGES = ("/settings/security", "/settings/security/sessions")
"""One with sentences only, and one with times."""
TURNS = 6
PAGES_A_TURN = 40
"""The languages take turns and the least of each counts, because whatever else happens only adds to it: other work on
the machine, and a whole collection of garbage, 0.1 s of CPU, which falls to one of them."""


def slowest_and_memory(server: Server) -> tuple[float, float]:
    """The processor time of a settings page in the slowest language, in percent of that in English; MiB that the
    process grows by when every language has been used."""
    person = Person(server)
    person.log_in(1)
    for path in PAGES:
        person.send(path)
    before = server.resident_mib()
    for code in offered():
        _speak(person, code)
        for path in PAGES:
            person.send(path)
    memory = server.resident_mib() - before
    spent: dict[str, list[float]] = {code: [] for code in offered()}
    for _ in range(TURNS):
        for code, turns in spent.items():
            _speak(person, code)
            begun = server.cpu()
            for _ in range(PAGES_A_TURN):
                person.send("/settings/security")
            turns.append(server.cpu() - begun)
    seconds = {code: min(turns) for code, turns in spent.items()}
    slowest = max(seconds, key=lambda code: seconds[code])
    print(f"     the slowest language is {slowest}")
    return 100 * seconds[slowest] / seconds[ENGLISH.code], memory


def _speak(person: Person, code: str) -> None:
    """As the footer does, so that the account has the language."""
    form = {"csrf_token": person.token("/settings/language"), "language": code, "next": "/settings"}
    status, answer = person.send("/language", form)
    assert status == 303, answer
