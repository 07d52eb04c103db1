"""The HTTP server: gunicorn's worker, mended so that slow clients hold up nobody."""
