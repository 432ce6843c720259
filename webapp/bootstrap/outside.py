"""The only place that chooses a real or an embedded adapter for each port."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from ..adapters.heartbeat import FileHeartbeat
from ..adapters.keyring import AesGcmKeyring
from ..adapters.mail import OutboxMail
from ..adapters.password_hashing import Argon2id
from ..adapters.places import FilePlaces, NoPlaces
from ..adapters.pushes import NoPushes
from ..adapters.system import SystemClock, SystemEntropy
from ..adapters.template_renderer import TemplateRenderer
from ..adapters.texts import NoTexts, OutboxTexts
from ..domain.ports import (
    Clock,
    Entropy,
    Heartbeat,
    Keyring,
    Mail,
    MessageRenderer,
    PasswordHasher,
    Places,
    Pushes,
    TextMessages,
)
from ..policy import Policy
from ..settings import ROOT, Settings


def clock() -> Clock:
    return SystemClock()


def entropy() -> Entropy:
    return SystemEntropy()


def hasher(policy: Policy) -> PasswordHasher:
    return Argon2id(policy.argon2_memory_kib, policy.argon2_passes, policy.hashes_at_once, policy.hash_queue_seconds)


def keyring(settings: Settings, entropy: Entropy) -> Keyring:
    return AesGcmKeyring(settings.encryption_keys, entropy)


def renderer(settings: Settings) -> MessageRenderer:
    return TemplateRenderer(ROOT / "templates", settings.site_name, settings.main_url, reload=not settings.serving)


def heartbeat(settings: Settings) -> Heartbeat:
    return FileHeartbeat(heartbeat_file(settings))


def heartbeat_file(settings: Settings) -> Path:
    """One for each database: another database is not an older one."""
    return settings.instance / f"heartbeat-{sha256(settings.database_url.encode()).hexdigest()[:12]}"


def mail(settings: Settings) -> Mail:
    if settings.mail is None:
        return OutboxMail()
    from ..adapters.smtp import SmtpMail

    return SmtpMail(settings.mail, settings.mail_from, settings.policy.mail_timeout)


def texts(settings: Settings) -> TextMessages:
    gateway, policy = settings.text_gateway, settings.policy
    if gateway is None:
        return OutboxTexts() if settings.shows_outbox else NoTexts()
    from ..adapters.vonage import VonageTexts

    return VonageTexts(gateway.api_key, gateway.api_secret, gateway.sender, gateway.url, policy.text_timeout)


def pushes(settings: Settings, clock: Clock) -> Pushes:
    push = settings.push
    if push.private_key is None:
        return NoPushes()
    from ..adapters.web_push import WebPush

    return WebPush(push.private_key, push.subject, push.hosts, settings.policy.push_timeout, clock)


def places(settings: Settings) -> Places:
    return FilePlaces(settings.places_file) if settings.places_file is not None else NoPlaces()


def is_mute(texts: TextMessages) -> bool:
    """True when no text ever goes out."""
    return isinstance(texts, NoTexts)
