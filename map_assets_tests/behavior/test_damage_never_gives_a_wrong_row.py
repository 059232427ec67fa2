"""One thing broken anywhere in a session's file: it reads the same, a trial is skipped with a reason, or the file is refused."""

from __future__ import annotations

import io
from datetime import datetime
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.behavior.read import read_behavior
from map_assets.simulate.bpod import session_data, start_local
from map_assets.simulate.plans import Defect, SessionPlan
from map_assets.simulate.task import make_trials
from map_assets.simulate.writing import mat_bytes
from map_assets.vocabulary.errors import BadInput
from map_assets.vocabulary.files import FoundFile

PLAN = SessionPlan(
    "MK061",
    990061,
    datetime(2024, 3, 14, 10, 20, 30),
    n_trials=4,
    probes=(),
    photostim_share=0.6,
    auto_water_share=0.3,
    defects=frozenset({Defect.FREE_WATER, Defect.EARLY_LICKS, Defect.REPEATED_GO_CUES}),
)
N_STATES = 52
RAW = ("OriginalStateData", "OriginalStateTimestamps", "OriginalEventData", "OriginalEventTimestamps")
WHOLE = ("TrialTypes", "StimTrials", "FreeTrials", "MATLABStartTimes", "TrialStartTimestamp")
IGNORED = {"behavior_file", "photostim_sites"}


def fresh() -> dict[str, Any]:
    return session_data(PLAN, make_trials(PLAN))


def read(folder: Path, content: bytes) -> dict[str, pa.Table]:
    (folder / PLAN.behavior_name).write_bytes(content)
    file = FoundFile("rig1", folder, PurePosixPath(PLAN.behavior_name), "behavior", len(content), 0, "RRig")
    return read_behavior(PLAN.key, file)


@cache
def whole() -> bytes:
    return mat_bytes({"SessionData": fresh()}, start_local(PLAN))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    return read(tmp_path_factory.mktemp("whole"), whole())


def never_wrong(folder: Path, content: bytes, expected: dict[str, pa.Table]) -> bool:
    """Hold what is read against the whole session; return whether anything was read at all."""
    try:
        found = read(folder, content)
    except BadInput as error:
        assert PLAN.behavior_name in str(error)
        return False
    kept, skipped = (found[name]["trial"].to_pylist() for name in ("trials", "skipped_trials"))
    assert sorted([*kept, *skipped]) == expected["trials"]["trial"].to_pylist()
    assert all(found["skipped_trials"]["reason"].to_pylist())
    for name, table in expected.items():
        if "trial" in table.column_names and name not in {*IGNORED, "skipped_trials"}:
            here, there = (one.drop_columns(["until_s"] if name == "trials" else []) for one in (found[name], table))
            assert here.equals(there.filter(pc.is_in(there["trial"], pa.array(kept, pa.int64())))), name
    return True


def shorter(array: np.ndarray) -> np.ndarray:
    return array[:, :-1] if array.shape[0] == 1 else array[:-1]


def break_length(data: dict[str, Any], trial: int, which: int) -> None:
    states = data["RawEvents"]["Trial"][0, trial]["States"]
    events = data["RawEvents"]["Trial"][0, trial]["Events"]
    targets = [*((data, name) for name in WHOLE), *((events, name) for name in events)]
    visited = [(states, name) for name in states]
    targets += visited
    raw = data["RawData"]
    if which % (len(targets) + len(RAW)) < len(RAW):
        name = RAW[which % len(RAW)]
        raw[name][0, trial] = shorter(raw[name][0, trial])
        return
    place, name = targets[which % len(targets)]
    place[name] = shorter(place[name])


def break_number(data: dict[str, Any], trial: int, which: int) -> None:
    states = data["RawEvents"]["Trial"][0, trial]["States"]
    names = [*states, *WHOLE, "GaveFreeReward", *RAW[:2]]
    name = names[which % len(names)]
    if name in states:
        states[name] = np.full_like(states[name], np.nan)
    elif name in WHOLE:
        data[name] = data[name].astype(float)
        data[name][0, trial] = np.nan
    elif name in RAW:
        cells = data["RawData"][name]
        cells[0, trial] = np.full_like(cells[0, trial], np.nan, float)
    else:
        data["TrialSettings"][0, trial]["GaveFreeReward"] = np.full((1, 3), np.nan)


def break_value(data: dict[str, Any], trial: int, which: int) -> None:
    """Change one number of a state or an event by a second."""
    record = data["RawEvents"]["Trial"][0, trial]
    fields = [(record[kind], name) for kind in ("States", "Events") for name in record[kind]]
    fields += [(data["RawData"], name) for name in ("OriginalStateTimestamps", "OriginalEventTimestamps")]
    place, name = fields[which % len(fields)]
    cells = place[name] if name in RAW else None
    values = (place[name] if cells is None else cells[0, trial]).astype(float)
    values.flat[which % values.size] += 1.0
    if cells is None:
        place[name] = values
    else:
        cells[0, trial] = values


def shuffled(fields: dict[str, Any], order: Any) -> dict[str, Any]:
    names = list(fields)
    order.shuffle(names)
    return {name: fields[name] for name in names}


ANYWHERE = {"trial": st.integers(0, PLAN.n_trials - 1), "which": st.integers(0, 200)}
FEW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@settings(max_examples=40, **FEW)
@given(**ANYWHERE, how=st.sampled_from([break_length, break_number, break_value]))
def test_a_field_of_another_length_or_value_or_without_a_number(tmp_path, expected, trial, which, how) -> None:
    data = fresh()
    how(data, trial, which)
    never_wrong(tmp_path, mat_bytes({"SessionData": data}, start_local(PLAN)), expected)


@settings(max_examples=10, **FEW)
@given(order=st.randoms(use_true_random=False))
def test_the_order_of_fields_does_not_matter(tmp_path, expected, order) -> None:
    data = shuffled(fresh(), order)
    for trial in range(PLAN.n_trials):
        record = data["RawEvents"]["Trial"][0, trial]
        data["RawEvents"]["Trial"][0, trial] = shuffled(
            {name: shuffled(fields, order) for name, fields in record.items()}, order
        )
        data["TrialSettings"][0, trial]["GUI"] = shuffled(data["TrialSettings"][0, trial]["GUI"], order)
    assert never_wrong(tmp_path, mat_bytes({"SessionData": data}, start_local(PLAN)), expected)
    assert read(tmp_path, mat_bytes({"SessionData": data}, start_local(PLAN)))["trials"].equals(expected["trials"])


@settings(max_examples=60, **FEW)
@given(begin=st.floats(0, 1), length=st.integers(1, 400))
def test_a_range_of_bytes_that_is_cut_out(tmp_path, expected, begin, length) -> None:
    content = whole()
    at = int(begin * (len(content) - 1))
    is_read = never_wrong(tmp_path, content[:at] + content[at + length :], expected)
    assert not is_read or at < 128  # the header holds a text alone


@cache
def uncompressed() -> bytes:
    from scipy.io import savemat

    stream = io.BytesIO()
    savemat(stream, {"SessionData": fresh()}, long_field_names=True, oned_as="row")
    return stream.getvalue()


@settings(max_examples=40, **FEW)
@given(begin=st.floats(0, 1), length=st.integers(1, 400))
def test_a_range_of_bytes_that_is_cut_out_of_an_uncompressed_file(tmp_path, expected, begin, length) -> None:
    content = uncompressed()
    at = int(begin * (len(content) - 1))
    never_wrong(tmp_path, content[:at] + content[at + length :], expected)


@settings(max_examples=25, **FEW)
@given(
    seed=st.integers(0, 10_000),
    n_trials=st.integers(1, 12),
    defects=st.sets(st.sampled_from([Defect.FREE_WATER, Defect.EARLY_LICKS, Defect.REPEATED_GO_CUES])),
    is_reversed=st.booleans(),
    protocol=st.sampled_from([(5, 4), (3, 1), (7, 2), (6, 4)]),
)
def test_any_session_is_read_back_as_it_was(tmp_path, seed, n_trials, defects, is_reversed, protocol) -> None:
    from dataclasses import replace

    from map_assets.simulate.truth_tables import make_tables

    plan = replace(
        PLAN,
        seed=seed,
        n_trials=n_trials,
        defects=frozenset(defects),
        is_reversed=is_reversed,
        protocol_type=protocol[0],
        autolearn=protocol[1],
    )
    trials = make_trials(plan)
    tables = read(tmp_path, mat_bytes({"SessionData": session_data(plan, trials)}, start_local(plan)))
    truth = make_tables(plan, trials, n_trials, [], None)  # type: ignore[arg-type]  # without probes, no volume
    for name in ("trials", "trial_events", "licks"):
        assert tables[name].num_rows == truth[name].num_rows, name
        for column in set(truth[name].column_names) & set(tables[name].column_names):
            found, true = (one.sort_by(_order(name))[column].to_pylist() for one in (tables[name], truth[name]))
            if column.endswith("_s"):
                np.testing.assert_allclose(np.array(found, float), np.array(true, float), atol=1e-6)
            else:
                assert found == true, (name, column)


def _order(name: str) -> list[tuple[str, str]]:
    return [("trial", "ascending"), ("time_s" if name == "licks" else "start_s", "ascending")]
