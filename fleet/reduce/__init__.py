"""The reducer: apply reports to the fleet."""
