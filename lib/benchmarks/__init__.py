"""Benchmarks, each run with ``python -m lib.benchmarks.NAME``; they print Markdown tables."""
