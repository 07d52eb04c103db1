"""Fixtures of the tests of the inventory."""

from tests.store.disks import disks

__all__ = ["disks"]
