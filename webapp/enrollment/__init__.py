"""How any method is turned on, step by step. Nothing here knows which methods there are."""
