"""The table of log-ins to apps on devices without a browser (RFC 8628)."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from .app_logins import AppId
from .base import At, BigId, Hash, Key, MaybeAt, Table
from .registered_apps import Texts

WAITING, APPROVED, DENIED = "waiting", "approved", "denied"


class DeviceRequest(Table):
    """A device that waits until someone types its code in a browser and approves it."""

    __tablename__ = "device_requests"

    id: Mapped[Key]
    device_code_hash: Mapped[Hash]
    user_code_mac: Mapped[str] = mapped_column(String(200), index=True)
    """A keyed HMAC: a user code has 34 random bits."""
    app_id: Mapped[AppId]
    scopes: Mapped[Texts]
    asked_at: Mapped[At]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    interval: Mapped[int]
    """Seconds that the device has to wait between two polls (RFC 8628 section 3.5)."""
    polled_at: Mapped[MaybeAt]
    typed_at: Mapped[MaybeAt]
    session_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("sessions.id", ondelete="SET NULL"), index=True)
    """The session in which the code was typed last. No other one may approve or deny it."""
    session_hash: Mapped[str | None] = mapped_column(String(64))
    """`Session.token_hash` then: another one shows that a proof came after it."""
    state: Mapped[str] = mapped_column(String(8), default=WAITING)
    authorization_id: Mapped[int | None] = mapped_column(BigInteger)
    """`AppAuthorization.id` of what the approval gives. It may be deleted before this row, and SQLite then gives its
    number again: it counts only with the app and the session of this row."""
    used_at: Mapped[MaybeAt]
