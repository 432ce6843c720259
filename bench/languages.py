"""What a language costs beside English: processor time of a page, and the memory of all catalogues."""

from __future__ import annotations

from collections import Counter

from webapp.adapters.catalogues import offered
from webapp.domain.language import ENGLISH

from .person import Person
from .server import Server

PAGES = ("/settings/security", "/settings/security/sessions")
"""One with sentences only, and one with times."""
TURNS = 6
PAGES_A_TURN = 40
"""The languages take turns, because the speed of a machine varies."""


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
    spent: Counter[str] = Counter()
    for _ in range(TURNS):
        for code in offered():
            _speak(person, code)
            begun = server.cpu()
            for _ in range(PAGES_A_TURN):
                person.send("/settings/security")
            spent[code] += server.cpu() - begun
    slowest, seconds = spent.most_common(1)[0]
    print(f"     the slowest language is {slowest}")
    return 100 * seconds / spent[ENGLISH.code], memory


def _speak(person: Person, code: str) -> None:
    """As the footer does, so that the account has the language."""
    form = {"csrf_token": person.token("/settings/language"), "language": code, "next": "/settings"}
    status, answer = person.send("/language", form)
    assert status == 303, answer
