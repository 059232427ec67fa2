"""Made-up sessions, from their files to the session clock, against the truth that was written beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from map_assets.ephys.checks import (
    clock_residuals_are_within_limits,
    every_unit_has_an_electrode,
    spike_trains_rise,
    units_and_spikes_agree,
)
from map_assets.ephys.clock_maps import make_clock_maps
from map_assets.ephys.probes import make_probes
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.sortings import read_sortings
from map_assets.ephys.trial_spikes import make_trial_spikes
from map_assets.shares.roles import rule_of
from map_assets.simulate.blueprint import Anchors, Part, SessionPlan
from map_assets.simulate.defects import Defect
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import demo_plan
from map_assets.simulate.truth import Truth, read_truth
from map_assets.vocabulary.clock import ClockMap
from map_assets.vocabulary.errors import BadInput
from map_assets.vocabulary.files import FoundFile, Rejected

TRIAL_COLUMNS = ["trial", "start_s", "stop_s", "go_s", "n_go_cues", "bitcode", "bitcode_start_s", "is_free_water"]
PARTS = frozenset({Part.RECORDING, Part.SORTING})
PLANS = {session.key: replace(session, parts=PARTS) for session in demo_plan().sessions if session.probes}


@dataclass(frozen=True)
class Read:
    """What the room made of a session, and the truth."""

    truth: Truth
    tables: dict[str, pa.Table]
    rejected: tuple[Rejected, ...]


def read_session(root: Path, plan: SessionPlan, make: SimpleNamespace) -> Read:
    """Write a session, take its files as a scan would, and go through the whole room."""
    written = write_session(root, plan)
    share = root / "ephys"
    files = []
    for path in written.files:
        relpath, status = path.relative_to(share).as_posix(), path.stat()
        role = rule_of("ephys", relpath).role
        assert role is not None
        files.append(FoundFile("ephys", share, PurePosixPath(relpath), role, status.st_size, status.st_mtime_ns))
    truth = read_truth(root, plan.key)
    known = truth.trials.filter(truth.trials["is_in_behavior"])
    trials = make.trials_table([{**row, "session": plan.key} for row in known.select(TRIAL_COLUMNS).to_pylist()])
    found, unread = read_recordings(plan.key, files)
    sorted_, unsorted = read_sortings(plan.key, files, found.get("recordings"), found.get("probe_sites"))
    tables = {"trials": trials, **found, **sorted_}
    tables["probes"] = make_probes(plan.key, tables.get("recordings"), tables.get("sortings"))
    if "ephys_trials" in tables:
        tables["clock_maps"] = make_clock_maps(plan.key, trials, tables["ephys_trials"], tables.get("recordings"))
        if "spikes" in tables:
            tables["trial_spikes"] = make_trial_spikes(
                plan.key, tables["spikes"], trials, tables["clock_maps"], tables["probes"]
            )
    return Read(truth, tables, (*unread, *unsorted))


@pytest.fixture(scope="module", params=PLANS)
def read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, make: SimpleNamespace) -> Read:
    return read_session(tmp_path_factory.mktemp("lab"), PLANS[request.param], make)


def test_every_spike_comes_back_exactly(read: Read) -> None:
    assert read.rejected == ()
    spikes = read.tables["spikes"].to_pylist()
    truth = read.truth.spikes.to_pylist()
    assert {(row["probe"], row["unit_id"]) for row in spikes} == {(row["probe"], row["unit_id"]) for row in truth}
    for row in spikes:
        np.testing.assert_array_equal(row["samples"], read.truth.spike_samples(row["probe"], row["unit_id"]))


def test_every_spike_is_within_ten_microseconds_on_the_session_clock(read: Read) -> None:
    assert clock_residuals_are_within_limits(read.tables["clock_maps"], read.tables["ephys_trials"]).passed
    rates = {row["probe"]: row["sample_rate_hz"] for row in read.tables["probes"].to_pylist()}
    for row in read.tables["clock_maps"].to_pylist():
        clock, true = ClockMap(row["offset_s"], row["drift_ppm"]), read.truth.clock(row["probe"])
        assert abs(true.drift_ppm) > 10
        for unit in read.tables["spikes"].filter(pc.equal(read.tables["spikes"]["probe"], row["probe"])).to_pylist():
            found = clock.session_s(np.array(unit["samples"]) / rates[row["probe"]])
            expected = read.truth.spike_session_s(row["probe"], unit["unit_id"])
            assert np.max(np.abs(found - expected), initial=0.0) < 10e-6


def test_every_unit_keeps_its_own_label_contact_and_size(read: Read) -> None:
    units = {(row["probe"], row["unit_id"]): row for row in read.tables["units"].to_pylist()}
    for true in read.truth.units.to_pylist():
        if true["n_spikes"]:
            unit = units[true["probe"], true["unit_id"]]
            assert (unit["electrode"], unit["n_spikes"]) == (true["electrode"], true["n_spikes"])
            assert unit["amplitude_uv"] == pytest.approx(true["amplitude_uv"])
            assert unit["snr"] == pytest.approx(true["snr"])
            assert unit["quality"] == true["label"]
    curated = {row["probe"]: row["is_curated"] for row in read.truth.probes.to_pylist()}
    for row in read.tables["sortings"].to_pylist():
        assert row["curation"] == ("curated" if curated[row["probe"]] else "raw")


def test_contacts_and_probes_are_the_true_ones(read: Read) -> None:
    names = ["probe", "electrode", "channel", "shank", "x_um", "y_um", "is_used"]
    assert read.tables["probe_sites"].select(names).to_pylist() == read.truth.electrodes.select(names).to_pylist()
    for found, true in zip(read.tables["probes"].to_pylist(), read.truth.probes.to_pylist(), strict=True):
        for name in ("probe", "serial_number", "part_number", "sample_rate_hz"):
            assert found[name] == true[name]


def test_the_trials_that_a_probe_saw_are_the_true_ones(read: Read) -> None:
    seen = read.truth.ephys_trials.to_pylist()
    in_behavior = set(read.tables["trials"]["trial"].to_pylist())
    assert read.tables["clock_maps"]["probe"].to_pylist() == sorted({t["probe"] for t in seen})
    assert read.tables["clock_maps"]["probe"].to_pylist() == list(range(1, read.truth.probes.num_rows + 1))
    for row in read.tables["clock_maps"].to_pylist():
        true = [
            (t["trial"], t["ephys_trial"]) for t in seen if t["probe"] == row["probe"] and t["trial"] in in_behavior
        ]
        assert list(zip(row["matched_trials"], row["matched_ephys_trials"], strict=True)) == true
        assert row["unmatched_behavior_trials"] == sorted(in_behavior - {trial for trial, _ in true})
        assert row["observed_to_s"] is not None


def test_each_trials_spikes_are_those_that_truly_fell_into_it(read: Read) -> None:
    trials = read.tables["trials"]
    start_s = trials["start_s"].to_numpy()
    stop_s = np.r_[start_s[1:], trials["stop_s"].to_numpy()[-1]]
    index = read.tables["trial_spikes"]
    n_uncertain = 0
    for row in read.tables["spikes"].select(["probe", "unit_id"]).to_pylist():
        rows = index.filter(pc.and_(pc.equal(index["probe"], row["probe"]), pc.equal(index["unit_id"], row["unit_id"])))
        place = np.searchsorted(trials["trial"].to_numpy(), rows["trial"].to_numpy())
        at_s = read.truth.spike_session_s(row["probe"], row["unit_id"])
        first, stop = np.searchsorted(at_s, start_s[place]), np.searchsorted(at_s, stop_s[place])
        found_first, n_spikes = rows["first_spike"].to_numpy(), rows["n_spikes"].to_numpy()
        n_uncertain += int(np.abs(found_first - first).sum() + np.abs(found_first + n_spikes - stop).sum())
    assert n_uncertain <= 1  # a spike within 10 us of a border may fall on either side
    matched = {row["probe"]: row["matched_trials"] for row in read.tables["clock_maps"].to_pylist()}
    pairs = zip(
        read.tables["trial_spikes"]["probe"].to_pylist(), read.tables["trial_spikes"]["trial"].to_pylist(), strict=True
    )
    assert set(pairs) == {(probe, trial) for probe, numbers in matched.items() for trial in numbers}


def test_every_claim_holds(read: Read) -> None:
    tables = read.tables
    assert spike_trains_rise(tables["spikes"]).passed
    assert units_and_spikes_agree(tables["units"], tables["spikes"]).passed
    assert every_unit_has_an_electrode(tables["units"], tables["probe_sites"]).passed


ONE = next(iter(PLANS.values()))


@pytest.mark.parametrize(
    ("anchors", "defects"),
    [
        ("whole samples", {Defect.EPHYS_STARTS_LATE}),
        ("seconds", {Defect.EPHYS_ENDS_EARLY}),
        ("exact samples", {Defect.EPHYS_STARTS_LATE, Defect.EPHYS_ENDS_EARLY, Defect.FREE_WATER}),
        ("seconds", {Defect.EPHYS_MISSES_A_TRIAL, Defect.REPEATED_GO_CUES}),
        ("whole samples", {Defect.BEHAVIOR_ENDS_EARLY, Defect.REPEATED_BITCODE}),
    ],
)
def test_no_defect_of_either_side_shifts_a_trial(
    tmp_path: Path, make: SimpleNamespace, anchors: Anchors, defects: set[Defect]
) -> None:
    plan = replace(ONE, defects=frozenset(defects), anchors=anchors, parts=frozenset({Part.RECORDING}), n_trials=30)
    read = read_session(tmp_path, plan, make)
    test_the_trials_that_a_probe_saw_are_the_true_ones(read)
    for row in read.tables["clock_maps"].to_pylist():
        true = read.truth.clock(row["probe"])
        span_s = np.array(true.session_span_s)
        found = ClockMap(row["offset_s"], row["drift_ppm"]).session_s(true.map.probe_s(span_s))
        np.testing.assert_allclose(found, span_s, atol=2e-5)


@pytest.mark.parametrize("defect", [Defect.TRUNCATED_META, Defect.TRUNCATED_SORTING])
def test_a_truncated_file_is_rejected_with_a_reason(tmp_path: Path, make: SimpleNamespace, defect: Defect) -> None:
    read = read_session(tmp_path, replace(ONE, defects=frozenset({defect}), n_trials=20), make)
    assert read.rejected
    assert all(isinstance(one.error, BadInput) for one in read.rejected)
    assert ("units" in read.tables) == (defect is Defect.TRUNCATED_META)
    assert ("recordings" in read.tables) == (defect is Defect.TRUNCATED_SORTING)
