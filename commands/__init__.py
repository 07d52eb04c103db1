"""The commands: what a person or a script asks in a terminal."""
