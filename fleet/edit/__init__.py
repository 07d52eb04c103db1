"""Edits by people: every kind, validated and undone."""
