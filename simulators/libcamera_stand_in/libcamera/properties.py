"""The properties of a camera that picamera2 names."""

from libcamera.controls import ControlId

Model = ControlId("Model", "String")
Location = ControlId("Location")
Rotation = ControlId("Rotation")
PixelArraySize = ControlId("PixelArraySize", "Size")
ColorFilterArrangement = ControlId("ColorFilterArrangement")


class draft:
    """Properties that libcamera may still change."""

    class ColorFilterArrangementEnum:
        RGGB, GRBG, GBRG, BGGR, RGB, MONO = range(6)
