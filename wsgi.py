"""The WSGI entry point: `flask --app wsgi ...` and the web server import `app` from here."""

from __future__ import annotations

import os
import sys

from webapp import create_app
from webapp.bootstrap import open_doors
from webapp.settings import Settings, SettingsError

try:
    settings = Settings.read(os.environ)
except SettingsError as error:
    sys.exit(str(error))
app = create_app(settings)
if settings.serving:  # gunicorn loads this once, before it forks its workers
    app.config["RESTORED_LATELY"] = open_doors(app.extensions["nightlatch"])
