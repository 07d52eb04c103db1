"""The web interface: pages, REST API, server-sent events, metrics."""
