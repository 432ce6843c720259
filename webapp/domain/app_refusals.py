"""Refusals of what an operator enters about apps, groups and roles. Their sentences are in `web/words.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .refusals import NotFound, Refusal

MALFORMED, WILDCARD, FRAGMENT, NOT_HTTPS, SCHEME, CREDENTIALS, OURS = (
    *("malformed", "wildcard", "fragment", "not-https", "scheme", "credentials"),
    "ours",
)
"""Why an address is refused."""


# -- Groups and roles --------------------------------------------------------------------------------


class LastOperator(Refusal):
    """No other operator can log in, so this one stays and stays unlocked."""

    status = 403


class OtherOperator(Refusal):
    """An operator is locked and logged out by command only."""

    status = 403


@dataclass(eq=False)
class ReasonMalformed(Refusal):
    """The reason of a recovery is empty or has more than `most` characters."""

    most: int
    field: ClassVar[str] = "why"


class GroupNameMalformed(Refusal):
    field = "name"


class GroupTaken(Refusal):
    """There is a group of this name already."""

    field = "name"


@dataclass(eq=False)
class GroupInUse(Refusal):
    """These apps, by their names, are open to the group: without it they would be open to everyone."""

    apps: str


class UnknownGroup(NotFound):
    """No group has this name."""


class UnknownUsername(Refusal):
    """No account has this username, and none had it before."""

    field = "username"


# -- Apps --------------------------------------------------------------------------------------------


class UnknownApp(NotFound):
    """No app has this client id."""


@dataclass(eq=False)
class AddressRefused(Refusal):
    """An address or host, and why it is refused: one of the names above."""

    address: str
    why: str = MALFORMED


class RedirectAddressRefused(AddressRefused):
    field = "redirect_uris"


class LogoutAddressRefused(AddressRefused):
    field = "post_logout_redirect_uris"


class BackchannelAddressRefused(AddressRefused):
    field = "backchannel_logout_uri"


class KeysAddressRefused(AddressRefused):
    field = "jwks_uri"


class OriginRefused(AddressRefused):
    field = "origins"


class ResourceRefused(AddressRefused):
    field = "resources"


class HostRefused(AddressRefused):
    field = "host"


class SectorRefused(AddressRefused):
    field = "sector"


@dataclass(eq=False)
class NetworkMalformed(Refusal):
    """Not a network in CIDR notation (RFC 4632 section 3.1)."""

    field: ClassVar[str | None] = "private_addresses"
    network: str


class HostTaken(Refusal):
    """Another app has this host."""

    field = "host"


class HostMissing(Refusal):
    """A guarded host needs its name."""

    field = "host"


class RedirectAddressMissing(Refusal):
    """Without a redirect address people cannot come back to the app."""

    field = "redirect_uris"


class KeysMalformed(Refusal):
    """Not a JSON Web Key Set of public keys (RFC 7517 section 5)."""

    field = "jwks"


class KeysTwice(Refusal):
    """Both the keys and their address were given."""

    field = "jwks_uri"


@dataclass(eq=False)
class RuleMalformed(Refusal):
    """Not `ACTION [METHOD,...] PREFIX`. Lines count from one."""

    field: ClassVar[str | None] = "rules"
    rule: str
    line: int = 1


@dataclass(eq=False)
class AppGroupUnknown(Refusal):
    """No group has this name, which an app names."""

    field: ClassVar[str | None] = "groups"
    name: str


class MaxAgeMalformed(Refusal):
    """Not a number of seconds within the limits of the policy."""

    field = "max_age"


@dataclass(eq=False)
class NotForKind(Refusal):
    """This option, by the name of its column, does not belong to the app's kind."""

    option: str


class NoSecrets(Refusal):
    """A public app has none, and neither has one that proves itself by its keys."""


class SecretsLimited(Refusal):
    """Two secrets live already: one must be removed first."""


class LastSecret(Refusal):
    """It is the only secret, without which the app could not log anyone in."""
