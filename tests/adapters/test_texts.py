"""Texts of a development site stay in its outbox."""

from __future__ import annotations

from webapp.adapters.embedded import OutboxTexts
from webapp.domain.ports import TextMessage, TextMessages


def test_a_text_of_a_development_site_stays_in_the_outbox() -> None:
    texts: TextMessages = OutboxTexts()
    assert texts.keeps
    texts.check()
    texts.send(TextMessage("c0ffee", "+447700900123", "123456 is your Nightlatch code.", 600))
