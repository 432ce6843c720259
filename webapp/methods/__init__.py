"""The methods, one file each. They must not import each other; only `catalogue` imports them all."""
