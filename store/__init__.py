"""Storage: the JSON file, the SQL engine and its migrations."""
