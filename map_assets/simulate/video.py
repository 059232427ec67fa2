"""Writes tiny video files of filmed trials, as a camera's recorder leaves them. What a tracker finds in them lives in `deeplabcut`."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from map_assets.simulate.writing import write_bytes

WIDTH_PX, HEIGHT_PX = 32, 24
"""Size of the images."""
CODECS = {"avi": ("mjpeg", "yuvj420p"), "mp4": ("mpeg4", "yuv420p")}
"""Compression and pixel format of each container."""


def write_video(path: Path, n_frames: int, rate_hz: float, container: str) -> Path:
    """Write a video whose images brighten from frame to frame; the same arguments give the same bytes.

    Parameters
    ----------
    path : pathlib.Path
    n_frames : int
    rate_hz : float
        Frame rate that the container claims.
    container : str
        ``avi`` or ``mp4``.
    """
    return write_bytes(path, video_bytes(n_frames, rate_hz, container))


def video_bytes(n_frames: int, rate_hz: float, container: str) -> bytes:
    """Give a video file's bytes; see `write_video`."""
    import av

    codec, pixels = CODECS[container]
    stream = io.BytesIO()
    with av.open(stream, "w", format=container, options={"fflags": "+bitexact"}) as film:
        video: Any = film.add_stream(codec, rate=Fraction(rate_hz).limit_denominator(1000))
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, pixels
        video.codec_context.flags |= av.codec.context.Flags.bitexact
        video.codec_context.thread_count = 1
        for number in range(n_frames):
            image = np.full((HEIGHT_PX, WIDTH_PX, 3), number % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number
            film.mux(video.encode(frame))
        film.mux(video.encode())
    return stream.getvalue()
