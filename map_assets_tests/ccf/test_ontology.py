"""The ontology table and its descendants."""

from __future__ import annotations

import csv
import socket
import time
from pathlib import Path

import pyarrow as pa
import pytest

from map_assets.ccf.ontology import NoSuchRegion, is_under, make_ontology


@pytest.fixture(scope="module")
def ontology() -> pa.Table:
    return make_ontology()


def test_every_region_stands_once_under_its_allen_id(ontology: pa.Table) -> None:
    assert ontology.num_rows == 1327
    rows = {row["region"]: row for row in ontology.to_pylist()}
    assert len(rows) == 1327
    assert min(ontology["region_id"].to_pylist()) > 0
    assert (rows["CP"]["region_id"], rows["CP"]["name"]) == (672, "Caudoputamen")
    assert rows["root"]["region_id"] == 997
    assert rows["root"]["parent_id"] is None


def test_ids_names_and_colours_agree_with_the_earlier_pipelines_list(ontology: pa.Table, shared_data: Path) -> None:
    with (shared_data / "ccf" / "mousebrainontology_2.csv").open(newline="") as stream:
        names = {int(one[0]): one[1] for one in csv.reader(stream)}
    with (shared_data / "ccf" / "hexcode.csv").open(newline="") as stream:
        colors = {int(one[0]): one[1].rjust(6, "0").upper() for one in csv.reader(stream)}
    ours = {row["region_id"]: row for row in ontology.to_pylist()}
    assert set(ours) == set(names)
    assert {region: row["color"] for region, row in ours.items()} == colors
    assert ours[247]["color"] == "019399"
    assert {region: _plain(row["name"]) for region, row in ours.items()} == {
        region: _plain(name) for region, name in names.items()
    }


def _plain(name: str) -> str:
    """Without the commas that the atlas library leaves out, and without case."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def test_depth_counts_the_steps_to_the_root(ontology: pa.Table) -> None:
    parents = dict(zip(ontology["region_id"].to_pylist(), ontology["parent_id"].to_pylist(), strict=True))
    for row in ontology.to_pylist():
        steps, region = 0, row["region_id"]
        while parents[region] is not None:
            steps, region = steps + 1, parents[region]
        assert (region, steps) == (997, row["depth"])


def test_groupings_name_what_lies_below_their_level_and_nothing_above_it(ontology: pa.Table) -> None:
    rows = {row["region"]: row for row in ontology.to_pylist()}
    assert (rows["VISp5"]["beryl"], rows["VISp5"]["cosmos"]) == ("VISp", "Isocortex")
    assert (rows["CTX"]["beryl"], rows["CTX"]["cosmos"]) == (None, None)
    assert rows["root"]["beryl"] is None


def test_everything_is_under_the_root_and_layers_are_under_their_area(ontology: pa.Table) -> None:
    ids = dict(zip(ontology["region"].to_pylist(), ontology["region_id"].to_pylist(), strict=True))
    assert is_under(ontology, "root") == set(ids.values())
    area = is_under(ontology, "VISp")
    assert {ids["VISp"], ids["VISp1"], ids["VISp6b"]} <= area
    assert ids["VISl5"] not in area
    assert is_under(ontology, "VISp6b") == {ids["VISp6b"]}
    assert is_under(ontology, "TH") & is_under(ontology, "HY") == set()


def test_an_acronym_that_is_none_is_named_with_what_comes_near(ontology: pa.Table) -> None:
    with pytest.raises(NoSuchRegion, match=r"'VISpp'.*VISp"):
        is_under(ontology, "VISpp")


def test_the_ontology_is_built_without_a_network_in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    start = time.perf_counter()
    make_ontology()
    assert time.perf_counter() - start < 3
