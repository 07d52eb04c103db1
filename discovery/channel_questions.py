"""Which channel of a recorder is asked next, after one of them or the recorder missed."""

from discovery.device_tracker import DeviceTracker
from discovery.due_queue import DueQueue, Question, QueueEntry
from fleet.channels import recorder_of


def entries_of(queue: DueQueue, device: int) -> list[QueueEntry]:
    """The entries of the device in the queue, one for each source."""
    entries = (queue.entry(question) for question in queue.questions_of(device))
    return [entry for entry in entries if entry is not None]


def next_channel(queue: DueQueue, tracker: DeviceTracker, device: int) -> Question | None:
    """The question about one channel that was up, of a recorder that is silent, or of that of a
    silent channel: each miss asks the next, and one that answers ends it."""
    devices = tracker.devices()
    served_by = recorder_of(devices[device], devices) if device in devices else None
    recorder = served_by.id if served_by else device
    if any(entry.was_up for entry in entries_of(queue, recorder)):
        return None
    for channel in tracker.channels_of(recorder):
        for entry in entries_of(queue, channel.id):
            if entry.was_up:
                return entry.question
    return None
