"""Apache with mod_auth_openidc in front of a page: log-in, session, both log-outs, who may not (`make test-apps`)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from tests.browser.live import LiveSite, live_site
from tests.people import Owner
from tests.real_apps.guide import follow
from tests.relying_party import target_of
from tests.served import running
from tests.test_processes import free_port

APACHE = shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin:/usr/local/sbin")
MODULES = Path("/usr/lib/apache2/modules")
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "dir", "headers", "auth_openidc")
AROUND = """
ServerRoot {folder}
ServerName app.localhost
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{front}
User nobody
Group nogroup
{modules}
<VirtualHost 127.0.0.1:{front}>
DocumentRoot {folder}/pages
DirectoryIndex index.html
{server}
<Location />
Header set X-Seen-User expr=%{{REMOTE_USER}}
</Location>
</VirtualHost>
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LiveSite]:
    with live_site(tmp_path) as site:
        yield site


@pytest.fixture
def ada(site: LiveSite) -> Owner:
    ada = site.person("ada")
    site.services.sign_up.create_by_operator("Ada", "ada", ada.password, ada.email, confirmed=True)
    return ada


@contextmanager
def apache(site: LiveSite, *options: str) -> Iterator[Apache]:
    """The configuration of the guide, in which only names, ports and schemes are replaced.

    The site finds no name under .localhost, so it tells Apache of log-outs at its network address.
    """
    front = free_port()
    replaced = {
        "https://wiki.example.org/oidc/callback?": f"http://127.0.0.1:{front}/oidc/callback?",
        "https://wiki.example.org": f"http://app.localhost:{front}",
        "https://login.example.org": f"http://{site.host}",
    }
    more = "--trusted", "--private-address", "127.0.0.0/8", *options
    server = follow(site.app, "Apache in front of anything", "apache", *more, replaced=replaced)
    with TemporaryDirectory() as opened:
        folder = Path(opened)
        folder.chmod(0o755)
        (folder / "pages").mkdir()
        (folder / "pages" / "index.html").write_text("A page of the wiki")
        (folder / "pages" / "bye.html").write_text("Goodbye")
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
        config = folder / "apache.conf"
        server += f"\nOIDCOutgoingProxy 127.0.0.1:{site.host.partition(':')[2]}\n"
        config.write_text(AROUND.format(folder=folder, front=front, modules=modules, server=server))
        assert APACHE is not None, "Apache is not installed"
        wiki = Apache(front, folder)
        command = [APACHE, "-f", str(config), "-D", "FOREGROUND"]
        with running(command, wiki.answers, stderr=subprocess.DEVNULL):
            yield wiki


class Apache:
    """The browser's side of the guarded pages; names under .localhost are asked at the loopback address."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder, self.cookies = port, folder, dict[str, str]()

    @property
    def errors(self) -> str:
        return (self.folder / "error.log").read_text()

    def answers(self) -> bool:
        try:
            return self.get("/bye.html").status_code == 200
        except requests.ConnectionError:
            return False

    def get(self, path: str) -> requests.Response:
        parts = urlsplit(urljoin("http://app.localhost/", path))
        to = f"http://127.0.0.1:{self.port}{parts.path}{f'?{parts.query}' if parts.query else ''}"
        headers = {
            "Host": f"app.localhost:{self.port}",
            "Cookie": "; ".join(f"{n}={v}" for n, v in self.cookies.items()),
        }
        answer = requests.get(to, headers=headers, allow_redirects=False, timeout=30)
        for cookie in answer.cookies:
            self.cookies[cookie.name] = cookie.value or ""
        return answer


def path_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def log_in(wiki: Apache, person: Owner) -> None:
    asked = wiki.get("/")
    assert asked.status_code == 302, wiki.errors
    assert "code_challenge_method=S256" in asked.headers["Location"]
    person.open(path_of(asked.headers["Location"]))
    person.press("Log in", username="ada", password=person.password)
    back = wiki.get(target_of(person))
    assert back.status_code == 302, wiki.errors
    page = wiki.get(back.headers["Location"])
    assert page.text == "A page of the wiki"
    assert page.headers["X-Seen-User"] == "ada"


def test_apache_logs_in_and_out(site: LiveSite, ada: Owner) -> None:
    with apache(site) as wiki:
        log_in(wiki, ada)
        assert wiki.get("/").status_code == 200, "the session of Apache goes on"

        leave = wiki.get(f"/oidc/callback?logout=http%3A%2F%2Fapp.localhost%3A{wiki.port}%2Fbye.html")
        assert leave.status_code == 302
        ada.open(path_of(leave.headers["Location"]), follow=False)
        assert urlsplit(target_of(ada)).path == "/bye.html"
        assert ada.open("/settings").h1 == "Log in", "log-out in the app is log-out here"
        assert wiki.get("/").status_code == 302


def test_a_log_out_here_ends_the_session_of_apache(site: LiveSite, ada: Owner) -> None:
    """By back channel: the browser still sends its cookie to Apache. Another browser's session goes on."""
    with apache(site) as wiki:
        other, elsewhere = Apache(wiki.port, wiki.folder), site.person("ada")
        log_in(wiki, ada)
        log_in(other, elsewhere)
        ada.open("/")
        ada.press("Log out")
        assert wiki.get("/").status_code == 200, "Apache has not been told yet"
        site.services.delivery.deliver_due()
        assert wiki.get("/").status_code == 302, wiki.errors
        assert other.get("/").status_code == 200


def test_who_may_not_use_the_app_never_reaches_it(site: LiveSite, ada: Owner) -> None:
    site.services.operators.groups.create("editors")
    with apache(site, "--group", "editors") as wiki:
        ada.open(path_of(wiki.get("/").headers["Location"]))
        page = ada.press("Log in", username="ada", password=ada.password)
        assert (page.status, page.h1) == (403, "You can't use Wiki")
        assert wiki.get("/").status_code == 302
