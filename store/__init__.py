"""How do we keep? The JSON file, the SQL engine and its migrations."""
