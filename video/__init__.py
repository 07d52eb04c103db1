"""Live view and recording: one reader for each stream, and what is made of its packets."""
