"""The outside world, one folder per system; the folders never import each other."""
