"""The commands of docs/how-to/guard-a-host.md print configurations that the real programs accept.

Only the file, the port and the certificate are replaced. tests/proxies walks through the proxies themselves.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.conftest import Site, one_database
from tests.proxies.stacks import PROGRAMS
from tests.test_legacy_guide import certificate
from tests.test_processes import free_port
from webapp.models.registered_apps import GUARDED, WEB
from webapp.services.guarded.configurations import PROXIES
from webapp.services.operators import AppOptions
from webapp.settings import ROOT

pytestmark = one_database
GUIDE = ROOT / "docs" / "how-to" / "guard-a-host.md"
APACHE = shutil.which("apache2", path="/usr/sbin:/usr/local/sbin")
MODULES = Path("/usr/lib/apache2/modules")
LOADED = (
    *("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "ssl", "rewrite", "proxy", "proxy_http"),
    *("proxy_wstunnel", "auth_openidc"),
)
Run = Callable[..., Result]


@pytest.fixture
def run(site: Site) -> Run:
    return lambda *words: site.app.test_cli_runner().invoke(args=words)


def commands() -> dict[str, list[str]]:
    """By proxy, the words of its command in the guide."""
    text = GUIDE.read_text().replace("\\\n", " ")
    lines = re.findall(r"^flask --app wsgi (apps show ID --proxy (\w+) [^>\n]*)>", text, re.MULTILINE)
    return {proxy: shlex.split(words) for words, proxy in lines}


def test_the_guide_has_a_command_for_each_proxy(site: Site) -> None:
    assert set(commands()) == set(PROXIES)


def printed(site: Site, run: Run, proxy: str, folder: Path, port: int) -> str:
    kind, options = GUARDED, AppOptions("Wiki", host="wiki.example.org")
    if proxy == "apache":
        kind, options = WEB, AppOptions("Wiki", redirect_uris=("https://wiki.example.org/openid/back",))
    client_id = site.services.operators.apps.create(kind, options).app.client_id
    words = [{"ID": client_id, ":443": f"127.0.0.1:{port}"}.get(word, word) for word in commands()[proxy]]
    result = run(*words)
    assert result.exit_code == 0, result.output
    text = str(result.stdout)
    assert "wiki.example.org" in text
    for wanted, own in certificate(folder, "wiki.example.org").items():
        assert wanted in text
        text = text.replace(wanted, own)
    return text


def accepts(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("proxy", ["nginx", "caddy", "envoy"])
def test_the_printed_configuration_is_valid(site: Site, run: Run, tmp_path: Path, proxy: str) -> None:
    program = PROGRAMS[proxy]
    if program is None and proxy == "envoy":
        return  # it is no package of Debian; make test-apps installs it
    assert program is not None, f"{proxy} is not installed"
    file = tmp_path / f"{proxy}.yml"
    file.write_text(printed(site, run, proxy, tmp_path, free_port()))
    check = {
        "nginx": ["-t", "-q", "-c", str(file), "-g", f"pid {tmp_path}/pid; error_log {tmp_path}/error.log;"],
        "caddy": ["validate", "--config", str(file), "--adapter", "caddyfile"],
        "envoy": ["--mode", "validate", "-c", str(file)],
    }
    accepts(program, *check[proxy])


@pytest.mark.parametrize("proxy", ["nginx", "caddy"])
def test_a_proxy_that_serves_the_site_too_takes_what_is_printed(
    site: Site, run: Run, tmp_path: Path, proxy: str
) -> None:
    """The guide says how it is included beside the shipped configuration."""
    program, wanted, own = PROGRAMS[proxy], "/etc/ssl/login.example.org", tmp_path / "login"
    assert program is not None, f"{proxy} is not installed"
    own.mkdir()
    port = {"nginx": free_port(), "caddy": 443}[proxy]  # for another, Caddy needs options that stand first
    text = printed(site, run, proxy, tmp_path, port)
    ours = (ROOT / "deploy" / {"nginx": "nginx.conf", "caddy": "Caddyfile"}[proxy]).read_text()
    for end, path in zip((".pem", ".key"), certificate(own, "login.example.org").values(), strict=True):
        ours = ours.replace(f"{wanted}{end}", path)
    both = tmp_path / "both"
    if proxy == "caddy":
        both.write_text(ours + text)
        accepts(program, "validate", "--config", str(both), "--adapter", "caddyfile")
        return
    (tmp_path / "wiki.conf").write_text(text)
    (sed,) = re.findall(r"^sed ('.*') wiki.conf >", GUIDE.read_text(), re.MULTILINE)
    inside = subprocess.check_output(["sed", shlex.split(sed)[0], str(tmp_path / "wiki.conf")], text=True)
    ours = ours.replace("listen 443", f"listen 127.0.0.1:{port}").replace(
        "listen 80;", f"listen 127.0.0.1:{free_port()};"
    )
    around = f"pid {tmp_path}/pid; error_log {tmp_path}/error.log;\nevents {{}}\n"
    both.write_text(f"{around}http {{\n{ours}\n{inside}}}\n")
    accepts(program, "-t", "-q", "-c", str(both))


def test_the_configuration_of_traefik_has_two_parts_in_one_file(site: Site, run: Run, tmp_path: Path) -> None:
    text = printed(site, run, "traefik", tmp_path, free_port())
    at_start, _, routes = text.partition("\n---\n")
    assert "entryPoints:" in at_start
    assert at_start.count("{{/*") == routes.count("*/}}") == 1
    assert "tls: {}" in routes


def test_apache_accepts_what_is_printed(site: Site, run: Run, tmp_path: Path) -> None:
    if APACHE is None or not (MODULES / "mod_auth_openidc.so").exists():
        pytest.skip("mod_auth_openidc is not installed; on Debian: apt-get install libapache2-mod-auth-openidc")
    text = printed(site, run, "apache", tmp_path, free_port())
    loaded = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
    around = f"ServerRoot {tmp_path}\nServerName localhost\nPidFile {tmp_path}/pid\nErrorLog {tmp_path}/error.log\n"
    file = tmp_path / "apache.conf"
    file.write_text(f"{around}{loaded}\n{text}")
    accepts(APACHE, "-t", "-f", str(file))


def test_the_client_id_of_a_web_application_is_in_the_configuration_of_apache(site: Site, run: Run) -> None:
    options = AppOptions("Wiki", redirect_uris=("https://wiki.example.org/openid/back",))
    client_id = site.services.operators.apps.create(WEB, options).app.client_id
    text = run("apps", "show", client_id, "--proxy", "apache").stdout
    assert f"OIDCClientID {client_id}\n" in text
    guarded = site.services.operators.apps.create(GUARDED, AppOptions("W", host="w.example.org")).app.client_id
    text = run("apps", "show", guarded, "--proxy", "apache").stdout
    assert "--redirect-uri https://w.example.org/openid/back \\\n" in text
    assert '--backchannel-logout-uri "https://w.example.org/openid/back?logout=backchannel"\n' in text


def test_addresses_that_cannot_be_are_refused(site: Site, run: Run) -> None:
    guarded = site.services.operators.apps.create(GUARDED, AppOptions("W", host="w.example.org")).app.client_id
    web = site.services.operators.apps.create(WEB, AppOptions("V", redirect_uris=("https://v.example.org/b",))).app
    for words in (
        ("--listen", "nowhere"),
        ("--listen", ":0"),
        ("--listen", "127.0.0.1:1; return 200"),
        ("--upstream", "https://127.0.0.1:8080"),
        ("--upstream", "http://:8080"),
        ("--upstream", "http://127.0.0.1:8080/x"),
    ):
        result = run("apps", "show", guarded, "--proxy", "nginx", *words)
        assert (result.exit_code, result.stdout) == (2, ""), words
        assert "such as" in result.stderr
    result = run("apps", "show", web.client_id, "--proxy", "nginx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "guarded host only" in result.stderr


def test_every_address_is_called_by_a_loopback_one_and_ipv6_has_brackets(site: Site) -> None:
    from webapp.services.guarded.configurations import configuration

    core, apps = site.services.core, site.services.operators.apps
    stored = apps.named(apps.create(GUARDED, AppOptions("W", host="w.localhost")).app.client_id)
    where = {"main_url": "http://nightlatch.localhost", "upstream": "http://[::1]:8080"}
    text = configuration("nginx", stored, core, bind="0.0.0.0:8000", **where)
    assert "proxy_pass http://127.0.0.1:8000/forward/nginx/" in text
    assert "proxy_pass http://[::1]:8080;" in text
    assert "listen *:80;" in text
    assert "[::1]:8000" in configuration("caddy", stored, core, bind="[::]:8000", **where)
    assert 'address: "::1", port_value: 8080' in configuration("envoy", stored, core, bind="[::]:8000", **where)
