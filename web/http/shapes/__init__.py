"""Every JSON field name of the API, but for those of devices, which `fleet.shapes` has."""
