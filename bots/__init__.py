"""What you start: the command line, the settings, the wiring."""
