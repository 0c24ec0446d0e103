"""Benchmarks: figures measured by a command, never asserted in tests."""
