"""Video files are described by their containers, placed like results, and never taken for whole when they are not."""

from __future__ import annotations

import struct

import pytest

from map_assets.simulate.video import HEIGHT_PX, WIDTH_PX, video_bytes
from map_assets.tracking.checks import videos_have_the_tracked_frames
from map_assets.tracking.containers import read_container
from map_assets.tracking.tables import VIDEOS
from map_assets.tracking.video_files import read_videos
from map_assets.vocabulary.errors import BadInput, NoFormatRecognizes, UnreadableFile

RATE_HZ = 1 / 0.0034
AVI, MP4 = (video_bytes(30, RATE_HZ, container) for container in ("avi", "mp4"))


def read(tracker, n_trials: int = 3):
    """Describe what was written: rows by file, and reasons by file name."""
    table, rejected = read_videos(tracker.session, tracker.files, tracker.trials(range(1, n_trials + 1)))
    rows = {row["file"]: row for row in table.to_pylist()}
    return rows, {file.relpath.name: str(one.error) for one in rejected for file in one.files}


@pytest.mark.parametrize(("content", "name", "codec"), [(AVI, "avi", "mjpeg"), (MP4, "mp4", "mpeg4")])
def test_a_video_is_described_by_its_container(tracker, content, name, codec) -> None:
    file = tracker.text(f"dl59_x_side_2-0000.{name}", content)
    rows, rejected = read(tracker)
    assert rejected == {}
    row = rows[str(file.relpath)]
    assert (row["container"], row["codec"], row["n_frames"], row["n_frames_source"]) == (name, codec, 30, "container")
    assert (row["width_px"], row["height_px"], row["size_bytes"]) == (WIDTH_PX, HEIGHT_PX, len(content))
    assert row["rate_hz"] == pytest.approx(RATE_HZ)
    assert row["duration_s"] == pytest.approx(30 / RATE_HZ)
    assert (row["camera"], row["video"], row["trial"], row["unplaced_because"]) == ("side", 2, 2, None)
    assert row["share"] == "video"


def fragmented() -> bytes:
    """A film in pieces, whose head cannot tell how many images follow."""
    import io
    from fractions import Fraction

    import av
    import numpy as np

    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov"}) as film:
        video = film.add_stream("mpeg4", rate=Fraction(100))
        video.width, video.height, video.pix_fmt = 32, 24, "yuv420p"
        for number in range(17):
            frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), number, np.uint8), format="rgb24")
            frame.pts = number
            film.mux(video.encode(frame))
        film.mux(video.encode())
    return stream.getvalue()


def test_images_are_counted_only_where_the_container_does_not_tell(tracker) -> None:
    path = tracker.text("dl59_x_side_1.mp4", fragmented()).path
    found = read_container(path)
    assert (found.n_frames, found.is_counted) == (17, True)
    assert read(tracker)[0]["dl59_x_side_1.mp4"]["n_frames_source"] == "counted"


def test_a_video_goes_by_its_cameras_map_and_one_without_a_kept_trial_says_why(tracker) -> None:
    names = ["dl59_x_side_9.avi", "dl59_x_side_10.avi", "dl59_x_side_11.avi", "dl59_x_body_2.avi", "whole_session.avi"]
    for name in names:
        tracker.text(name, AVI)
    tracker.text("dl59_041219_side.txt", "9\t1\n10\t88\n")
    rows, rejected = read(tracker)
    assert rejected == {}
    assert {name: rows[name]["trial"] for name in names} == dict(zip(names, [1, None, None, 2, None], strict=True))
    said = {name: row["unplaced_because"] for name, row in rows.items() if row["trial"] is None}
    assert "trial 88, which the session did not keep" in said["dl59_x_side_10.avi"]
    assert "names no trials for video 11" in said["dl59_x_side_11.avi"]
    assert "says no camera" in said["whole_session.avi"]
    assert (rows["whole_session.avi"]["camera"], rows["dl59_x_side_10.avi"]["camera"]) == (None, "side")


def test_a_map_that_cannot_be_read_places_no_video_of_its_camera(tracker) -> None:
    tracker.text("dl59_x_side_1.avi", AVI)
    tracker.text("dl59_x_body_1.avi", AVI)
    tracker.text("dl59_041219_side.txt", "1;1\n")
    rows, rejected = read(tracker)
    assert rejected == {}
    assert (rows["dl59_x_side_1.avi"]["trial"], rows["dl59_x_body_1.avi"]["trial"]) == (None, 1)
    assert "line 1 is '1;1'" in rows["dl59_x_side_1.avi"]["unplaced_because"]


@pytest.mark.parametrize("content", [AVI, MP4], ids=["avi", "mp4"])
def test_a_video_cut_anywhere_is_refused_and_the_others_go_on(tracker, content) -> None:
    path = tracker.text("dl59_x_side_1.avi", content).path
    read_container(path)
    for cut in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:cut])
        with pytest.raises((UnreadableFile, NoFormatRecognizes), match=r"dl59_x_side_1\.avi"):
            read_container(path)
    tracker.text("dl59_x_side_2.avi", AVI)
    rows, rejected = read(tracker)
    assert (list(rows), list(rejected)) == (["dl59_x_side_2.avi"], ["dl59_x_side_1.avi"])
    assert "it breaks off" in rejected["dl59_x_side_1.avi"]


BAD = {
    "empty": (b"", NoFormatRecognizes, "it is empty"),
    "a text": (b"#EXTM3U\nfile:///etc/hostname\n", NoFormatRecognizes, "no video's"),
    "an avi whose length was never written": (AVI[:4] + bytes(4) + AVI[8:], UnreadableFile, "never written"),
    "an avi without images": (b"RIFF" + struct.pack("<I", 4) + b"AVI ", UnreadableFile, "holds no images"),
    "an mp4 without an index": (MP4[: MP4.index(b"moov") - 4], UnreadableFile, "its index"),
    "an mp4 with a box of no length": (struct.pack(">I4s", 3, b"ftyp") + bytes(20), UnreadableFile, "has no length"),
    "an mp4 of junk": (
        struct.pack(">I4s", 40, b"moov") + b"x" * 32 + struct.pack(">I4s", 8, b"mdat"),
        UnreadableFile,
        "",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_whole_video_is_refused_by_name(tracker, case) -> None:
    content, error, said = BAD[case]
    path = tracker.text("dl59_x_side_1.avi", content).path
    with pytest.raises(error) as found:
        read_container(path)
    assert said in str(found.value)
    assert path.name in str(found.value)


def test_a_video_that_is_gone_is_refused(tracker) -> None:
    tracker.text("dl59_x_side_1.avi", AVI).path.unlink()
    assert "cannot be reached" in read(tracker)[1]["dl59_x_side_1.avi"]


def test_a_changed_byte_is_a_description_or_a_refusal(tracker) -> None:
    path = tracker.text("dl59_x_side_1.avi", b"").path
    for content in (AVI, MP4):
        for place in range(0, len(content), max(1, len(content) // 120)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
            try:
                found = read_container(path)
            except BadInput as error:
                assert path.name in str(error)
            else:
                assert found.size_bytes == len(content)


def test_videos_have_the_frames_that_were_tracked(tracker) -> None:
    for trial, frames in ((1, range(30)), (2, [0, 1, 29]), (3, range(29))):
        tracker.text(f"dl59_x_side_{trial}.avi", AVI)
        tracker.csv(f"dl59_x_side_{trial}.csv", frames=frames)
    tracker.text("dl59_x_body_1.avi", AVI)
    tracking = tracker.read()[0]
    videos, _ = read_videos(tracker.session, tracker.files, tracker.trials([1, 2, 3]))
    verdict = videos_have_the_tracked_frames(videos, tracking)
    assert not verdict.passed
    assert verdict.figures == {"n_videos": 4, "n_judged": 3, "n_other": 1}
    assert "dl59_x_side_3.avi has 30 frames, 29 were tracked" in verdict.description
    assert videos_have_the_tracked_frames(videos.slice(0, 3), tracking).passed
    assert videos_have_the_tracked_frames(VIDEOS.empty(), tracking).passed
    assert videos_have_the_tracked_frames(videos, tracking.slice(0, 0)).passed
