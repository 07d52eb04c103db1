"""Stand-in for libcamera's Python module: cameras that draw their own pictures."""

from libcamera import controls, dma_heap, properties
from libcamera._libcamera import (
    Camera,
    CameraConfiguration,
    CameraManager,
    ColorSpace,
    ControlType,
    FrameBuffer,
    FrameBufferAllocator,
    FrameMetadata,
    Orientation,
    PixelFormat,
    Rectangle,
    Request,
    SensorConfiguration,
    Size,
    StreamRole,
    Transform,
)

dma_heap.install()

__all__ = [
    "Camera",
    "CameraConfiguration",
    "CameraManager",
    "ColorSpace",
    "ControlType",
    "FrameBuffer",
    "FrameBufferAllocator",
    "FrameMetadata",
    "Orientation",
    "PixelFormat",
    "Rectangle",
    "Request",
    "SensorConfiguration",
    "Size",
    "StreamRole",
    "Transform",
    "controls",
    "properties",
]
