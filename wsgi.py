"""The WSGI entry point: `flask --app wsgi ...` and gunicorn import `app` from here."""

from __future__ import annotations

import os
import sys

from webapp import create_app
from webapp.keys import placeholders
from webapp.private_files import keep_private
from webapp.settings import Settings, SettingsError

try:
    settings = Settings.read(os.environ)
except SettingsError as error:
    if sys.argv[-2:] != ["keys", "generate"]:
        sys.exit(str(error))
    settings = Settings.read(placeholders())  # it prints the keys that the settings lack
keep_private(settings.instance, settings.database_url)
app = create_app(settings)
if settings.serving:  # gunicorn imports this module once, before it forks its workers
    services = app.extensions["nightlatch"]
    services.restoration.void_if_restored()
    services.db.engine.dispose()  # forked processes must not share a connection
