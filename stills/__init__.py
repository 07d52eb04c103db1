"""Stills: pictures of cameras, taken when somebody asks and by the hour, and kept."""
