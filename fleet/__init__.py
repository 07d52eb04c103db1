"""The fleet: its values, its rules, and its one record of truth."""
