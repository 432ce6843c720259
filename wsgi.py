"""The WSGI entry point: `flask --app wsgi ...` and the production server import `app` from here."""

from __future__ import annotations

import gc
import os
import sys

gc.disable()  # nothing that is loaded at the start is garbage, and looking for some takes a tenth of it
# structlog loads it where a linter has brought it along, for coloured tracebacks that no log of ours shows
sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # Python's own way to say that there is none

from webapp import create_app  # noqa: E402  # once the collector rests

from webapp.settings import Settings, SettingsError  # noqa: E402

try:
    settings = Settings.read(os.environ)
except SettingsError as error:
    sys.exit(str(error))
app = create_app(settings)
if settings.serving:
    app.config["RESTORED_LATELY"] = app.extensions["nightlatch"].restoration.check()
    gc.collect()
    gc.freeze()  # what is loaded now stays for good: no collection need look through it, nor a fork copy it
gc.enable()
