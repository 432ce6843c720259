"""`make lighthouse`: Lighthouse on five pages of the mobile site, as the production server serves them.

Prints the median of five runs for each page, and exits with 1 when one is below its bound, with the audits that cost
points. docs/performance.md explains it. The arguments are the paths of pages; without any, all.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.browser.live import WHOLE_CHROMIUM, Inside, LiveSite
from tests.doubles import FakeClock
from tests.people import ANDROID
from webapp import create_app
from webapp.settings import ROOT, Settings

from .server import Server, running

COMMAND = ROOT / ".lighthouse" / "node_modules" / ".bin" / "lighthouse"
RUNS = 5
UNCOUNTED = 3
ATTEMPTS = 3
"""Of one run: Chromium sometimes records nothing, and Lighthouse then asks to be run again."""
SLOWDOWN = 4.0
"""By which the mobile preset slows the CPU down, to that of a mid-tier phone."""
FAST_COMPUTER = 1500
"""The BenchmarkIndex from which that is right; docs/throttling.md of Lighthouse asks to lower it on a slower one."""
BOUNDS = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
PAGES = {
    "/log-in": False,
    "/sign-up": False,
    "/help/two-factor-authentication": False,
    "/": True,
    "/settings/security/two-factor": True,
}
"""Each page, and whether it is requested with a session."""
GATEWAY = ("VONAGE_API_KEY", "VONAGE_API_SECRET", "SMS_FROM")
TEXTS = {"NIGHTLATCH_VONAGE_URL": "http://127.0.0.1:1", **{f"NIGHTLATCH_{name}": "Nightlatch" for name in GATEWAY}}
"""So that the method is offered. No message is sent, because no worker is started."""
Report = dict[str, Any]


@dataclass(frozen=True)
class Visit:
    """How pages are requested: by whom, and by how much the CPU is slowed down."""

    owner: Inside
    headers: Path
    slowdown: float = SLOWDOWN

    def report_of(self, page: str) -> Report:
        """Lighthouse's default, which is its mobile preset."""
        url = self.owner.site.url(ANDROID, page)
        command = [
            str(COMMAND), url, "--quiet", "--no-enable-error-reporting", "--output=json", "--output-path=stdout",
            f"--only-categories={','.join(BOUNDS)}",
            f"--throttling.cpuSlowdownMultiplier={self.slowdown:.1f}",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
            *([f"--extra-headers={self.headers}"] if PAGES.get(page, True) else []),
        ]  # fmt: skip
        environ = {**os.environ, "CHROME_PATH": WHOLE_CHROMIUM or ""}
        for _ in range(ATTEMPTS):
            done = subprocess.run(command, env=environ, stdout=subprocess.PIPE)
            if done.returncode == 0:
                report: Report = json.loads(done.stdout)
                if report["finalDisplayedUrl"] != url:
                    raise SystemExit(f"{url} led to {report['finalDisplayedUrl']}")
                return report
        raise SystemExit(f"Lighthouse failed {ATTEMPTS} times for {url}.")


def main() -> int:
    chosen = sys.argv[1:] or list(PAGES)
    with (
        TemporaryDirectory() as folder,
        running(Path(folder), TEXTS, workers=2, accounts=0) as server,
        owner_of(server) as owner,
    ):
        visit = calibrated(Visit(owner, _session_of(owner, Path(folder))), chosen[0])
        print(f"{'':40}{''.join(f'{category:>16}' for category in BOUNDS)}", flush=True)
        below = [page for page in chosen if not is_within(visit, page)]
    return 1 if below else 0


def calibrated(visit: Visit, page: str) -> Visit:
    """After visits that are not counted: slows the CPU down by less where this machine is slow itself.

    The highest index counts, because other work on the machine only lowers it.
    """
    index = max(visit.report_of(page)["environment"]["benchmarkIndex"] for _ in range(UNCOUNTED))
    slowdown = max(1.0, min(1.0, index / FAST_COMPUTER) * SLOWDOWN)
    print(f"The CPU is slowed down by {slowdown:.1f}, because the BenchmarkIndex of this machine is {index:.0f}.")
    return replace(visit, slowdown=slowdown)


def _session_of(owner: Inside, folder: Path) -> Path:
    """A file, because other users of the machine can read the arguments of a process."""
    path = folder / "headers.json"
    path.touch(0o600)
    path.write_text(json.dumps({"Cookie": f"session={owner.cookie('session')}; phone={owner.cookie('phone')}"}))
    return path


@contextmanager
def owner_of(server: Server) -> Iterator[Inside]:
    """An account with every method, and the session of a phone, in the database of the server."""
    environ = {name: value for name, value in server.environ.items() if name.startswith("NIGHTLATCH_")}
    for name in ("NIGHTLATCH_SERVING", "NIGHTLATCH_MAIL_URL", *TEXTS):
        environ.pop(name, None)  # its messages stay in the outbox, where their codes are read
    app = create_app(Settings.read(environ), clock=(clock := FakeClock(int(time.time()))))
    site = LiveSite(app, app.extensions["nightlatch"], clock, host=server.host)
    owner = Inside(site, layout=ANDROID)
    owner.sign_up()
    owner.turn_on_app()
    owner.turn_on_texts()
    owner.turn_on_key()
    owner.turn_on_requests()
    yield owner
    site.services.db.engine.dispose()


def is_within(visit: Visit, page: str) -> bool:
    """Prints a line for the page, and one for each audit that cost points where the median is below the bound."""
    reports = [visit.report_of(page) for _ in range(RUNS)]
    scores = {category: [score(report, category) for report in reports] for category in BOUNDS}
    medians = {category: statistics.median_low(of_runs) for category, of_runs in scores.items()}
    print(f"{page:40}{''.join(f'{median:16g}' for median in medians.values())}", flush=True)
    missed = [category for category, median in medians.items() if median < BOUNDS[category]]
    for category in missed:
        report = reports[scores[category].index(medians[category])]
        print(f"  {category} is below {BOUNDS[category]}, because of")
        for cost in costs(report, category):
            print(f"    {cost}")
    return not missed


def score(report: Report, category: str) -> int:
    share: float = report["categories"][category]["score"]
    return round(100 * share)


def costs(report: Report, category: str) -> list[str]:
    """The audits of the category that were not passed in full, with what they found."""
    lines = []
    for reference in report["categories"][category]["auditRefs"]:
        audit = report["audits"][reference["id"]]
        if reference["weight"] and audit["score"] is not None and audit["score"] < 1:
            found = [audit["id"], audit["title"], audit.get("displayValue", ""), f"{100 * audit['score']:.0f} of 100"]
            lines.append(", ".join(filter(None, found)))
    return lines


if __name__ == "__main__":
    sys.exit(main())
