"""Actions that the API and the pages share: rights checked, audit log written."""
