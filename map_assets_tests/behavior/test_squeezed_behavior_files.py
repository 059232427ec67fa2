"""One trial, one visit, one event, unsigned integers: whatever MATLAB or a copy squeezed, the tables are the same."""

from __future__ import annotations

import numpy as np
import pytest

from map_assets.behavior.read import read_behavior


def squeezed(value):
    """What a writer that squeezes makes of a value: cells and arrays of one lose their shape."""
    if isinstance(value, dict):
        return {name: squeezed(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.names:
        return {name: squeezed(value[0, 0][name]) for name in value.dtype.names} if value.size == 1 else value
    if isinstance(value, np.ndarray) and value.dtype == object:
        return squeezed(value.flat[0]) if value.size == 1 else value
    if isinstance(value, np.ndarray):
        return value.flat[0] if value.size == 1 else np.squeeze(value)
    return value


@pytest.mark.parametrize("oned_as", ["row", "column"])
def test_a_session_of_one_trial_reads_the_same_when_all_is_squeezed(rig, oned_as) -> None:
    from scipy.io import savemat

    trial = rig.trial(left=[3.9], right=[])
    whole = read_behavior(rig.session, rig.write([trial]))
    data = squeezed(rig.session_data([trial]))
    name = "dl25_tw2_20180225_102508.mat"
    savemat(rig.folder / name, {"SessionData": data}, long_field_names=True, oned_as=oned_as)
    tables = read_behavior(rig.session, rig.found(name))
    for table in ("trials", "trial_events", "licks", "skipped_trials", "photostim_sites"):
        assert tables[table].equals(whole[table]), table
    assert tables["trials"].num_rows == 1
    assert tables["licks"].num_rows == 1


def test_trials_may_be_a_struct_array_as_well_as_a_cell(rig) -> None:
    trials = [rig.trial(left=[3.9]), rig.trial(), rig.trial()]
    as_cell = rig.read(trials)
    cell = rig.session_data(trials)["RawEvents"]["Trial"]
    array = np.empty((1, 3), [("States", object), ("Events", object)])
    for place, trial in enumerate(cell[0]):
        array[0, place] = (trial["States"], trial["Events"])
    as_array = rig.read(trials, RawEvents={"Trial": array})
    assert as_array["trials"].equals(as_cell["trials"])
    assert as_array["licks"].equals(as_cell["licks"])


def test_whole_numbers_stored_unsigned_do_not_wrap_around(rig) -> None:
    trials = [rig.trial(start_s=200.0), rig.trial(start_s=210.0)]
    tables = rig.read(trials, TrialStartTimestamp=np.array([[200, 210]], np.uint8))
    assert tables["trials"]["start_s"].to_pylist() == [0.0, 10.0]
    backwards = rig.read(trials, TrialStartTimestamp=np.array([[210, 200]], np.uint8))
    assert backwards["trials"]["start_s"].to_pylist() == [0.0, -10.0]


def test_a_trial_without_any_event_has_no_licks(rig) -> None:
    tables = rig.read([rig.trial(left=[], right=[])])
    assert tables["trials"].num_rows == 1
    assert tables["licks"].num_rows == 0


def test_compression_changes_nothing(rig) -> None:
    trials = [rig.trial(left=[3.9]), rig.trial()]
    plain, packed = rig.read(trials), rig.read(trials, compressed=True)
    assert plain["behavior_file"]["sha256"] != packed["behavior_file"]["sha256"]
    for table in ("trials", "trial_events", "licks"):
        assert plain[table].equals(packed[table])
