"""The sentences of refusals about apps, groups and roles: a part of the table in `web/words.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..domain import app_refusals as a
from ..domain.language import Sentence, bidi_isolate, lazy
from ..domain.language import gettext as _
from ..domain.refusals import Refusal


def _address(refusal: a.AddressRefused) -> str:
    address = bidi_isolate(str(refusal.address)[:200])
    if refusal.why == a.WILDCARD:
        return _("Wildcards don't work here. Enter each address in full: %(address)s.", address=address)
    if refusal.why == a.FRAGMENT:
        return _("Remove # and what follows it from this address: %(address)s.", address=address)
    if refusal.why == a.NOT_HTTPS:
        return _("Use an address that starts with https: %(address)s.", address=address)
    if refusal.why == a.SCHEME:
        return _("Use a scheme with a dot in it, like com.example.app: %(address)s.", address=address)
    if refusal.why == a.CREDENTIALS:
        return _("Remove the username and password from this address: %(address)s.", address=address)
    if refusal.why == a.OURS:
        return _("This site itself is at this host. Enter the host of the app: %(address)s.", address=address)
    if isinstance(refusal, a.HostRefused | a.SectorRefused):
        return _("This isn't a host like files.example.com: %(address)s.", address=address)
    return _("This isn't a complete address: %(address)s.", address=address)


WORDS: dict[type[Refusal], Sentence | Callable[[Any], str]] = {
    a.LastOperator: lazy("This is the only operator who can log in. Make another account an operator first."),
    a.OtherOperator: lazy("Operators can't be changed here. Use the command line."),
    a.ReasonMalformed: lazy("Enter a reason with up to %(most)s characters."),
    a.GroupNameMalformed: lazy("Use 1 to 40 lowercase letters (a to z), numbers, and dashes."),
    a.GroupTaken: lazy("There's already a group with that name. Choose another name."),
    a.GroupInUse: lazy("This group decides who can use these apps: %(apps)s. Change the apps first."),
    a.UnknownGroup: lazy("There's no group with that name."),
    a.UnknownUsername: lazy("No account has that username."),
    a.UnknownApp: lazy("There's no app with that ID."),
    **dict.fromkeys(
        (
            *(a.AddressRefused, a.RedirectAddressRefused, a.LogoutAddressRefused, a.BackchannelAddressRefused),
            *(a.KeysAddressRefused, a.OriginRefused, a.ResourceRefused, a.HostRefused, a.SectorRefused),
        ),
        _address,
    ),
    a.NetworkMalformed: lambda e: _(
        "This isn't a network like 10.0.0.0/8: %(network)s.", network=bidi_isolate(str(e.network))
    ),
    a.HostTaken: lazy("Another app already has this host."),
    a.HostMissing: lazy("Enter the host of the app."),
    a.RedirectAddressMissing: lazy("Enter at least one redirect address."),
    a.KeysMalformed: lazy("This isn't a JSON Web Key Set that has only public keys."),
    a.KeysTwice: lazy("Enter either the keys or their address."),
    a.RuleMalformed: lambda e: _(
        "Line %(line)s isn't an action, methods if you like, and a path: %(rule)s.",
        line=e.line,
        rule=bidi_isolate(str(e.rule)[:200]),
    ),
    a.AppGroupUnknown: lazy("There's no group %(name)s. Add it first."),
    a.MaxAgeMalformed: lazy("Enter a number of seconds up to 2592000, which is 30 days."),
    a.NotForKind: lazy("This kind of app doesn't have this option: %(option)s."),
    a.NoSecrets: lazy("This app doesn't have client secrets."),
    a.SecretsLimited: lazy("This app already has two client secrets. Remove one first."),
    a.LastSecret: lazy("This is the only client secret. Generate a new one first."),
}
