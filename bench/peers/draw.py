"""Writes the table and the charts of docs/performance.md from the results: `python -m bench.peers.draw`."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from .sites import HERE, OURS, ROOT, SITES

DOCS = ROOT / "docs"
CHARTS = DOCS / "performance"
SQLITE, POSTGRESQL = HERE / "results.json", HERE / "results-postgresql.json"
MARKS = re.compile(r"(<!-- bench-peers: begin -->\n).*(<!-- bench-peers: end -->)", re.DOTALL)
TITLES = {site.name: site.title for site in SITES}
QUIET = 0.5
"""The load average below which a machine is quiet."""
Of = Callable[[dict[str, Any]], Any]
"""A figure of a site: one value, or those of its turns."""


def beyond_hash(suffix: str = "") -> Of:
    def figure(site: dict[str, Any]) -> Any:
        pairs = zip(site[f"log_in_cpu{suffix}"], site[f"hash_cpu{suffix}"], strict=True)
        return [log_in - hashed for log_in, hashed in pairs]

    return figure


def plain(key: str) -> Of:
    return lambda site: site[key]


@dataclass(frozen=True)
class Row:
    title: str
    of: Of
    digits: int = 1
    more_is_better: bool = False
    compared: bool = True


ROWS = [
    Row("whole log-ins a second", plain("log_ins"), more_is_better=True),
    Row("CPU of a log-in, ms", plain("log_in_cpu")),
    Row("CPU of its hash alone, ms", plain("hash_cpu")),
    Row("CPU of a log-in beyond the hash, ms", beyond_hash()),
    Row("huge pages at `{other}`: log-ins a second", plain("log_ins_huge"), more_is_better=True),
    Row("huge pages at `{other}`: CPU of a log-in, ms", plain("log_in_cpu_huge")),
    Row("huge pages at `{other}`: CPU of its hash, ms", plain("hash_cpu_huge")),
    Row("SQL statements of a log-in", plain("log_in_statements"), 0),
    Row("transactions of it that write", plain("log_in_writes"), 0),
    Row("requests of it", plain("log_in_requests"), 0),
    Row("settings pages a second", plain("settings"), 0, more_is_better=True),
    Row("CPU of a settings page, ms", plain("settings_cpu"), 2),
    Row("SQL statements of a settings page", plain("settings_statements"), 0),
    Row("log-in pages a second", plain("log_in_page"), 0, more_is_better=True),
    Row("CPU of a log-in page, ms", plain("log_in_page_cpu"), 2),
    Row("first visit, KB", lambda site: site["visit_bytes"] / 1000),
    Row("first visit, requests", plain("visit_requests"), 0),
    Row("of these to other hosts", plain("visit_elsewhere"), 0, compared=False),
    Row("start to first answer, s", plain("first_answer"), 2),
    Row("memory of a worker, MiB", plain("memory"), 0),
    Row("memory of all processes, what they share counted once, MiB", plain("memory_of_all"), 0),
    Row("log-ins that failed in all rounds", lambda site: sum(site["failed"]), 0, compared=False),
    Row("CPU of a log-in among few accounts, ms", plain("few_cpu")),
    Row("among many, ms", plain("many_cpu")),
    Row(
        "growth of the CPU, times",
        lambda site: [many / few for few, many in zip(site["few_cpu"], site["many_cpu"], strict=True)],
        2,
    ),
]


def middle(value: Any) -> float:
    return statistics.median(value) if isinstance(value, list) else value


def value_of(row: Row, site: dict[str, Any]) -> Any:
    """None where the site has no such figure."""
    try:
        return row.of(site)
    except KeyError:
        return None


def cell(row: Row, site: dict[str, Any], ours: dict[str, Any]) -> str:
    value = value_of(row, site)
    if value is None:
        return "–"
    text = f"{middle(value):,.{row.digits}f}"
    if site is ours or not row.compared:
        return text
    pairs = zip(value_of(row, ours), value, strict=True) if isinstance(value, list) else [(value_of(row, ours), value)]
    ratios = [own / other if row.more_is_better else other / own for own, other in pairs if own and other]
    return f"{text} ({statistics.median(ratios):.2f})" if ratios else text


def table(results: dict[str, Any]) -> str:
    figures = results["figures"]
    lines = [
        "| median of each site (times that Nightlatch is better) | "
        + " | ".join(TITLES[name] for name in figures)
        + " |",
        "|---|" + "---:|" * len(figures),
    ]
    for row in ROWS:
        cells = [cell(row, site, figures[OURS]) for site in figures.values()]
        if set(cells) != {"–"}:
            lines.append(f"| {row.title.format(other=other(results))} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.ours { fill: #0969da } .peer { fill: #6e7781 } .first { opacity: .55 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .ours { fill: #58a6ff } .peer { fill: #8b949e }
}
"""
WIDTH, LABELS, BARS, LINE, TOP = 720, 180, 380, 26, 40


def chart(title: str, figures: dict[str, dict[str, Any]], parts: list[Row], unit: str) -> str:
    """Bars of each site, made of the parts one after the other; the values are also in the description."""
    rows = []
    for name, site in figures.items():
        values = [value_of(part, site) for part in parts]
        if None not in values:
            rows.append((name, [middle(value) for value in values]))
    longest = max(sum(values) for _, values in rows)
    shapes, said = [], []
    for number, (name, values) in enumerate(rows):
        y, x = TOP + number * LINE, LABELS
        shapes.append(f'<text x="{LABELS - 8}" y="{y + 15}" text-anchor="end">{escape(TITLES[name])}</text>')
        for which, value in enumerate(values):
            width = BARS * value / longest
            kind = ("ours" if name == OURS else "peer") + (" first" if len(values) > 1 and not which else "")
            shapes.append(f'<rect class="{kind}" x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="18"/>')
            x += width
        text = " + ".join(f"{value:,.{part.digits}f}" for value, part in zip(values, parts, strict=True))
        shapes.append(f'<text x="{x + 8:.1f}" y="{y + 15}">{text} {unit}</text>')
        said.append(f"{TITLES[name]}: {text} {unit}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {TOP + len(rows) * LINE + 8}" role="img" '
        f'aria-labelledby="title desc">\n<title id="title">{escape(title)}</title>\n'
        f'<desc id="desc">{escape("; ".join(said))}.</desc>\n<style>{STYLE}</style>\n'
        f'<text class="title" x="8" y="22">{escape(title)}</text>\n' + "\n".join(shapes) + "\n</svg>\n"
    )


CHART_FILES = {
    "log-ins": ("Whole log-ins a second (more is better)", ["whole log-ins a second"], ""),
    "log-in-cpu": (
        "CPU of a log-in: the hash + all else (less is better)",
        ["CPU of its hash alone, ms", "CPU of a log-in beyond the hash, ms"],
        "ms",
    ),
    "settings-cpu": ("CPU of a settings page (less is better)", ["CPU of a settings page, ms"], "ms"),
    "growth": ("CPU of a log-in among many accounts, times that among few", ["growth of the CPU, times"], "×"),
}


def write() -> None:
    """The tables into docs/performance.md, and the charts beside it."""
    results = [json.loads(file.read_text()) for file in (SQLITE, POSTGRESQL) if file.exists()]
    rows = {row.title: row for row in ROWS}
    CHARTS.mkdir(exist_ok=True)
    for name, (title, parts, unit) in CHART_FILES.items():
        drawn = chart(title, results[0]["figures"], [rows[part] for part in parts], unit)
        (CHARTS / f"{name}.svg").write_text(drawn)
    page = DOCS / "performance.md"
    text = "\n".join(f"{taken(one)}\n{table(one)}" for one in results)
    page.write_text(MARKS.sub(lambda found: found[1] + text + found[2], page.read_text()))


def taken(results: dict[str, Any]) -> str:
    few, many = results["accounts"]
    quiet = "was quiet" if results["load_before"] < QUIET else f"was busy: its load was {results['load_before']}"
    return (
        f"Taken on {results['date']} with {results['database']}, {results['rounds']} rounds in {results['minutes']} "
        f"minutes.\nThe machine ({results['machine']}) {quiet}.\nFew accounts are {few:,}, many {many:,}; huge pages "
        f"were at `{results['huge_pages']}`.\n"
    )


def other(results: dict[str, Any]) -> str:
    """The setting of huge pages that was measured beside the one of the host."""
    return "madvise" if results["huge_pages"] == "always" else "always"


if __name__ == "__main__":
    write()
