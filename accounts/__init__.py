"""Who may: users, roles, grants, sessions and tokens."""
