"""The web server: the HTTP channel, health and metrics."""
