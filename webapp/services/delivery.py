"""Delivers the messages of the outbox, by any number of workers at once, each message at least once.

A worker claims a message by a conditional UPDATE, sends it outside any transaction and records the result. The claim
of a worker that is killed expires, and the message is sent again with the same Message-ID.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock, Thread
from typing import Literal, cast

import structlog
from sqlalchemy import ColumnElement, and_, func, not_, or_, select, update

from ..domain.ports import (
    LONGEST_WAIT,
    Email,
    Gone,
    LogOut,
    Mail,
    Pushes,
    PushMessage,
    Refused,
    TextMessage,
    TextMessages,
    Unreachable,
)
from ..metrics import MESSAGE_DELAY, MESSAGES
from ..models.database import Transaction, changed_one_row, reason
from ..models.messages import FAILED, OWED, SENT, Message
from .core import Core
from .due import do_each
from .outbox import EMAIL, LOG_OUT, NOWHERE, PUSH, TEXT, Outbox

State = Literal["owed", "sent", "failed"]

CHANNELS = (EMAIL, TEXT, PUSH, LOG_OUT, NOWHERE)
PEERS = (EMAIL, NOWHERE), (TEXT,), (PUSH,), (LOG_OUT,)
"""The channels by who takes their messages."""
COMPLAINT_MAXIMUM = 200  # characters, the width of its column

log = structlog.get_logger()


def state_of(tx: Transaction, message_id: int) -> State | None:
    """The state of a message; None when it does not exist or was purged."""
    return cast(State | None, tx.scalar(select(Message.state).where(Message.id == message_id)))


@dataclass(frozen=True, slots=True)
class Delivery:
    core: Core
    outbox: Outbox
    mail: Mail
    texts: TextMessages
    pushes: Pushes
    tell: Callable[[LogOut], None]
    """Tells an app of the end of a session. Raises `Refused` or `Unreachable`."""
    prepare: Sequence[Callable[[], None]]
    """Called before each round: they add the messages that requests left to the worker."""
    drop: Callable[[PushMessage], None]
    """Called for a push whose subscription no longer exists."""

    def state(self, message_id: int) -> State | None:
        """`state_of` in a transaction of its own. Raises `DatabaseUnavailable`."""
        with self.core.db.read() as tx:
            return state_of(tx, message_id)

    def kept(self, most: int) -> list[tuple[Email | TextMessage, int]]:
        """The newest messages whose content is still stored, each with its Unix time, for the outbox page."""
        query = select(Message).where(Message.sealed.is_not(None), Message.channel.in_((EMAIL, TEXT)))
        with self.core.db.read() as tx:
            rows = tx.objects.scalars(query.order_by(Message.id.desc()).limit(most)).all()
        return [(cast(Email | TextMessage, self.outbox.read(message)), message.made_at) for message in rows]

    def is_behind(self) -> bool:
        """True when a message to a person has been owed for longer than the first retry takes."""
        since = self.core.clock.now() - self.core.policy.retry_after[0]
        late = Message.state == OWED, Message.made_at < since, Message.channel != LOG_OUT
        owed = select(Message.id).where(*late).limit(1)
        with self.core.db.read() as tx:
            return tx.scalar(owed) is not None

    def waiting(self) -> dict[str, tuple[int, int]]:
        """By channel: how many messages are owed, and the age of the oldest (s). Raises `DatabaseUnavailable`."""
        found = dict.fromkeys(CHANNELS, (0, 0))
        columns, now = (Message.channel, func.count(), func.min(Message.made_at)), self.core.clock.now()
        with self.core.db.read() as tx:
            rows = tx.execute(select(*columns).where(Message.state == OWED).group_by(Message.channel))
            return found | {channel: (count, max(0, now - oldest)) for channel, count, oldest in rows}

    def deliver_due(self, stop: Event | None = None) -> int:
        """Delivers what is due and returns how many were sent; a failure does not stop the other messages.

        Raises `DatabaseUnavailable`, and after delivery what `prepare` raised.
        """
        try:
            self._prepare()
        finally:  # what is owed already goes out all the same
            sent = self._deliver_all(CHANNELS, stop)
        return sent

    def work(self, stop: Event, every: float = 0.5) -> None:
        """Delivers until `stop` is set, every `every` seconds. Errors are logged and do not end it.

        Each peer has a thread of its own, so that one that stalls keeps only its own messages waiting.
        """
        rounds = [self._prepare, *(partial(self._deliver_all, channels, stop) for channels in PEERS)]
        trouble = Trouble()
        threads = [
            Thread(target=_repeat, args=(act, number, trouble, stop, every), daemon=True)
            for number, act in enumerate(rounds)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _prepare(self) -> None:
        do_each(self.prepare, lambda prepare: prepare(), lambda prepare: prepare.__qualname__)

    def _deliver_all(self, channels: Sequence[str], stop: Event | None) -> int:
        """An app that does not respond to a log-out gets nothing more in this round: others must not wait for it."""
        sent, silent_apps = 0, set[str]()
        while not (stop and stop.is_set()) and (message := self._claim(channels, silent_apps)):
            sent += self._deliver(message, silent_apps)
        return sent

    def _claim(self, channels: Sequence[str], silent_apps: set[str]) -> Message | None:
        """Claims one due message of the channels for this worker; None when nothing is due."""
        wanted = or_(Message.app_name.is_(None), Message.app_name.not_in(silent_apps))
        while True:
            now = self.core.clock.now()
            # new messages first: a mail server that stalls on a few must not delay the others
            # and so must an app's server, which people do not wait for
            first = Message.channel == LOG_OUT, Message.attempts, Message.due_at, Message.id
            due = select(Message.id).where(*self._due(channels, now), wanted).order_by(*first).limit(1)
            with self.core.db.read() as tx:
                candidate = tx.scalar(due)
            if candidate is None:
                return None
            still_due = update(Message).where(Message.id == candidate, *self._due(channels, now))
            until = now + self.core.policy.worker_claims_for
            with self.core.db.write() as tx:
                # counted before sending, so that a message that crashes its worker is not sent again for ever
                if changed_one_row(tx, still_due.values(attempts=Message.attempts + 1, claimed_until=until)):
                    return tx.objects.get_one(Message, candidate)

    def _due(self, channels: Sequence[str], now: int) -> tuple[ColumnElement[bool], ...]:
        """A message is due from the start, whatever the clock of the machine said that added it, and waits only for as
        long as one can be put off or claimed: longer ones were so while the clock was wrong."""
        latest = now + self.core.policy.clock_ahead
        until = Message.claimed_until
        is_put_off = Message.attempts > 0, Message.due_at.between(now + 1, latest + LONGEST_WAIT)
        waits = and_(*is_put_off, Message.made_at <= latest)
        claimed = and_(until.is_not(None), until.between(now + 1, latest + self.core.policy.worker_claims_for))
        return Message.state == OWED, Message.channel.in_(channels), not_(waits), not_(claimed)

    def _deliver(self, message: Message, silent_apps: set[str]) -> bool:
        if message.attempts > len(self.core.policy.retry_after) + 1:
            self._give_up(message, "no attempt came to an end: it may have killed its workers")
            return False
        if message.channel == NOWHERE:
            self._record_sent(message)
            return True
        try:
            content = self.outbox.read(message)
        except ValueError as error:  # its key is missing: the operator may restore it to the settings
            self._put_off(message, str(error))
            return False
        except Exception as error:  # a bug in a template; the other messages must go out
            self._put_off_with_bug(message, error)
            return False
        if isinstance(content, TextMessage | PushMessage) and content.lasts <= 0:
            self._give_up(message, "too late: what it says holds no longer")
            return False
        try:
            if isinstance(content, TextMessage):
                self.texts.send(content)
            elif isinstance(content, PushMessage):
                self.pushes.send(content)
            elif isinstance(content, LogOut):
                self.tell(content)
            else:
                self.mail.send(content)
        except Gone as refusal:
            assert isinstance(content, PushMessage)  # only a push adapter raises it
            self._give_up(message, str(refusal))
            self.drop(content)
        except Refused as refusal:
            self._give_up(message, str(refusal))
        except Unreachable as failure:
            self._put_off(message, str(failure), failure.wait)
            if message.app_name is not None:
                silent_apps.add(message.app_name)
        except Exception as error:  # a bug in an adapter
            self._put_off_with_bug(message, error)
        else:
            self._record_sent(message)
            return True
        return False

    def _put_off_with_bug(self, message: Message, error: Exception) -> None:
        """Its text could quote the message, so it is not logged."""
        log.error("message_raised", message=message.id, error=type(error).__name__, at=_place_of(error))
        self._put_off(message, f"an error of ours: {type(error).__name__}")

    def _record_sent(self, message: Message) -> None:
        keeps = {TEXT: self.texts.keeps, EMAIL: self.mail.keeps}.get(message.channel, False)
        sealed, now = message.sealed if keeps else None, self.core.clock.now()
        # even if the claim expired meanwhile: a message that was sent is not owed
        with self.core.db.write() as tx:
            owed = update(Message).where(Message.id == message.id, Message.state == OWED)
            ended = {"state": SENT, "sealed": sealed, "claimed_until": None, "ended_at": now}
            tx.execute(owed.values(**ended, complaint=None))
        MESSAGES.labels(message.channel, SENT).inc()
        MESSAGE_DELAY.labels(message.channel).observe(max(0, now - message.made_at))
        log.info("message_sent", **_facts(message, SENT))

    def received(self, uid: str) -> None:
        """Records the gateway's report that a message arrived. A second or unknown report changes nothing."""
        unreported = Message.uid == uid, Message.state == SENT, Message.received_at.is_(None)
        with self.core.db.write() as tx:
            tx.execute(update(Message).where(*unreported).values(received_at=self.core.clock.now()))

    def lost(self, uid: str, why: str) -> None:
        """Records the gateway's report that a message will not arrive, unless it was reported to have arrived."""
        unreported = Message.uid == uid, Message.state == SENT, Message.received_at.is_(None)
        with self.core.db.write() as tx:
            lost = update(Message).where(*unreported).values(state=FAILED, complaint=why[:COMPLAINT_MAXIMUM])
            is_news = changed_one_row(tx, lost)
        if is_news:
            MESSAGES.labels(TEXT, "lost").inc()

    def _put_off(self, message: Message, complaint: str, wait: int | None = None) -> None:
        """Sends it again after `wait` seconds, by default those of the policy; gives up after the last retry."""
        if message.attempts > len(self.core.policy.retry_after):
            self._give_up(message, complaint)
            return
        due_at = self.core.clock.now() + (wait or self.core.policy.retry_after[message.attempts - 1])
        self._record(message, due_at=due_at, claimed_until=None, complaint=complaint[:COMPLAINT_MAXIMUM])
        MESSAGES.labels(message.channel, "put-off").inc()
        log.warning("message_put_off", **_facts(message, OWED), complaint=complaint)

    def _give_up(self, message: Message, complaint: str) -> None:
        ended = {"sealed": None, "claimed_until": None, "ended_at": self.core.clock.now()}
        self._record(message, state=FAILED, complaint=complaint[:COMPLAINT_MAXIMUM], **ended)
        MESSAGES.labels(message.channel, FAILED).inc()
        log.error("message_failed", **_facts(message, FAILED), complaint=complaint)

    def _record(self, message: Message, **values: int | str | None) -> None:
        # the number of attempts identifies the claim: a worker whose claim expired changes nothing
        claimed = (Message.id == message.id, Message.state == OWED, Message.attempts == message.attempts)
        with self.core.db.write() as tx:
            tx.execute(update(Message).where(*claimed).values(**values))


class Trouble:
    """Of several threads: logged once, until none of them has any."""

    def __init__(self) -> None:
        self._numbers, self._lock = set[int](), Lock()

    def begins(self, number: int, error: Exception) -> None:
        with self._lock:
            if not self._numbers:
                log.error("outbox_in_trouble", error=reason(error), at=_place_of(error))
            self._numbers.add(number)

    def ends(self, number: int) -> None:
        with self._lock:
            if self._numbers == {number}:
                log.info("outbox_recovered")
            self._numbers.discard(number)


def _repeat(act: Callable[[], object], number: int, trouble: Trouble, stop: Event, every: float) -> None:
    while not stop.is_set():
        try:
            act()
        except Exception as error:  # the worker must go on: without it, codes do not arrive
            trouble.begins(number, error)
        else:
            trouble.ends(number)
        stop.wait(every)


def _facts(message: Message, state: str) -> dict[str, str | int]:
    return {"message": message.id, "template": message.template, "state": state, "attempts": message.attempts}


def _place_of(error: BaseException) -> str:
    """File and line where it was raised: enough to find a bug, without the content of the message."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
