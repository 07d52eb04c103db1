"""How reports change the fleet."""
