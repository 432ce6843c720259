"""The WSGI entry point: `flask --app wsgi ...` and the production server import `app` from here."""

from __future__ import annotations

import sys

from webapp import create_app
from webapp.settings import SettingsError

try:
    app = create_app()
except SettingsError as error:
    sys.exit(str(error))
