"""What pages and API share about HTTP: sign-in, permissions, errors, streams, OpenAPI."""
