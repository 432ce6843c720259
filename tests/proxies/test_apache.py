"""Apache with mod_auth_openidc and the shipped configuration: a log-in by OpenID Connect, and what the app learns."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.proxies.stacks import NAVIGATION, Browser, echo, headers_of, listens
from tests.served import running, served
from tests.test_guard_guide import APACHE, LOADED, MODULES
from tests.test_processes import free_port
from webapp.models.registered_apps import WEB
from webapp.services.guarded.configurations import SPELLINGS, configuration
from webapp.services.operators import AppOptions


def test_apache_logs_in_by_openid_connect(tmp_path: Path) -> None:
    if APACHE is None or not (MODULES / "mod_auth_openidc.so").exists():
        pytest.skip("mod_auth_openidc is not installed; on Debian: apt-get install libapache2-mod-auth-openidc")
    front = free_port()
    host = f"wiki.localhost:{front}"
    with served(tmp_path, NIGHTLATCH_TRUSTED_PROXIES="1") as server, echo() as upstream:
        services, back = server.services, f"http://{host}/openid/back"
        told = f"http://127.0.0.1:{front}/openid/back?logout=backchannel"  # not every resolver knows .localhost
        options = AppOptions(
            "Wiki",
            redirect_uris=(back,),
            trusted=True,
            backchannel_logout_uri=told,
            private_addresses=("127.0.0.0/8",),
        )
        made = services.operators.apps.create(WEB, options)
        text = configuration(
            "apache",
            services.operators.apps.named(made.app.client_id),
            services.core,
            bind=f"127.0.0.1:{server.port}",
            main_url=f"http://{server.host}",
            upstream=f"http://127.0.0.1:{upstream}",
            listen=f"127.0.0.1:{front}",
        ).replace("the-client-secret", str(made.secret))
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
        around = (
            f"ServerRoot {tmp_path}\nPidFile {tmp_path}/pid\nErrorLog {tmp_path}/error.log\nListen 127.0.0.1:{front}"
        )
        file = tmp_path / "apache.conf"
        file.write_text(f"{around}\nUser nobody\nGroup nogroup\n{modules}\n{text}")
        command = [APACHE, "-f", str(file), "-D", "FOREGROUND"]
        with running(command, lambda: listens(front, host), stderr=subprocess.DEVNULL):
            browser = Browser({host: front, server.host: server.port})
            at, _page = browser.log_in(f"http://{host}/page?a=b")
            assert at == f"http://{host}/page?a=b"
            forged = [f"{name}: root" for name in SPELLINGS]
            headers = headers_of(browser.ask(f"http://{host}/page", *forged))
            for upgrade in ("h2c", "h2c, websocket"):
                answer = browser.ask(f"http://{host}/page", "Connection: Upgrade", f"Upgrade: {upgrade}")
                assert "upgrade" not in headers_of(answer), upgrade
            for name in SPELLINGS:
                assert browser.ask(f"http://{host}/page", f"Connection: {name}").status == 400, "it would be dropped"
            services.accounts.log_out("ada")
            assert browser.ask(f"http://{host}/page", *NAVIGATION).status == 200, "Apache has not been told yet"
            services.delivery.deliver_due()
            assert browser.ask(f"http://{host}/page", *NAVIGATION).status == 302
    assert headers["remote-user"] == "ada"
    assert headers["remote-name"] == "Zoë 李"
    assert headers["remote-email"] == "ada@example.org"
    assert "root" not in headers.values()
    assert "mod_auth_openidc_session" not in headers.get("cookie", "")
