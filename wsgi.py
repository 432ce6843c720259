"""The WSGI entry point: `flask --app wsgi ...` and the production server import `app` from here."""

from __future__ import annotations

import gc
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
if settings.serving:
    app.config["RESTORED_LATELY"] = open_doors(app.extensions["nightlatch"])
    gc.collect()
    gc.freeze()  # what is loaded now stays for good: no collection need look through it, nor a fork copy it
