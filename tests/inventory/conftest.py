"""What every test of the inventory may use."""

from tests.store.disks import disks

__all__ = ["disks"]
