"""Benchmarks of log-ins and pages. Figures are scaled by the hashes of the same run, because machines differ."""
