"""What names say of files, and which names may stand side by side."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from map_assets.archive.names import Said, beside, refuse_collisions, safe, said_by
from map_assets.vocabulary.errors import ArchiveConflict, UnsafePath


@pytest.mark.parametrize(
    ("path", "role", "said"),
    [
        ("SC022/run_g0/run_g0_imec1/run_g0_t0.imec1.ap.bin", "spikeglx_bin", Said(probe=2)),
        ("SC022/run_g0/run_g0_t0.imec0.lf.meta", "spikeglx_meta", Said(probe=1)),
        ("SC022/run_g0/run_g0_t0.nidq.bin", "spikeglx_bin", Said()),
        ("SC022/imec3/ks2/spike_times.npy", "sorting", Said(probe=4)),
        ("SC022/imec3/old_imec0/spike_times.npy", "sorting", Said(probe=1)),
        ("SC022/phase3a.imec.ap.bin", "spikeglx_bin", Said()),
        ("SC022/limec0/a.npy", "sorting", Said()),
        ("SC022_20190228_151010_side_9-0000.avi", "video", Said(camera="side", video_number=9)),
        ("v/SC022_20190228_bottom_face_12.mp4", "video", Said(camera="bottom_face", video_number=12)),
        ("SC022_side_9-0000DLC_resnet50_x1shuffle1_5000.csv", "tracking", Said(camera="side", video_number=9)),
        ("SC022_20190228_151010_side.txt", "tracking_map", Said(camera="side")),
        ("clip.mp4", "video", Said()),
        ("SC022_side_9.mat", "behavior", Said()),
    ],
)
def test_a_name_tells_probe_camera_and_video(path: str, role: str, said: Said) -> None:
    assert said_by(PurePosixPath(path), role) == said


@given(
    st.lists(
        st.sampled_from(["a", "A", "b", "é", "e\u0301", "ß", "SS", "a/b", "A/c", "b/x", "é/1", "ss/2"]), unique=True
    )
)
def test_paths_are_refused_exactly_when_two_would_be_one_or_one_the_others_folder(names: list[str]) -> None:
    def folded(name: str) -> tuple[str, ...]:
        return tuple(unicodedata.normalize("NFC", part).casefold() for part in name.split("/"))

    pairs = [(folded(one), folded(other)) for n, one in enumerate(names) for other in names[:n]]
    is_clash = any(one[: len(other)] == other or other[: len(one)] == one for one, other in pairs)
    try:
        refuse_collisions(PurePosixPath(name) for name in names)
    except ArchiveConflict:
        assert is_clash
    else:
        assert not is_clash


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=255))
def test_a_name_with_a_suffix_still_fits_a_file_system(name: str) -> None:
    if name in {".", ".."} or len(name.encode()) > 255:
        return
    longer = beside(PurePosixPath("folder", name), ".v-0123456789ab")
    assert longer.parent == PurePosixPath("folder") and len(longer.name.encode()) <= 255
    assert longer.name.endswith(".v-0123456789ab")
    assert name.startswith(longer.name.removesuffix(".v-0123456789ab"))


@pytest.mark.parametrize("path", ["", ".", "/a", "..", "a/../b", "../a", ".parts/x", ".claims/x", "~/a", "a\0b"])
def test_a_path_that_is_none_of_the_archives_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        safe(PurePosixPath(path))


@pytest.mark.parametrize("path", ["a", "a/.hidden", "SC022/rig1/a..b", "a/~b"])
def test_a_path_of_the_archives_is_taken(path: str) -> None:
    assert safe(PurePosixPath(path)) == PurePosixPath(path)
