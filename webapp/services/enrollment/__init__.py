"""How any method is turned on, step by step. Nothing here may know which methods there are."""
