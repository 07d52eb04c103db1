"""Who may: users, roles, grants, sessions, tokens and the log of who did what."""
