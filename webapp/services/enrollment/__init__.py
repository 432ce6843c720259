"""Turning on any method, step by step. Nothing here may depend on a particular method."""
