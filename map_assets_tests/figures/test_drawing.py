"""Rendering: size, weight, and the same bytes every time."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from PIL import Image

from map_assets.figures.drawing import MAX_PNG_BYTES, drawn


def _line(figure: object) -> None:
    figure.subplots().plot([0, 1], [0, 1], label="a")


def test_a_drawing_is_900_pixels_wide_and_the_same_each_time() -> None:
    first, second = drawn(3.0, _line), drawn(3.0, _line)
    assert first == second
    assert Image.open(io.BytesIO(first.png)).size == (900, 300)
    assert b"<svg" in first.svg
    assert b"<dc:date>" not in first.svg


def test_a_drawing_leaves_the_settings_of_others_alone() -> None:
    before = dict(matplotlib.rcParams)
    drawn(2.0, _line)
    assert dict(matplotlib.rcParams) == before


def test_a_picture_that_is_too_heavy_is_made_lighter() -> None:
    noise = np.random.default_rng(0).random((150, 900, 3))
    drawing = drawn(2.0, lambda figure: figure.subplots().imshow(noise, aspect="auto"))
    assert len(drawing.png) <= MAX_PNG_BYTES
    assert Image.open(io.BytesIO(drawing.png)).size[0] >= 450
