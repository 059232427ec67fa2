"""Images of videos, one after the other, for embedding. Which videos, and when each image was taken, is decided in `videos`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from map_assets.vocabulary.errors import UnreadableFile


def images_of(videos: Sequence[tuple[Path, int]]) -> Iterator[NDArray[np.uint8]]:
    """Decode videos image by image; none is held longer than it is asked for.

    Parameters
    ----------
    videos : sequence of (pathlib.Path, int)
        Each file, and how many images it has to have.

    Yields
    ------
    numpy.ndarray of uint8, shape (rows, columns) or (rows, columns, 3)
        Grey where the video's own images are grey, else red, green and blue.

    Raises
    ------
    UnreadableFile
        If a file cannot be decoded, or has another number of images.
    """
    for path, n_images in videos:
        n_found = 0
        for image in _decoded(path):
            n_found += 1
            if n_found > n_images:
                break
            yield image
        if n_found != n_images:
            found = f"has {'more than ' * (n_found > n_images)}{min(n_found, n_images)} images"
            raise UnreadableFile(path, found, expected=f"{n_images}, as its container says", todo="Copy it again.")


def _decoded(path: Path) -> Iterator[NDArray[np.uint8]]:
    import av

    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                is_grey = frame.format.name.startswith("gray")
                yield np.asarray(frame.to_ndarray(format="gray" if is_grey else "rgb24"), np.uint8)
    except (av.error.FFmpegError, OSError, IndexError, ValueError) as error:
        raise UnreadableFile(
            path, f"cannot be decoded ({error})", expected="a video", todo="Copy it again, or leave the videos outside."
        ) from error
