"""What a video file's container says of itself: avi and mp4, never an image decoded. Whose video it is lives in `video_files`.

Before any library sees a file, its outermost pieces are walked by their sizes: a recorder that was stopped or a copy
that broke off leaves a piece that reaches past the end of the file, or an index that was never written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from map_assets.vocabulary.errors import BadInput, NoFormatRecognizes, UnreadableFile
from map_assets.vocabulary.files import unchanged

_TODO = "Copy it again from the camera's computer; if it is no better there, the recorder was stopped before it ended."
_BRANDS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_MOST_PIECES = 100_000
"""No recorder writes more outermost pieces than this."""


@dataclass(frozen=True)
class Contained:
    """What a container says.

    Parameters
    ----------
    container : str
        ``avi`` or ``mp4``.
    codec : str
    width_px, height_px : int
    n_frames : int or None
        None where it neither says nor holds packets.
    is_counted : bool
        Whether the packets had to be counted, because the container does not tell.
    rate_hz, duration_s : float or None
        As claimed; the rate is not always the camera's.
    size_bytes : int
    """

    container: str
    codec: str
    width_px: int
    height_px: int
    n_frames: int | None
    is_counted: bool
    rate_hz: float | None
    duration_s: float | None
    size_bytes: int


def read_container(path: Path) -> Contained:
    """Read a video file's description.

    Raises
    ------
    NoFormatRecognizes
        If it is neither an avi nor an mp4 file.
    UnreadableFile
        If it is truncated, was never finished, or holds no images.
    ChangedWhileRead
        If it was written to while it was read.
    """
    with unchanged(path) as facts, _opened(path) as stream:
        head = stream.read(12)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            kind = "avi"
            _walk_avi(path, stream, facts.st_size)
        elif head[4:8] in _BRANDS:
            kind = "mp4"
            _walk_mp4(path, stream, facts.st_size)
        else:
            raise NoFormatRecognizes(
                path, "it is empty" if not head else "its first bytes are no video's", expected="avi or mp4", todo=_TODO
            )
        stream.seek(0)
        return _described(path, stream, kind, facts.st_size)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise UnreadableFile(
            path, f"it cannot be read ({error.strerror or error})", expected="a readable file", todo="Copy it again."
        ) from error


def _walk_avi(path: Path, stream: BinaryIO, size: int) -> None:
    """Follow the RIFF pieces (a long video has several) to the end of the file."""
    place, has_images = 0, False
    for _ in range(_MOST_PIECES):
        stream.seek(place)
        head = stream.read(12)
        if len(head) < 8 or head[:4] != b"RIFF":
            break
        length = struct.unpack("<I", head[4:8])[0]
        if length == 0:
            raise _damaged(path, "its length was never written")
        if place + 8 + length > size:
            raise _damaged(path, f"it breaks off: {place + 8 + length} bytes are announced and {size} are there")
        has_images = has_images or _holds_images(stream, place + 12, place + 8 + length)
        place += 8 + length + length % 2
    if not has_images:
        raise _damaged(path, "it holds no images")


def _holds_images(stream: BinaryIO, place: int, stop: int) -> bool:
    """Look for the list of images in one RIFF piece."""
    for _ in range(_MOST_PIECES):
        stream.seek(place)
        head = stream.read(12)
        if len(head) < 12 or place >= stop:
            return False
        if head[:4] == b"LIST" and head[8:12] == b"movi":
            return True
        length = struct.unpack("<I", head[4:8])[0]
        place += 8 + length + length % 2
    return False


def _walk_mp4(path: Path, stream: BinaryIO, size: int) -> None:
    """Follow the boxes to the end of the file; without ``moov`` nothing says where an image lies."""
    place = 0
    found = set()
    for _ in range(_MOST_PIECES):
        stream.seek(place)
        head = stream.read(16)
        if not head:
            break
        if len(head) < 8:
            raise _damaged(path, "it breaks off in the head of a box")
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        elif length == 0:
            length = size - place
        if length < 8:
            raise _damaged(path, f"its box {name.decode('latin-1')!a} has no length")
        if place + length > size:
            raise _damaged(path, f"it breaks off: {place + length} bytes are announced and {size} are there")
        found.add(name)
        place += length
    if not {b"moov", b"mdat"} <= found:
        raise _damaged(path, "its index (moov) or its images (mdat) are missing")


def _described(path: Path, stream: BinaryIO, kind: str, size: int) -> Contained:
    import av

    try:
        # the format is told, so that a playlist that calls itself a video leads nowhere
        with av.open(stream, format=kind) as container:
            if not container.streams.video:
                raise _damaged(path, "it holds no images")
            video = container.streams.video[0]
            if video.codec_context is None or not video.codec_context.width or not video.codec_context.height:
                raise _damaged(path, "its images are of no known form or size")
            n_frames, is_counted = int(video.frames), False
            if n_frames <= 0:
                n_frames, is_counted = _count_packets(container, video), True
            rate = video.average_rate
            length, unit = video.duration, video.time_base
            return Contained(
                kind,
                str(video.codec_context.name),
                int(video.codec_context.width),
                int(video.codec_context.height),
                n_frames or None,
                is_counted,
                float(rate) if rate else None,
                None if length is None or unit is None else float(length * unit),
                size,
            )
    except BadInput:
        raise
    except (av.FFmpegError, ValueError, RuntimeError, IndexError, OverflowError, ZeroDivisionError) as error:
        raise _damaged(path, f"its container cannot be read ({str(error)[:120]})") from error


def _count_packets(container: Any, video: Any) -> int:
    """Count the images without decoding one."""
    return sum(1 for packet in container.demux(video) if packet.size)


def _damaged(path: Path, found: str) -> UnreadableFile:
    return UnreadableFile(path, found, expected="a whole video", todo=_TODO)
