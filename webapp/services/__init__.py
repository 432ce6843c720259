"""What users, the operator and the worker do, one action a file. Must not import Flask."""
