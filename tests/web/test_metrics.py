"""What `/metrics` counts, and that the shipped dashboard and alerts ask for nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Site, one_database
from tests.doubles import FailingTexts
from tests.people import Owner, Person
from webapp import create_app
from webapp.domain.origin import Origin
from webapp.domain.ports import Refused, Unreachable
from webapp.services.delivery import CHANNELS
from webapp.settings import ROOT, Settings

pytestmark = pytest.mark.usefixtures("gateway")
DASHBOARD = ROOT / "deploy/grafana/nightlatch.json"
ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
UNIT_TESTS = ROOT / "deploy/prometheus/alerts_test.yaml"
PROMTOOL = shutil.which("promtool")


@pytest.fixture
def ada(site: Site) -> Owner:
    """Ada with text messages and an authentication app, logged in, a minute after the last text."""
    ada = Owner.signed_up(site)
    ada.turn_on_texts()
    ada.turn_on_app()
    ada.open("/")
    site.clock.pass_(61)
    return ada


def exposed(site: Site) -> str:
    page = Person(site.app, address="127.0.0.1").open("/metrics")
    assert page.status == 200
    return page.text


def samples(text: str) -> Iterator[Any]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


class Counted:
    """What was counted since this was made. The process counts on from one test to the next."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._before = self._values()

    def _values(self) -> dict[str, float]:
        return {f"{s.name}{sorted(s.labels.items())}": s.value for s in samples(exposed(self._site))}

    def __call__(self, name: str, **labels: str) -> float:
        key = f"{name}{sorted(labels.items())}"
        return self._values().get(key, 0) - self._before.get(key, 0)

    def logins(self, method: str, outcome: str) -> float:
        return self("nightlatch_logins_total", method=method, outcome=outcome)


# -- What is counted -------------------------------------------------------------------------------


@one_database
def test_a_login_is_counted_by_what_was_proved_and_by_its_outcome(site: Site, ada: Owner) -> None:
    ada.log_out()
    counted = Counted(site)
    ada.log_in("a wrong password")
    ada.log_in()
    assert (counted.logins("password", "refused"), counted.logins("password", "second-factor")) == (1, 1)
    ada.open("/log-in/verify?method=authentication-app")
    ada.press("Verify", code="000000")
    ada.press("Verify", code=ada.next_code())
    method = "authentication-app"
    assert (counted.logins(method, "refused"), counted.logins(method, "success")) == (1, 1)
    assert counted.logins("password", "success") == 0
    bob = Owner.signed_up(site, "bob")
    bob.log_in_again()
    assert counted.logins("password", "success") == 1


@one_database
def test_a_backup_code_is_counted_as_a_method(site: Site, ada: Owner) -> None:
    ada.log_in_again()
    counted = Counted(site)
    ada.open("/log-in/backup-code")
    ada.press("Verify", code="AAAA-AAAA-AAAA-AAAA")
    ada.press("Verify", code=ada.kept_code)
    assert (counted.logins("backup-code", "refused"), counted.logins("backup-code", "success")) == (1, 1)


@one_database
def test_a_step_up_is_counted_apart_from_logins(site: Site, ada: Owner) -> None:
    site.clock.pass_(660)
    counted = Counted(site)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    ada.open("/step-up/verify?method=authentication-app")
    ada.press("Verify", code=ada.next_code())
    assert counted("nightlatch_step_ups_total", method="authentication-app", outcome="success") == 1
    assert counted.logins("authentication-app", "success") == 0


@one_database
def test_an_app_that_only_knows_a_password_is_counted(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    counted = Counted(site)
    for password, status in ((bob.password, 200), ("a wrong password", 401)):
        assert Person(site.app).send("GET", "/legacy/verify", auth=(bob.username, password)).status == status
    assert counted.logins("legacy-access", "success") == counted.logins("legacy-access", "refused") == 1


@one_database
def test_a_limit_is_counted_by_its_kind_without_whose_it_is(site: Site) -> None:
    # "ada" is a part of the word "metadata", which is a part of an endpoint's name.
    owner = Owner.signed_up(site, "xiomara")
    owner.log_out()
    counted = Counted(site)
    while owner.log_in("a wrong password").status != 429:
        pass
    assert counted.logins("password", "limited") == 1
    assert counted("nightlatch_limits_hit_total", limit="password") == 1
    assert owner.username not in exposed(site)
    assert all(re.fullmatch(r"[a-z-]+", s.labels["limit"]) for s in samples(exposed(site)) if "limit" in s.labels)


@one_database
def test_a_request_is_counted_by_its_endpoint_and_never_by_its_path(site: Site) -> None:
    counted, reader, token = Counted(site), Person(site.app), "5e" * 32
    assert reader.open(f"/reset-password/{token}").status == 404
    assert reader.open(f"/no-such-page/{token}").status == 404
    assert reader.send("GET", "/log-in", host="another.example").status == 400
    name = "nightlatch_request_duration_seconds_count"
    assert counted(name, endpoint="entrance.reset_password", status="404") == 1
    assert counted(name, endpoint="unknown", status="404") == 1
    assert counted(name, endpoint="unknown", status="400") == 1
    assert token not in exposed(site)


@one_database
def test_messages_are_counted_by_what_became_of_them(site: Site, ada: Owner, gateway: FailingTexts) -> None:
    ada.log_out()
    again = 2  # the message that was put off is refused too
    troubles = (None, "sent", 1), (Unreachable("it is slow"), "put-off", 1), (Refused("it said no"), "failed", again)
    for trouble, outcome, times in troubles:
        counted = Counted(site)
        gateway.trouble = trouble
        ada.log_in()
        ada.open("/log-in/verify?method=text-message")
        site.services.delivery.deliver_due()
        site.clock.pass_(61)
        assert counted("nightlatch_messages_total", channel="text", outcome=outcome) == times
        assert counted("nightlatch_message_delay_seconds_count", channel="text") == (outcome == "sent")


@one_database
def test_the_number_and_age_of_waiting_messages_are_told_by_channel(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    site.services.delivery.deliver_due()
    bob.press("Next", email=bob.email)
    site.clock.pass_(61)
    told = exposed(site)
    for channel, count, age in (("email", "1.0", "61.0"), ("push", "0.0", "0.0")):
        assert f'nightlatch_messages_waiting{{channel="{channel}"}} {count}' in told
        assert f'nightlatch_messages_oldest_seconds{{channel="{channel}"}} {age}' in told


@one_database
def test_metrics_take_one_statement_and_say_when_the_database_is_down(site: Site, tmp_path: Path) -> None:
    site.statements.clear()
    assert "nightlatch_database_up 1.0" in exposed(site)
    assert len(site.statements) == 1
    lost = create_app(Settings.read({"NIGHTLATCH_DATABASE_URL": "sqlite:////nowhere/site.sqlite3"}, tmp_path))
    page = Person(lost, address="127.0.0.1").open("/metrics")
    assert (page.status, "nightlatch_database_up 0.0" in page.text) == (200, True)
    assert "nightlatch_messages_oldest_seconds{" not in page.text


# -- The dashboard and the alerts ------------------------------------------------------------------


def panels() -> Iterator[tuple[str, str]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


EXPRESSIONS = {*panels(), *((rule["alert"], rule["expr"]) for rule in rules())}


def metrics_in(expression: str) -> set[str]:
    """The names before a selector, and those that begin as ours do."""
    return {*re.findall(r"([a-zA-Z_:][\w:]*)\s*[{\[]", expression), *re.findall(r"nightlatch_\w+", expression)} - {"up"}


@one_database
def test_each_query_reads_metrics_and_labels_that_the_site_exposes(site: Site, ada: Owner) -> None:
    """After something of each kind has happened, for a metric with labels has no sample before."""
    ada.other_browser().log_in()
    site.services.delivery.deliver_due()
    site.clock.pass_(660)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    ada.open("/step-up/verify?method=authentication-app")
    ada.press("Verify", code=ada.next_code())
    ada.log_out()
    while ada.log_in("a wrong password").status != 429:
        pass
    found = list(samples(exposed(site)))
    names, labels = {s.name for s in found}, {label for s in found for label in s.labels} | {"job", "instance"}
    read = {name for _, expression in EXPRESSIONS for name in metrics_in(expression)}
    assert len(read) > 10
    assert read <= names
    grouped = {label for _, e in EXPRESSIONS for by in re.findall(r"by \(([^)]*)\)", e) for label in by.split(", ")}
    selected = {label for _, e in EXPRESSIONS for label in re.findall(r"(\w+)\s*[!=]~?\s*\"", e)}
    assert grouped | selected <= labels


@one_database
def test_alerts_select_limits_and_channels_that_exist(site: Site) -> None:
    number = site.services.phone_numbers.parse("+447400123456", "GB")
    buckets = site.services.text_caps._buckets(1, "log-in:1", number, Origin("192.0.2.1", ""), "new")
    known = {"limit": {bucket.kind for bucket in buckets}, "channel": set(CHANNELS)}
    for label, there in known.items():
        values = [v for _, e in EXPRESSIONS for v in re.findall(rf"{label}=~?\"([^\"]*)\"", e)]
        assert values
        assert {one for value in values for one in value.split("|")} <= there


def test_each_alert_is_explained_and_tested() -> None:
    names = {rule["alert"] for rule in rules()}
    explained = re.findall(r"^\| `(Nightlatch\w+)`", (ROOT / "docs/operating.md").read_text(), re.MULTILINE)
    assert (names, len(explained)) == (set(explained), len(names))
    tests = [case for test in yaml.safe_load(UNIT_TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in tests if case["exp_alerts"]} == names
    assert {case["alertname"] for case in tests if not case["exp_alerts"]} == names


@pytest.fixture
def promtool() -> str:
    if PROMTOOL is None:
        pytest.skip("promtool is not installed; on Debian or Ubuntu: apt-get install prometheus")
    return PROMTOOL


def test_promtool_accepts_the_alerts_and_their_unit_tests_pass(promtool: str) -> None:
    for command in (["check", "rules", str(ALERTS)], ["test", "rules", str(UNIT_TESTS)]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_each_query_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    """As the expressions of recording rules, with values in place of Grafana's variables."""
    variables = {"$__rate_interval": "5m", "$instance": ".*", "$job": "nightlatch"}
    made = []
    for number, (_, expression) in enumerate(panels()):
        for variable, value in variables.items():
            expression = expression.replace(variable, value)
        made.append({"record": f"panel:query:{number}", "expr": expression})
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
