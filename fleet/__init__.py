"""What do we know? The fleet: its values, its rules, its one record of truth."""
