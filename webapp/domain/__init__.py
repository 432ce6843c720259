"""Rules, refusals and ports. Must not import Flask, SQLAlchemy or an adapter."""
