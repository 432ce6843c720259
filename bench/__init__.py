"""Benchmarks: what a log-in costs, as ratios in one run, because machines are noisy."""
