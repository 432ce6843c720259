"""Guarded hosts: applications behind a reverse proxy that asks Nightlatch about each request."""
