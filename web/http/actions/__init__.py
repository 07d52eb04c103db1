"""What a request does for the API and the pages alike: rights checked, audit log written."""
