"""A scan misses what it can hear, and nothing else."""

from discovery.misses import missed
from fleet.identity import channel_key
from fleet.model import Access, Coverage, Device, SourceState
from tests.fleet.reports import A, noon

ASKED = Coverage("onvif", ("onvif:eth0",), 3, 0, (), (), {"onvif:eth0": 3})


def test_a_scan_does_not_miss_the_channels_that_only_a_probe_reports() -> None:
    states = {"onvif": SourceState(seen_at=noon())}
    access = {"onvif": Access()}
    recorder = Device(1, "recorder", "here", (A,), access=access, states=states)
    channel = Device(2, "camera", "here", (channel_key(A, "V1"),), parents=(1,), states=states)
    heard = Device(3, "camera", "here", ("onvif:urn:uuid:3",), states=states)
    misses = missed([recorder, channel, heard], ASKED, noon(minutes=1), noon(minutes=2), True)
    assert [miss.identity for miss in misses] == ["onvif:urn:uuid:3"]
