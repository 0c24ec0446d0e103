"""The rules: plain Python, no SDK, no I/O of its own."""
