"""What do people touch? Pages, REST API, server-sent events, metrics."""
