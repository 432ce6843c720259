"""Builds the services of operators."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from ..core import Core
from ..links import Links
from ..method_kinds import Methods
from ..notices import Notices
from ..sessions import Sessions
from .accounts import OperatedAccounts
from .acts import Acts
from .apps import RegisteredApps
from .groups import Groups
from .key_proof import KeyProof
from .roles import Roles


class Operators:
    """What operators do. `origins` are those of this site's pages."""

    def __init__(
        self, core: Core, sessions: Sessions, links: Links, notices: Notices, methods: Methods, origins: Sequence[str]
    ) -> None:
        self.core, acts = core, Acts(core, notices)
        self.roles = Roles(core, acts, sessions, links, notices)
        self.groups = Groups(core, acts, notices)
        self.accounts = OperatedAccounts(core, acts, sessions, notices, methods)
        self.apps = RegisteredApps(core, acts, tuple(urlsplit(origin).hostname or "" for origin in origins))
        self.key_proof = KeyProof(core, methods)
