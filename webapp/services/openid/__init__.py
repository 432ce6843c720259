"""The OpenID Connect provider: signing keys, the authorization code flow and the tokens of apps."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from ...domain.ports import ServerRequests
from ..attempts import Attempts
from ..core import Core
from ..method_kinds import Methods
from ..notices import Notices
from ..outbox import Outbox
from ..sessions import Sessions
from . import discovery
from .assertions import Assertions
from .authorizations import Authorizations
from .back_channel import BackChannel
from .claims import Claims
from .client_keys import ClientKeys
from .client_proofs import ClientProofs
from .clients import Clients
from .connections import Connections
from .device_requests import DeviceRequests
from .dpop import Dpop
from .endpoints import Endpoints
from .log_outs import LogOuts
from .origins import Origins
from .proofs import Proofs
from .pushed_requests import PushedRequests
from .signing_keys import SigningKeys
from .steps import Steps
from .subjects import Subjects
from .tokens import Tokens

__all__ = ["OpenId"]


class OpenId:
    """The services of the provider. `issuer` is the URL of the main host, without a slash at its end; `languages` are
    those of the pages, as BCP 47 tags."""

    def __init__(
        self,
        core: Core,
        attempts: Attempts,
        sessions: Sessions,
        notices: Notices,
        outbox: Outbox,
        methods: Methods,
        servers: ServerRequests,
        issuer: str,
        languages: Iterable[str],
    ) -> None:
        self.issuer, self.languages = issuer, list(languages)
        self.origins, self.signing_keys, self.subjects = Origins(core), SigningKeys(core), Subjects(core)
        self.clients, self.connections = clients, connections = Clients(core), Connections(core, notices)
        known = (self.subjects, self.signing_keys, sessions)
        self.proofs = Proofs(core, methods)
        steps = Steps(clients, connections, self.proofs, *known)
        self.back_channel = BackChannel(core, issuer, outbox, servers, *known)
        using = (clients, connections, steps, self.back_channel, sessions, notices)
        self.authorizations = Authorizations(core, attempts, issuer, *using)
        self.tokens = Tokens(core, issuer, clients, Claims(core, clients), *known, notices)
        proofs = ClientProofs(core, attempts, clients, Assertions(core, ClientKeys(core, servers)), issuer)
        self.devices = DeviceRequests(core, attempts, steps, self.authorizations)
        self.endpoints = Endpoints(core, proofs, Dpop(core, issuer), self.tokens, self.devices)
        self.pushed_requests = PushedRequests(core)
        self.log_outs = LogOuts(core, attempts, issuer, clients, self.signing_keys, self.subjects)

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The document of /.well-known/openid-configuration."""
        return discovery.document(self.issuer, self.languages)
