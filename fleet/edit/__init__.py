"""What people change: every kind of edit, validated and undone."""
