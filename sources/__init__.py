"""How do we ask? One file for each vendor or protocol, its raw bytes in a `_wire` twin."""
