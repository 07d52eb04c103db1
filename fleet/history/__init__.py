"""The history: the journal, its readers, and uptimes."""
