"""What happened: the journal, its readers, and uptimes."""
