"""The HTTP server: a gunicorn worker that slow clients cannot block."""
