"""Accounts and permissions: users, roles, grants, sessions and tokens."""
