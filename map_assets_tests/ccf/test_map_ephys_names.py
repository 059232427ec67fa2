"""Names and colours of the earlier MAP pipeline come out at Allen's ids."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest

from map_assets.ccf.map_ephys_names import NoSuchRegionName, read_map_ephys_list, region_ids_of, repaired_color
from map_assets.ccf.ontology import make_ontology
from map_assets.vocabulary.errors import PiecesDoNotFit, UnreadableFile


@pytest.fixture(scope="module")
def ontology() -> pa.Table:
    return make_ontology()


def test_its_own_lists_give_the_same_ids_names_and_colours(ontology: pa.Table, shared_data: Path) -> None:
    folder = shared_data / "ccf"
    listed = read_map_ephys_list(folder / "mousebrainontology_2.csv", folder / "hexcode.csv")
    assert len(listed) == 1327
    ours = {row["region_id"]: (row["map_ephys_name"], row["color"]) for row in ontology.to_pylist()}
    assert ours == listed
    assert region_ids_of(ontology, [name for name, _ in listed.values()]).tolist() == list(listed)
    assert listed[247] == ("Auditory areas", "019399")
    with (folder / "hexcode.csv").open(newline="") as stream:
        assert (
            sum(color == "19399" and listed[int(region)][1] == "019399" for region, color in csv.reader(stream)) == 36
        )


def test_capitals_and_commas_do_not_matter(ontology: pa.Table) -> None:
    names = [
        "Primary motor area, Layer 1",
        "primary motor area layer 1",
        "Caudoputamen",
        "Tuberomammillary nucleus, ventral part",
    ]
    assert region_ids_of(ontology, names).tolist() == [320, 320, 672, 1]
    with pytest.raises(NoSuchRegionName, match=r"'Nucleus of reunions'.*Nucleus of reuniens"):
        region_ids_of(ontology, ["Nucleus of reunions"])


@pytest.mark.parametrize(
    ("found", "color"),
    [("19399", "019399"), ("#19399", "019399"), ("ff4c3e", "FF4C3E"), ("188064", "188064"), (" 0 ", "000000")],
)
def test_a_colour_that_lost_its_zero_gets_it_back(found: str, color: str) -> None:
    assert repaired_color(found) == color


@pytest.mark.parametrize("found", ["", "1939G", "1234567", "red"])
def test_what_is_no_colour_is_refused(found: str) -> None:
    with pytest.raises(ValueError, match="no colour"):
        repaired_color(found)


@pytest.mark.parametrize(
    ("names", "colors", "error", "said"),
    [
        ("1,a\n2,b\n", "1,AAAAAA\n", PiecesDoNotFit, "1 ids stand in one list alone, such as 2"),
        ("1,a\n1,b\n", "1,AAAAAA\n", UnreadableFile, "the id 1 stands twice"),
        ("id,name\n", "1,AAAAAA\n", UnreadableFile, "names.csv"),
        ("1,a\n", "1,AAAAAAA\n", UnreadableFile, "no colour"),
        ("1,a, b\n", "1,AAAAAA\n", UnreadableFile, "names.csv"),
    ],
)
def test_lists_that_do_not_fit_are_said_to(
    tmp_path: Path, names: str, colors: str, error: type[Exception], said: str
) -> None:
    (tmp_path / "names.csv").write_text(names)
    (tmp_path / "colors.csv").write_text(colors)
    with pytest.raises(error, match=said):
        read_map_ephys_list(tmp_path / "names.csv", tmp_path / "colors.csv")
