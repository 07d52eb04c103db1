"""The controls that picamera2 names, each with its type and limits."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ControlId:
    """A control or a property: what libcamera calls it, and the type of its value."""

    name: str
    type: str = "Integer32"


@dataclass(frozen=True)
class ControlInfo:
    """The limits of a control and its default."""

    min: Any
    max: Any
    default: Any


ExposureTime = ControlId("ExposureTime")
ExposureTimeMode = ControlId("ExposureTimeMode")
AnalogueGain = ControlId("AnalogueGain", "Float")
AnalogueGainMode = ControlId("AnalogueGainMode")
DigitalGain = ControlId("DigitalGain", "Float")
SensorTimestamp = ControlId("SensorTimestamp", "Integer64")
NoiseReductionMode = ControlId("NoiseReductionMode")
FrameDurationLimits = ControlId("FrameDurationLimits", "Integer64")

ALL = {
    ExposureTime: ControlInfo(75, 11_766_829, 20_000),
    AnalogueGain: ControlInfo(1.0, 10.6, 1.0),
    NoiseReductionMode: ControlInfo(0, 4, 0),
    FrameDurationLimits: ControlInfo(33_333, 11_767_556, 33_333),
}


class draft:
    """Controls that libcamera may still change."""

    class NoiseReductionModeEnum:
        Off, Fast, HighQuality, Minimal = 0, 1, 2, 3
