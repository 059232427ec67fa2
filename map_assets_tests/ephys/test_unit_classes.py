"""The classifier's file of good units."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.ephys.checks import classes_are_younger_than_their_sorting
from map_assets.ephys.tables import PROBES, UNIT_CLASSES, UNITS
from map_assets.ephys.unit_classes import read_good_units, read_unit_classes
from map_assets.shares.naming import named
from map_assets.vocabulary.errors import BadInput, CompanionMissing, NameDoesNotParse, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile

SESSION = "SC022_20190303_151010"
NAME = f"{SESSION}_GoodUnitsIdx_14regions_cl.mat"
REGIONS = ("Primary motor area, Layer 5", "Caudoputamen", "Midbrain reticular nucleus")


def names(*texts: str) -> np.ndarray:
    """A MATLAB cell of texts."""
    cell = np.empty((len(texts), 1), object)
    cell[:, 0] = texts
    return cell


def units_of(*places: tuple[int, int], **sortings: str | None) -> pa.Table:
    """Units by (probe, unit_id); ``p1="a"`` names the sorting of probe 1."""
    plain: dict[str, Any] = {"session": SESSION, "quality": "good", "quality_source": "a", "peak_channel": 0}
    rest = {"x_um": 0.0, "y_um": 0.0, "n_spikes": 1, "waveform_uv": []}
    return UNITS.from_rows(
        {**plain, **rest, "probe": probe, "unit_id": unit, "sorting": sortings.get(f"p{probe}")}
        for probe, unit in places
    )


UNITS_OF_TWO = units_of((2, 4), (2, 9), (1, 30), (1, 2), (1, 7))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., FoundFile]:
    def make(*, name: str = NAME, **variables: Any) -> FoundFile:
        from scipy.io import savemat

        savemat(tmp_path / name, variables)
        status = (tmp_path / name).stat()
        return FoundFile("ephys", tmp_path, PurePosixPath(name), "unit_classes", status.st_size, status.st_mtime_ns)

    return make


def rejection(file: FoundFile, units: pa.Table = UNITS_OF_TWO, probes: pa.Table | None = None) -> BadInput:
    tables, rejected = read_unit_classes(SESSION, [file], units, probes)
    assert tables == {}
    assert [one.files for one in rejected] == [(file,)]
    return rejected[0].error


def test_places_count_through_the_units_by_insertion_and_then_by_id(write: Callable) -> None:
    file = write(
        Idx={
            "ALM_qc": np.array([[1.0, 3.0]]),
            "Striatum_qc": 5.0,
            "Pons_qc": np.empty((0, 0)),
            "ALM": np.array([99.0]),
        },
        AnnoName={"ALM_qc": names(*REGIONS[:2]), "Striatum_qc": REGIONS[2], "Pons_qc": np.empty((0, 0)), "ALM": "x"},
    )
    tables, rejected = read_unit_classes(SESSION, [file], UNITS_OF_TWO)
    assert rejected == ()
    rows = tables["unit_classes"].to_pylist()
    assert [(row["probe"], row["unit_id"]) for row in rows] == [(1, 2), (1, 7), (1, 30), (2, 4), (2, 9)]
    assert [row["class"] for row in rows] == ["good", "unlabelled", "good", "unlabelled", "good"]
    assert [row["annotation"] for row in rows] == [REGIONS[0], None, REGIONS[1], None, REGIONS[2]]
    assert [row["list_name"] for row in rows] == ["ALM_qc", None, "ALM_qc", None, "Striatum_qc"]
    assert {row["file"] for row in rows} == {NAME}
    assert rows[0]["file_modified_at"] == datetime.fromtimestamp(file.mtime_ns // 1000 / 1e6, UTC)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_good_units_are_those_at_the_places(write: Callable, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 40)), min_size=1, max_size=25, unique=True))
    good = data.draw(st.sets(st.integers(1, len(places))))
    lists: dict[str, list[int]] = {"ALM_qc": [], "Medulla_qc": [], "Thalamus_qc": []}
    for place in data.draw(st.permutations(sorted(good))):
        lists[data.draw(st.sampled_from(sorted(lists)))].append(place)
    file = write(
        Idx={name: np.array([found], float) for name, found in lists.items()},
        AnnoName={name: names(*(f"region {place}" for place in found)) for name, found in lists.items()},
    )
    table = read_unit_classes(SESSION, [file], units_of(*places))[0]["unit_classes"]
    assert table.num_rows == len(places)
    ordered = sorted(places)
    found = {(row["probe"], row["unit_id"]): row["annotation"] for row in table.to_pylist() if row["class"] == "good"}
    assert found == {ordered[place - 1]: f"region {place}" for place in good}


def test_rows_of_text_and_missing_names_are_read_too(write: Callable) -> None:
    file = write(Idx={"ALM_qc": [1.0, 2.0], "Pons_qc": [4.0]}, AnnoName={"ALM_qc": np.array(["Pons   ", "Medulla"])})
    found = read_good_units(file.path)
    assert found.place.tolist() == [1, 2, 4]
    assert found.annotation == ["Pons", "Medulla", None]
    assert found.n_units is None


def test_a_largest_place_or_a_total_that_does_not_fit_is_refused(write: Callable) -> None:
    error = rejection(write(Idx={"ALM_qc": [1.0, 6.0]}, AnnoName={}))
    assert isinstance(error, PiecesDoNotFit)
    assert "names unit 6, and the session has 5" in str(error)
    fits = {"Idx": {"ALM_qc": [1.0, 5.0]}, "AnnoName": {}}
    assert read_unit_classes(SESSION, [write(**fits)], UNITS_OF_TWO)[1] == ()
    assert "counted 6 units" in str(rejection(write(**fits, nUnits=6.0)))
    assert "counted 4 units" in str(rejection(write(Idx=fits["Idx"] | {"nUnits": 4.0}, AnnoName={})))
    assert "no count" in str(rejection(write(**fits, nUnits=4.5)))
    assert read_unit_classes(SESSION, [write(**fits, nUnits=5.0)], UNITS_OF_TWO)[1] == ()


def test_a_probe_that_is_not_sorted_yet_makes_the_file_wait(write: Callable) -> None:
    plain = {"session": SESSION, "folder": "a"}
    probes = PROBES.from_rows(
        {**plain, "probe": probe, "sorter": sorter} for probe, sorter in ((1, "kilosort"), (2, "kilosort"), (3, None))
    )
    file = write(Idx={"ALM_qc": [1.0]}, AnnoName={})
    error = rejection(file, probes=probes)
    assert isinstance(error, CompanionMissing)
    assert "probe 3" in str(error)
    assert read_unit_classes(SESSION, [file], UNITS_OF_TWO, probes.slice(0, 2))[1] == ()
    # A file that tells how many units it counted needs no guess.
    told = write(Idx={"ALM_qc": [1.0]}, AnnoName={}, nUnits=5.0)
    assert read_unit_classes(SESSION, [told], UNITS_OF_TWO, probes)[1] == ()


def test_a_file_stays_with_the_sortings_that_it_was_joined_with_first(write: Callable) -> None:
    places = ((1, 2), (1, 7), (2, 4))
    file = write(Idx={"ALM_qc": [1.0, 3.0]}, AnnoName={})
    stood: list[pa.Table] = []

    def read(file: FoundFile, units: pa.Table) -> tuple[list[str], BadInput | None]:
        """Read, and put away as the store does: a table left out is written without rows."""
        tables, rejected = read_unit_classes(SESSION, [file], units, None, lambda _: reversed(stood))
        stood.append(tables.get("unit_classes", UNIT_CLASSES.empty()))
        return stood[-1]["class"].to_pylist(), rejected[0].error if rejected else None

    good = ["good", "unlabelled", "good"]
    assert read(file, units_of(*places, p1="a", p2="c")) == (good, None)
    assert set(stood[0]["sorting"].to_pylist()) == {"a", "c"}
    assert len(set(stood[0]["file_sha256"].to_pylist())) == 1
    for _ in range(2):
        classes, error = read(file, units_of(*places, p1="b", p2="c"))
        assert classes == []
        assert isinstance(error, CompanionMissing)
        assert "another sorting: it counts through the units of a of probe 1," in str(error)
    # the sorting is chosen again
    assert read(file, units_of(*places, p1="a", p2="c")) == (good, None)
    # a probe that was not there moves the places of the others
    assert read(file, units_of(*places, (3, 1), p1="a", p2="c", p3="d"))[0] == []
    assert "no sorting of probe 3" in str(read(file, units_of(*places, (3, 1), p1="a", p2="c", p3="d"))[1])
    # what is not known is no contradiction
    assert read(file, units_of(*places, p1="a", p2=None)) == (good, None)
    # the file is touched, or moved: it is the same one. Made anew, it is another one
    os.utime(file.path, (0, 0))
    assert read(write_again(file), units_of(*places, p1="b", p2="c"))[0] == []
    anew = write(Idx={"ALM_qc": [2.0]}, AnnoName={})
    assert read(anew, units_of(*places, p1="b", p2="c")) == (["unlabelled", "good", "unlabelled"], None)
    assert read(anew, units_of(*places, p1="a", p2="c"))[0] == []


def write_again(file: FoundFile) -> FoundFile:
    """The same content under another name."""
    name = file.relpath.name.replace("14regions", "moved")
    (file.root / name).write_bytes(file.path.read_bytes())
    return FoundFile("ephys", file.root, PurePosixPath(name), "unit_classes", file.size, 7)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"other": 1.0}, "no list of units"),
        ({"Idx": {"ALM": [1.0]}}, "no list of units"),
        ({"Idx": {"ALM_qc": [0.0, 1.0]}}, "no place of a unit"),
        ({"Idx": {"ALM_qc": [1.5]}}, "no place of a unit"),
        ({"Idx": {"ALM_qc": [np.nan]}}, "no place of a unit"),
        ({"Idx": {"ALM_qc": [1e300]}}, "no place of a unit"),
        ({"Idx": {"ALM_qc": "text"}}, "holds text"),
        (
            {"Idx": {"ALM_qc": [1.0, 2.0], "Pons_qc": [2.0]}},
            r"unit 2 stands in its lists more than once \(ALM_qc and Pons",
        ),
        ({"Idx": {"ALM_qc": [3.0, 3.0]}}, r"unit 3 stands in its lists more than once \(ALM_qc\)"),
        ({"Idx": {"ALM_qc": [1.0, 2.0]}, "AnnoName": {"ALM_qc": "Pons"}}, "1 names for 2 units"),
        ({"Idx": {"ALM_qc": [1.0]}, "AnnoName": {"ALM_qc": [4.0]}}, "holds what is no text"),
    ],
)
def test_what_does_not_hold_together_is_refused(write: Callable, variables: dict, said: str) -> None:
    file = write(**variables)
    with pytest.raises((PiecesDoNotFit, UnreadableFile), match=said):
        read_good_units(file.path)
    assert rejection(file).path == file.path


def test_another_session_s_file_and_two_files_are_refused(write: Callable) -> None:
    fine = {"Idx": {"ALM_qc": [1.0]}, "AnnoName": {}}
    error = rejection(write(name="SC022_20190303_171010_GoodUnitsIdx_14regions_cl.mat", **fine))
    assert isinstance(error, PiecesDoNotFit)
    assert "names SC022_20190303_171010" in str(error)
    assert isinstance(rejection(write(name="all_GoodUnitsIdx_cl.mat", **fine)), NameDoesNotParse)
    two = [write(**fine), write(name=NAME.replace("14", "15"), **fine)]
    tables, rejected = read_unit_classes(SESSION, two, UNITS_OF_TWO)
    assert tables == {}
    assert rejected[0].files == tuple(two)
    assert read_unit_classes(SESSION, [], UNITS_OF_TWO) == ({}, ())
    assert read_unit_classes(SESSION, [write(name=NAME.replace("SC022", "sc022"), **fine)], UNITS_OF_TWO)[1] == ()


def test_a_damaged_file_raises_nothing_but_what_is_meant_for_people(write: Callable, tmp_path: Path) -> None:
    whole = write(
        Idx={"ALM_qc": [1.0, 3.0], "Pons_qc": [4.0]}, AnnoName={"ALM_qc": names(*REGIONS[:2]), "Pons_qc": REGIONS[2]}
    ).path.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.mat"
    n_refused = 0
    for turn in range(400):
        data = bytearray(whole)
        if turn % 2:
            data = data[: rng.integers(0, len(data))]
        else:
            data[rng.integers(128, len(data))] ^= 1 << rng.integers(0, 8)
        path.write_bytes(bytes(data))
        try:
            read_good_units(path)
        except BadInput:
            n_refused += 1
    assert n_refused > 200


def test_the_file_has_a_role_of_its_own_on_the_ephys_share() -> None:
    for folder in ("SC022/20190303/", "good_units/", ""):
        told = named("ephys", folder + NAME, is_plain=True)
        assert (told.role, told.day) == ("unit_classes", "2019-03-03")
    assert named("ephys", "SC022/20190303/SC022_jrc.mat", is_plain=True).role == "sorting"


def test_a_sorting_younger_than_the_classes_is_noticed(write: Callable) -> None:
    file = write(Idx={"ALM_qc": [1.0]}, AnnoName={})
    now = datetime(2019, 4, 1, tzinfo=UTC)
    os.utime(file.path, (now.timestamp(), now.timestamp()))
    file = FoundFile("ephys", file.root, file.relpath, file.role, file.size, file.path.stat().st_mtime_ns)
    classes = read_unit_classes(SESSION, [file], UNITS_OF_TWO)[0]["unit_classes"]

    def verdict(*sorted_at: datetime | None):
        rows = [{"session": SESSION, "probe": k + 1, "folder": "a", "sorted_at": at} for k, at in enumerate(sorted_at)]
        return classes_are_younger_than_their_sorting(classes, PROBES.from_rows(rows))

    day = timedelta(days=1)
    assert verdict(now - day, now, None).passed
    late = verdict(now - day, now + day)
    assert not late.passed
    assert "probe 2 was sorted after" in late.description
    assert late.figures == {"units": 5, "good": 1, "later_sortings": 1}
