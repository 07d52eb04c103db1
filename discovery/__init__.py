"""When do we ask? The scan engine and the scheduler."""
