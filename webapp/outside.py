"""Chooses what stands behind each port: the real thing, what a development site has in its place, or a test's own."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from .adapters.heartbeat import FileHeartbeat
from .adapters.mail import OutboxMail
from .adapters.password_hashing import Argon2id
from .adapters.places import FilePlaces, NoPlaces
from .adapters.pushes import NoPushes
from .adapters.texts import NoTexts, OutboxTexts
from .domain.ports import Clock, Heartbeat, Mail, PasswordHasher, Places, Pushes, TextMessages
from .settings import Settings


def hasher(settings: Settings) -> PasswordHasher:
    policy = settings.policy
    return Argon2id(policy.argon2_memory_kib, policy.argon2_passes, policy.hashes_at_once, policy.hash_queue_seconds)


def mail(settings: Settings) -> Mail:
    if settings.mail is None:
        return OutboxMail()
    from .adapters.smtp import SmtpMail

    return SmtpMail(settings.mail, settings.mail_from, settings.policy.mail_timeout)


def texts(settings: Settings) -> TextMessages:
    gateway, policy = settings.text_gateway, settings.policy
    if gateway is None:
        return OutboxTexts() if settings.shows_outbox else NoTexts()
    from .adapters.vonage import VonageTexts

    return VonageTexts(
        gateway.api_key, gateway.api_secret, gateway.sender, gateway.url, policy.text_timeout, policy.text_code_seconds
    )


def pushes(settings: Settings, clock: Clock) -> Pushes:
    push = settings.push
    if push.private_key is None:
        return NoPushes()
    from .adapters.web_push import WebPush

    return WebPush(push.private_key, push.subject, push.hosts, settings.policy.push_timeout, clock)


def places(settings: Settings) -> Places:
    return FilePlaces(settings.places_file) if settings.places_file is not None else NoPlaces()


def ways_out(texts: TextMessages) -> frozenset[str]:
    """What a method may need and this house has."""
    return frozenset() if isinstance(texts, NoTexts) else frozenset({"texts"})


def heartbeat(settings: Settings) -> Heartbeat:
    return FileHeartbeat(heartbeat_file(settings))


def heartbeat_file(settings: Settings) -> Path:
    """One for each database: another database is not an older one."""
    return settings.instance / f"heartbeat-{sha256(settings.database_url.encode()).hexdigest()[:12]}"
