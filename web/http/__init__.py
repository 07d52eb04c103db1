"""HTTP parts shared by pages and API: sign-in, permissions, errors, streams, OpenAPI."""
