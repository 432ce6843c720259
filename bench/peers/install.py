"""Installs each application into `.peers/`, in an environment of its own, unless it is there as it is asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys

from .sites import INSTALLED, OURS, Site


def install(site: Site) -> None:
    """Raises `subprocess.CalledProcessError` when pip or npm fails, whose own message is on standard error."""
    if site.name == OURS:
        return
    home, asked = INSTALLED / site.name, site.packages
    done = home / asked.name
    is_done = done.exists() and done.read_text() == asked.read_text()
    if not is_done:
        print(f"installing {site.title}", file=sys.stderr)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        if site.in_node:
            shutil.copy(asked, done)
            quiet = ("--silent", "--no-audit", "--no-fund")
            subprocess.run(["npm", "install", *quiet, "--prefix", home], check=True, stdout=sys.stderr)
        else:
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            pip = [home / "bin/pip", "-qq", "--disable-pip-version-check", "install", "-r", asked]
            subprocess.run(pip, check=True, stdout=sys.stderr)
            shutil.copy(asked, done)
    if site.in_node:  # Node.js looks for modules beside the program
        shutil.copy(site.folder / "app.js", home)
