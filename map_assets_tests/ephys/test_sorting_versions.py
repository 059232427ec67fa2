"""A probe's sortings stand side by side: what makes a version, which is current, and what is kept of the others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from map_assets.ephys.checks import units_and_spikes_agree
from map_assets.ephys.probes import make_probes
from map_assets.ephys.sorting_changes import find_changes
from map_assets.ephys.sorting_versions import Candidate, choose_current, content_in
from map_assets.ephys.sortings import read_sortings
from map_assets.ephys.tables import TABLES
from map_assets.vocabulary.errors import UnreadableFile
from map_assets.vocabulary.sorting import SortingChoice

PROBE = "SC022/run_g0/run_g0_imec{}"
TRAINS = {3: [20, 30], 7: [5], 12: [5, 400, 900]}
OTHERS = {1: [20, 30, 400], 2: [7]}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DECLARED = {table.name: table for table in TABLES}


class Laboratory:
    """A share with sorting folders, and the session's tables as a store would keep them, every version."""

    def __init__(self, make: SimpleNamespace, root: Path) -> None:
        self.make, self.root = make, root
        self.history: dict[str, list[pa.Table]] = {}
        self.choices: dict[int, SortingChoice] = {}
        self.now = NOON

    def folder(self, name: str, probe: int = 1) -> Path:
        return self.root / PROBE.format(probe - 1) / name

    def sort(self, name: str, trains: Mapping[int, list[int]], probe: int = 1) -> Path:
        return self.make.write_kilosort(self.folder(name, probe), trains)

    def past(self, name: str) -> Iterator[pa.Table]:
        return reversed(self.history.get(name, []))

    def read(self, **kwargs: object) -> dict[str, pa.Table]:
        """Read, and put away as the store does; tables left out are written without rows."""
        files = self.make.found_all(self.root, "sorting")
        self.now += timedelta(days=1)
        tables, self.rejected = read_sortings(
            self.make.session, files, past=self.past, choices=self.choices, now=self.now, **kwargs
        )
        names = ("sortings", "units", "spikes", "spike_features", "unit_labels")
        for name in (*names, "other_units", "other_spikes", "other_spike_features"):
            self.history.setdefault(name, []).append(DECLARED[name].check(tables.get(name, DECLARED[name].empty())))
        return tables

    def choose(self, sorting: str, probe: int = 1) -> None:
        self.choices[probe] = SortingChoice(self.make.session, probe, sorting, "rivera", NOON, "fewer merges")


@pytest.fixture
def lab(make: SimpleNamespace, tmp_path: Path) -> Laboratory:
    return Laboratory(make, tmp_path)


def versions(tables: Mapping[str, pa.Table]) -> dict[str, dict]:
    return {
        row["folder"].rpartition("/")[2] + ("" if row["is_on_share"] else "?"): row
        for row in tables["sortings"].to_pylist()
    }


def trains(table: pa.Table) -> dict[int, list[int]]:
    return dict(zip(table["unit_id"].to_pylist(), table["samples"].to_pylist(), strict=True))


def set_age(folder: Path, minutes: int) -> None:
    import os

    for path in folder.iterdir():
        os.utime(path, (NOON.timestamp() + 60 * minutes,) * 2)


def test_two_folders_of_one_probe_are_two_versions_and_the_younger_is_current(lab: Laboratory) -> None:
    set_age(lab.sort("ks2", TRAINS), 0)
    set_age(lab.sort("ks25", OTHERS), 5)
    tables = lab.read()
    assert lab.rejected == ()
    found = versions(tables)
    assert [found[name]["is_current"] for name in ("ks2", "ks25")] == [False, True]
    assert [found[name]["current_because"] for name in ("ks2", "ks25")] == [None, "the youngest"]
    assert found["ks25"]["sorting"].startswith("kilosort2.5-")
    assert trains(tables["spikes"]) == OTHERS
    assert trains(tables["other_spikes"]) == TRAINS
    assert set(tables["other_units"]["sorting"].to_pylist()) == {found["ks2"]["sorting"]}
    assert set(tables["units"]["sorting"].to_pylist()) == {found["ks25"]["sorting"]}
    assert units_and_spikes_agree(tables["units"], tables["spikes"]).passed
    (probe,) = make_probes(lab.make.session, None, tables["sortings"]).to_pylist()
    assert (probe["sorting"], probe["sorter"]) == (found["ks25"]["sorting"], "kilosort2.5")


def test_the_same_content_in_two_folders_is_one_version(lab: Laboratory) -> None:
    shutil.copytree(lab.sort("ks2", TRAINS), lab.folder("ks2_backup"))
    tables = lab.read()
    assert len(tables["sortings"]) == 1
    assert "other_units" not in tables


def test_one_sorting_stays_one_version_when_the_recording_comes_later_and_when_its_folder_moves(
    lab: Laboratory,
) -> None:
    lab.sort("ks2", TRAINS)
    first = lab.read()
    recordings = pa.table({"probe": [1], "sample_rate_hz": [30000.0], "microvolt_per_bit": [2.0]})
    lab.folder("ks2").rename(lab.folder("final"))
    second = lab.read(recordings=recordings)
    assert first["units"]["amplitude_uv"].null_count == 3
    assert second["units"]["amplitude_uv"].null_count == 0
    (before,), (after,) = first["sortings"].to_pylist(), second["sortings"].to_pylist()
    for name in ("sorting", "sorter", "first_seen"):
        assert after[name] == before[name]
    assert after["folder"].endswith("final")


def test_labels_that_change_in_place_make_a_version_and_the_one_before_is_kept(lab: Laboratory) -> None:
    folder = lab.sort("ks2", TRAINS)
    first = lab.read()
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n3\tgood\n7\tnoise\n12\tmua\n")
    second = lab.read()
    found = versions(second)
    assert [found["ks2"]["is_current"], found["ks2?"]["is_current"]] == [True, False]
    assert second["units"]["quality"].to_pylist() == ["good", "noise", "mua"]
    before = first["units"].drop_columns(["waveform_uv"]).to_pylist()
    assert second["other_units"].drop_columns(["waveform_uv"]).to_pylist() == before
    assert trains(second["other_spikes"]) == trains(second["spikes"]) == TRAINS
    assert (
        find_changes(lab.make.session, second["sortings"], second["spikes"], second["other_spikes"])[
            "change"
        ].to_pylist()
        == ["same"] * 3
    )


def test_trains_that_change_in_place_are_kept_and_may_be_chosen_again_and_again(lab: Laboratory) -> None:
    lab.sort("ks2", TRAINS)
    old = versions(lab.read())["ks2"]["sorting"]
    lab.sort("ks2", OTHERS)
    tables = lab.read()
    new = versions(tables)["ks2"]["sorting"]
    assert new != old
    for _ in range(2):
        lab.choose(old)
        tables = lab.read()
        assert (trains(tables["spikes"]), trains(tables["other_spikes"])) == (TRAINS, OTHERS)
        assert versions(tables)["ks2?"]["current_because"] == "chosen by rivera on 2026-03-01: fewer merges"
        lab.choices.clear()
        tables = lab.read()
        assert (trains(tables["spikes"]), trains(tables["other_spikes"])) == (OTHERS, TRAINS)
    assert len(tables["sortings"]) == 2


def test_a_folder_that_is_gone_leaves_its_version(lab: Laboratory) -> None:
    set_age(lab.sort("ks2", TRAINS), 9)
    set_age(lab.sort("ks25", OTHERS), 5)
    lab.read()
    shutil.rmtree(lab.folder("ks2"))
    tables = lab.read()
    found = versions(tables)
    assert found["ks2?"]["is_current"]
    assert (trains(tables["spikes"]), trains(tables["other_spikes"])) == (TRAINS, OTHERS)
    shutil.rmtree(lab.folder("ks25"))
    again = lab.read()
    assert set(versions(again)) == {"ks2?", "ks25?"}
    assert again["spikes"].equals(tables["spikes"])


def test_a_version_that_a_crash_caught_on_its_way_is_found_in_what_stood_before(lab: Laboratory) -> None:
    lab.sort("ks2", TRAINS)
    old = versions(lab.read())["ks2"]["sorting"]
    lab.sort("ks2", OTHERS)
    new = versions(lab.read())["ks2"]["sorting"]
    lab.sort("ks2", {4: [1, 2]})
    lab.read()
    for n_written in range(9):
        lab.choose([old, new][n_written % 2])
        before = {name: list(kept) for name, kept in lab.history.items()}
        lab.read()
        order = (
            "other_units",
            "other_spikes",
            "other_spike_features",
            "unit_labels",
            "units",
            "spikes",
            "spike_features",
        )
        for name in [*order, "sortings"][n_written:]:
            lab.history[name] = before[name]
        tables = lab.read()
        wanted = [TRAINS, OTHERS][n_written % 2]
        assert trains(tables["spikes"]) == wanted
        assert len(tables["sortings"]) == 3
        assert len(tables["other_spikes"]) == sum(map(len, (TRAINS, OTHERS, {4: 0}))) - len(wanted)
        assert sorted(tables["units"]["n_spikes"].to_pylist()) == sorted(map(len, wanted.values()))


IN_ORDER = (
    *("other_units", "other_spikes", "other_spike_features", "unit_labels"),
    *("units", "spikes", "spike_features", "sortings"),
)


@pytest.mark.parametrize("n_written", range(5, 8))
@pytest.mark.parametrize("n_written_then", [3, 4, 5, 8])
def test_two_crashes_on_the_way_to_a_version_and_back_mix_no_units(
    lab: Laboratory, n_written: int, n_written_then: int
) -> None:
    lab.sort("ks2", TRAINS)
    old = versions(lab.read())["ks2"]["sorting"]
    lab.sort("ks2", OTHERS)
    new = versions(lab.read())["ks2"]["sorting"]
    shutil.rmtree(lab.folder("ks2"))
    lab.read()
    for choice, n in ((old, n_written), (new, n_written_then)):
        lab.choose(choice)
        before = {name: list(kept) for name, kept in lab.history.items()}
        lab.read()
        lab.history |= {name: before[name] for name in IN_ORDER[n:]}
    tables = lab.read()
    assert (trains(tables["spikes"]), trains(tables["other_spikes"])) == (OTHERS, TRAINS)
    assert units_and_spikes_agree(tables["units"], tables["spikes"]).passed


OLDER = (
    *("session", "probe", "sorter", "sorter_version", "curation", "sorted_at", "n_units", "n_spikes"),
    *("sample_rate_hz", "has_metrics", "folder"),
)


def turn_older(lab: Laboratory) -> None:
    """Give the laboratory's tables the form that they had when a probe had one sorting and no version a name."""
    sortings, units, spikes = (lab.history[name][-1] for name in ("sortings", "units", "spikes"))
    units = units.drop_columns(["sorting", "sorter_label"])
    lab.history = {"sortings": [sortings.select(OLDER)], "units": [units], "spikes": [spikes]}


def test_tables_of_the_older_form_are_one_version_of_each_probe_and_nothing_of_them_is_lost(lab: Laboratory) -> None:
    lab.sort("ks2", TRAINS)
    lab.sort("ks2", OTHERS, probe=2)
    before = lab.read()
    turn_older(lab)
    shutil.rmtree(lab.root)
    lab.root.mkdir()
    for _ in range(2):
        tables = lab.read()
        assert tables["spikes"].equals(before["spikes"])
        kept = [name for name in before["units"].column_names if name not in {"sorting", "sorter_label", "waveform_uv"}]
        assert tables["units"].select(kept).to_pylist() == before["units"].select(kept).to_pylist()
        rows = tables["sortings"].to_pylist()
        assert [(row["probe"], row["is_current"], row["is_on_share"]) for row in rows] == [
            (1, True, False),
            (2, True, False),
        ]
        named = dict(zip(tables["units"]["probe"].to_pylist(), tables["units"]["sorting"].to_pylist(), strict=True))
        assert {row["probe"]: row["sorting"] for row in rows} == named
    assert rows[0]["first_seen"] == NOON + timedelta(days=2)


def test_tables_of_the_older_form_are_no_second_version_of_the_folder_that_they_were_read_from(lab: Laboratory) -> None:
    folder = lab.sort("ks2", TRAINS)
    first = lab.read()
    turn_older(lab)
    again = lab.read()
    assert again["sortings"]["sorting"].to_pylist() == first["sortings"]["sorting"].to_pylist()
    turn_older(lab)
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n3\tgood\n7\tnoise\n12\tmua\n")
    curated = lab.read()
    assert {name: row["is_current"] for name, row in versions(curated).items()} == {"ks2": True, "ks2?": False}
    assert set(curated["other_units"]["quality"].to_pylist()) == {"unsorted"}
    (folder / "cluster_group.tsv").unlink()
    assert set(versions(lab.read())) == {"ks2", "ks2?"}  # the named version is the folder's, the curated one is gone


def test_a_crash_while_tables_of_the_older_form_are_taken_over_loses_nothing(lab: Laboratory) -> None:
    lab.sort("ks2", TRAINS)
    lab.read()
    turn_older(lab)
    lab.sort("ks2", OTHERS)
    older = {name: list(kept) for name, kept in lab.history.items()}
    lab.read()
    newer = lab.history
    names = ("other_units", "other_spikes", "other_spike_features", "unit_labels", "units", "spikes", "spike_features")
    for n_written in range(len(names) + 1):
        lab.history = {name: list(newer[name] if name in names[:n_written] else older.get(name, [])) for name in newer}
        tables = lab.read()
        assert (trains(tables["spikes"]), trains(tables["other_spikes"])) == (OTHERS, TRAINS)
        assert len(tables["sortings"]) == 2


def test_the_table_that_phy_writes_anew_at_every_look_makes_no_version(lab: Laboratory) -> None:
    folder = lab.sort("ks2", TRAINS)
    first = lab.read()
    (folder / "cluster_info.tsv").write_text("cluster_id\tfr\tgroup\n3\t1.5\tgood\n")
    second = lab.read()
    assert second["sortings"]["sorting"].to_pylist() == first["sortings"]["sorting"].to_pylist()
    assert second["unit_labels"]["source"].to_pylist() == ["cluster_info.tsv"] * 2
    (folder / "cluster_purity.tsv").write_text("cluster_id\tpurity\n3\t0.5\n")
    assert len(lab.read()["sortings"]) == 2


def test_a_folder_that_cannot_be_read_any_more_leaves_what_stood_and_the_others_go_on(lab: Laboratory) -> None:
    folder = lab.sort("ks2", TRAINS)
    lab.sort("ks2", OTHERS, probe=2)
    lab.read()
    (folder / "spike_times.npy").write_bytes(b"no array")
    lab.sort("ks2", {1: [4]}, probe=2)
    tables = lab.read()
    (one,) = lab.rejected
    assert isinstance(one.error, UnreadableFile)
    assert {file.relpath.parent.name for file in one.files} == {"ks2"}
    rows = [(row["probe"], row["samples"]) for row in tables["spikes"].to_pylist()]
    assert rows == [(1, [20, 30]), (1, [5]), (1, [5, 400, 900]), (2, [4])]
    assert [row["is_on_share"] for row in tables["sortings"].to_pylist() if row["probe"] == 1] == [False]


def test_one_bad_version_is_rejected_and_the_other_stands(lab: Laboratory) -> None:
    lab.sort("ks2", TRAINS)
    (lab.sort("ks25", OTHERS) / "spike_clusters.npy").write_bytes(b"no array")
    tables = lab.read()
    assert [one.files[0].relpath.parent.name for one in lab.rejected] == ["ks25"]
    assert trains(tables["spikes"]) == TRAINS


def test_a_folder_that_counts_for_another_probe_now_leaves_nothing_behind(lab: Laboratory) -> None:
    lab.sort("ks2", TRAINS)
    lab.read()
    for kept in lab.history["sortings"]:
        row = {**kept.to_pylist()[0], "probe": 9}
        lab.history["sortings"] = [DECLARED["sortings"].from_rows([row])]
    tables = lab.read()
    assert tables["sortings"]["probe"].to_pylist() == [1]


def test_features_stand_beside_the_spikes_and_come_back_with_their_version(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from map_assets.ephys.sorters import kilosort
    from map_assets.ephys.sorters.protocol import SpikeFeatures, UnitLabels

    read = kilosort.read

    def told(folder: object, scale: object) -> object:
        result = read(folder, scale)
        n = len(result.trains.samples)
        depth = np.arange(n, dtype=np.float32)
        depth[0] = np.nan
        features = SpikeFeatures(depth_um=depth, peak_channel=np.array([0, 9, 3] * n, np.int16)[:n])
        labels = UnitLabels([3, 3], ["a.tsv", "b.tsv"], ["x", "x"], ["1", "2.50"])
        return dataclasses.replace(
            result, features=features, labels=labels if 3 in result.trains.unit_ids else UnitLabels()
        )

    monkeypatch.setattr(kilosort, "read", told)
    sites = pa.table({"probe": [1] * 4, "channel": [0, 1, 2, 3], "electrode": [40, 41, 42, 43]})
    lab.sort("ks2", TRAINS)
    first = lab.read(probe_sites=sites)
    assert first["spike_features"].select(["amplitude_uv", "depth_um", "electrode"]).to_pylist() == [
        {"amplitude_uv": None, "depth_um": [None, 1.0], "electrode": [40, None]},
        {"amplitude_uv": None, "depth_um": [2.0], "electrode": [43]},
        {"amplitude_uv": None, "depth_um": [3.0, 4.0, 5.0], "electrode": [40, None, 43]},
    ]
    assert first["unit_labels"]["value"].to_pylist() == ["1", "2.50"]
    lab.sort("ks2", OTHERS)
    second = lab.read(probe_sites=sites)
    assert second["other_spike_features"]["depth_um"].to_pylist() == first["spike_features"]["depth_um"].to_pylist()
    assert second["unit_labels"].equals(first["unit_labels"])
    lab.choose(first["sortings"]["sorting"][0].as_py())
    assert lab.read(probe_sites=sites)["spike_features"].equals(first["spike_features"])


def test_labels_that_contradict_each_other_reject_their_folder_alone(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from map_assets.ephys.sorters import kilosort
    from map_assets.ephys.sorters.protocol import UnitLabels

    read = kilosort.read
    twice = UnitLabels([3, 3], ["a.tsv"] * 2, ["x"] * 2, ["1", "2"])
    monkeypatch.setattr(
        kilosort,
        "read",
        lambda folder, scale: (
            dataclasses.replace(read(folder, scale), labels=twice)
            if folder.relpath.name == "ks2"
            else read(folder, scale)
        ),
    )
    lab.sort("ks2", TRAINS)
    lab.sort("ks2_b", OTHERS, probe=2)
    tables = lab.read()
    assert len(lab.rejected) == 1
    assert "ks2:" in str(lab.rejected[0].error)
    assert set(tables["units"]["probe"].to_pylist()) == {2}


# -- the rule ----------------------------------------------------------------------------------------------------------
candidates = st.lists(
    st.builds(
        Candidate,
        st.sampled_from(["ks2-a", "ks2-b", "ks4-c", "jrclust-d"]),
        st.sampled_from(["raw", "curated"]),
        st.one_of(st.none(), st.datetimes(datetime(2020, 1, 1), datetime(2021, 1, 1), timezones=st.just(UTC))),
    ),
    min_size=1,
    unique_by=lambda one: one.sorting,
)


@given(candidates, st.randoms(use_true_random=False))
def test_the_rule_does_not_depend_on_the_order_and_never_leaves_curated_for_raw(found: list, random: object) -> None:
    sorting, because = choose_current(found)
    random.shuffle(found)
    assert choose_current(found) == (sorting, because)
    (chosen,) = [one for one in found if one.sorting == sorting]
    assert chosen.curation == "curated" or all(one.curation == "raw" for one in found)
    rivals = [one for one in found if one.curation == chosen.curation and one.sorted_at is not None]
    assert all(chosen.sorted_at is not None and one.sorted_at <= chosen.sorted_at for one in rivals)


@given(candidates, st.integers(0, 3))
def test_a_persons_choice_wins_while_its_version_exists(found: list, which: int) -> None:
    named = found[which % len(found)].sorting
    choice = SortingChoice("s", 1, named, "okafor", NOON, "it is cleaner")
    assert choose_current(found, choice) == (named, "chosen by okafor on 2026-03-01: it is cleaner")
    rest = [one for one in found if one.sorting != named]
    if rest:
        assert choose_current(rest, choice) == choose_current(rest)


@pytest.mark.parametrize(
    ("found", "because"),
    [
        (["raw 1"], "the only one"),
        (["raw 2", "curated 1"], "curated before raw"),
        (["raw 2", "raw 1"], "the youngest"),
        (["raw 2", "raw 2"], "the first by name of the youngest"),
        (["raw 3", "curated 2", "curated 1"], "curated before raw, and the youngest of the curated"),
    ],
)
def test_the_reason_is_told(found: list[str], because: str) -> None:
    made = []
    for number, text in enumerate(found):
        curation, day = text.split()
        made.append(Candidate(f"ks-{number}", curation, NOON + timedelta(days=int(day))))
    assert choose_current(made)[1] == because


def test_a_name_tells_its_content_whatever_the_sorter_is_called() -> None:
    assert content_in("spyking-circus-0123456789") == "0123456789"
