"""A throw-away Debian machine: a root that mmdebstrap makes, with a systemd of its own that runs in namespaces.

It needs root. Commands before `boot` are run in the root alone and reach the network; the booted machine has a network
of its own, with nothing but its loopback interface.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.test_processes import eventually
from webapp.settings import ROOT

PACKAGES = "systemd,systemd-sysv,dbus,ca-certificates,nftables,python3"
NETWORK = ("resolv.conf", "hosts", "apt", "ssl/certs")
"""What a package manager reads in /etc to reach its registry."""
CGROUPS = Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")
"""Where the unified hierarchy is mounted, beside the older ones or alone."""
HUGE_PAGES = "huge-pages"
"""The file in the root that a booted machine has for the setting of the host, which nothing in it may change."""


class Machine:
    def __init__(self, root: Path, *packages: str) -> None:
        """`packages` are further ones of Debian."""
        self.root = root
        self._init: int | None = None
        include = ",".join((PACKAGES, *packages))
        sources = [*Path("/etc/apt").glob("sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]
        command = ["unshare", "--mount", "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
        command += [f"--include={include}", "", str(root)]  # no mount of it is left, also when it is interrupted
        subprocess.run([*command, *map(str, sources)], check=True)
        for name in NETWORK:
            given, copy = Path("/etc") / name, root / "etc" / name
            shutil.rmtree(copy, ignore_errors=True)
            copy.unlink(missing_ok=True)
            if given.is_dir():
                shutil.copytree(given, copy)
            else:
                shutil.copy(given, copy)
        self._download(root / "wheels")
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "/wheels",
        }

    def _download(self, wheels: Path) -> None:
        """The packages of requirements.lock, so that the machine needs no registry for them."""
        pip = [sys.executable, "-m", "pip", "-qq", "download", "--no-deps", "--dest", str(wheels)]
        subprocess.run([*pip, "-r", str(ROOT / "requirements.lock")], check=True)
        # http-ece is built with setuptools and wheel, redis needs async-timeout before Python 3.11.3 (Debian: 3.11.2)
        subprocess.run([*pip, "pip", "setuptools", "wheel", "async-timeout"], check=True)

    def start(self, *command: str) -> subprocess.Popen[str]:
        if self._init is None:
            inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={self.root}", "--mount-proc"]
        else:
            inside = ["nsenter", f"--target={self._init}", "--all", "--root", "--wd"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen([*inside, *command], text=True, env=self.environment, **pipes)

    def run(self, *command: str, typed: str = "", check: bool = True) -> str:
        """What the command prints, with its errors. Fails with it, if `check`."""
        process = self.start(*command)
        told, _ = process.communicate(typed)
        assert not check or process.returncode == 0, f"{' '.join(command)}: {told}"
        return told

    @contextmanager
    def boot(self) -> Iterator[None]:
        """systemd runs as process 1 of the machine until the end."""
        hierarchy = next(path for path in CGROUPS if (path / "cgroup.procs").exists())
        group = hierarchy / f"nightlatch-{os.getpid()}"
        group.mkdir()
        # not chroot: a process in one may make no user namespace (user_namespaces(7)), as the units do
        begin = (
            'mount --bind "$0" "$0" && cd "$0" && mount -t proc proc proc && mount -t sysfs -o ro sysfs sys'
            f" && mount --bind {HUGE_PAGES} sys/kernel/mm/transparent_hugepage/enabled"
            " && pivot_root . mnt && umount -l /mnt && exec /lib/systemd/systemd"
        )
        (self.root / HUGE_PAGES).write_text("")
        namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net", "--cgroup"]
        command = ["unshare", *namespaces, "sh", "-c", begin, str(self.root)]
        process = subprocess.Popen(
            ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh", *command],
            env={**self.environment, "container": "nightlatch"}, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            assert eventually(lambda: bool(children.read_text().split()))
            self._init = int(children.read_text().split()[0])
            assert eventually(lambda: self.run("systemctl", "is-system-running", check=False).strip() in UP, 60)
            yield
        finally:
            self._init = None
            process.kill()
            process.wait(30)
            assert eventually(lambda: removed(group))


def removed(group: Path) -> bool:
    """Removes the control group with those in it; fails with OSError while a process ends."""
    for path in (*sorted(group.rglob("*"), reverse=True), group):
        if path.is_dir():
            path.rmdir()
    return True


UP = ("running", "degraded")
