"""Language tags (BCP 47): the order of an Accept-Language header, and which of the site's languages a tag asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LONGEST_HEADER = 500
LONGEST_TAG = 35  # RFC 5646 section 4.4.1

ALIASES = {
    "no": "nb",
    "nn": "nb",
    "zh": "zh-hans",
    "zh-cn": "zh-hans",
    "zh-sg": "zh-hans",
    "zh-my": "zh-hans",
    "zh-tw": "zh-hant",
    "zh-hk": "zh-hant",
    "zh-mo": "zh-hant",
    "cmn": "zh-hans",
    "cmn-hans": "zh-hans",
    "cmn-hant": "zh-hant",
    "yue": "zh-hant",
    "yue-hans": "zh-hans",
    "prs": "fa-af",
    "pes": "fa",
    "tl": "fil",
    "iw": "he",
    "in": "id",
    "mo": "ro",
}
"""Tags that browsers and systems send, and the tag of the same written language here, in lower case.

Serbian in Latin letters (sr-Latn) is not listed, so it is answered as sr, in Cyrillic letters: it is the same language,
schools teach both alphabets, and any Latin alternative here would be another language that was not asked for.
"""

_WEIGHT = re.compile(r"\s*q\s*=\s*(0(?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)


def by_weight(header: str) -> list[str]:
    """The tags of an Accept-Language header that are acceptable, by descending quality value (RFC 9110 section 12.5.4).

    Only the first 500 characters are read.
    """
    return [tag for tag, weight in _weighted(header) if weight > 0]


def preferred(header: str, codes: Iterable[str]) -> str | None:
    """The first of these tags in the order of an Accept-Language header; None when it has none of them.

    A tag is shortened from its end until it is one of ours (lookup, RFC 4647 section 3.4). What has quality 0 is never
    chosen.
    """
    weighted = _weighted(header)
    refused = {tag.lower() for tag, weight in weighted if weight == 0}
    known = {code.lower(): code for code in codes}
    for tag, weight in weighted:
        found = _lookup(tag, known) if weight > 0 else None
        if found is not None and found.lower() not in refused:
            return found
    return None


def _lookup(tag: str, known: Mapping[str, str]) -> str | None:
    subtags = tag.lower().replace("_", "-")[: LONGEST_TAG + 1].split("-")
    if len(tag) > LONGEST_TAG:
        subtags.pop()  # the last one may have been cut
    while subtags:
        shortened = "-".join(subtags)
        found = known.get(ALIASES.get(shortened, shortened))
        if found is not None:
            return found
        subtags.pop()
    return None


def _weighted(header: str) -> list[tuple[str, float]]:
    weighted = []
    for entry in header[:LONGEST_HEADER].split(","):
        tag, _, parameter = entry.partition(";")
        weight = _WEIGHT.fullmatch(parameter)
        weighted.append((tag.strip(), float(weight[1]) if weight else 1.0))
    return sorted(weighted, key=lambda pair: -pair[1])
