"""The rules by which requests of apps are refused: what each demands, which source says so, and what would be right.

`flask why` prints them, in English only. A refusal is noted under the name of its rule; `rule_for` finds the rule by an
answer in the words of the protocol, which Authlib writes too.
"""

from __future__ import annotations

from .devices import DEVICES
from .hosts import HOSTS
from .machines import MACHINES
from .pages import AUTHORIZATION
from .proofs import PROOFS
from .rule import LOOK_AT_APP, Rule

__all__ = ["OTHER", "RULES", "UNLISTED", "Rule", "rule_for"]
OTHER = "other"
"""The rule of an answer that is in no list here."""
RULES = AUTHORIZATION | MACHINES | PROOFS | DEVICES | HOSTS
UNLISTED = Rule("The request is one that this site understands.", "RFC 6749 section 5.2", LOOK_AT_APP)


def rule_for(error: str, description: str) -> str:
    """The name of the rule behind an answer: by its description, else by its code; `OTHER` for neither."""
    said = ((name, words) for name, rule in RULES.items() for words in rule.said if description.startswith(words))
    found = max(said, key=lambda one: len(one[1]), default=None)
    if found is not None:
        return found[0]
    return next((name for name, rule in RULES.items() if error in rule.errors), OTHER)
