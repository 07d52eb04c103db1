"""The clock of the running event loop."""

import asyncio


def loop_time() -> float:
    """The time by the running loop, in seconds: what its deadlines are given in."""
    return asyncio.get_running_loop().time()
