"""The states of a stream in words: the one place for pages, API and errors. Pure."""

from fleet.clock import duration_text
from video import model
from video.model import StreamState

TEXTS = {
    model.OPENING: "Connecting to the camera",
    model.WAITING: "Waiting for a key frame",
    model.PLAYING: "Live",
    model.NO_PICTURE: "Connected, but the camera sends no picture",
    model.RETRYING: "No signal",
    model.ENDED: "Stopped",
}
LONG_DISTANCE = 4.0
"""Seconds between key frames from which on people are told why they wait."""


def text_of(state: StreamState) -> str:
    """What the stream does, without the time since when."""
    text = TEXTS.get(state.activity, state.activity)
    distance = state.key_distance
    if state.activity == model.WAITING and distance is not None and distance >= LONG_DISTANCE:
        return f"{text} (this camera sends one every {duration_text(distance)})"
    return text


def detail_of(state: StreamState) -> str:
    """Why, as a sentence; empty where there is nothing to say."""
    reason = state.reason.strip().rstrip(".")
    if not reason:
        return ""
    again = " Trying again." if state.activity == model.RETRYING else ""
    return f"{reason[0].upper()}{reason[1:]}.{again}"
