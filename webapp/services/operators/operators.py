"""Builds the services of operators."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from ...domain.ports import Adapters
from ..attempts import Attempts
from ..core import Core
from ..links import Links
from ..method_kinds import Methods
from ..notices import Notices
from ..openid.back_channel import BackChannel
from ..outbox import Outbox
from ..phone_numbers import PhoneNumbers
from ..requests import RequestPushes
from ..sessions import Sessions
from .accounts import OperatedAccounts
from .acts import Acts
from .apps import RegisteredApps
from .groups import Groups
from .key_proof import KeyProof
from .messages import OperatedMessages
from .recoveries import Recoveries
from .refusals import Refusals
from .roles import Roles


class Operators:
    """What operators do. `origins` are those of this site's pages."""

    def __init__(
        self,
        core: Core,
        sessions: Sessions,
        links: Links,
        notices: Notices,
        outbox: Outbox,
        methods: Methods,
        back_channel: BackChannel,
        origins: Sequence[str],
        attempts: Attempts,
        numbers: PhoneNumbers,
        pushes: RequestPushes,
        ports: Adapters,
    ) -> None:
        self.core, acts = core, Acts(core, notices, sessions)
        self.roles = Roles(core, acts, sessions, links, notices)
        telling = (links, notices, outbox, numbers, pushes)
        self.recoveries = Recoveries(core, acts, attempts, sessions, *telling)
        self.groups = Groups(core, acts, notices)
        self.accounts = OperatedAccounts(core, acts, sessions, notices, methods)
        ours = tuple(urlsplit(origin).hostname or "" for origin in origins)
        self.apps = RegisteredApps(core, acts, back_channel, ours)
        self.messages = OperatedMessages(core, acts, attempts, outbox, numbers, ports.mail, ports.texts)
        self.key_proof, self.refusals = KeyProof(core, methods), Refusals(core, attempts)
