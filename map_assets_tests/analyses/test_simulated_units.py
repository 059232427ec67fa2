"""The measures of units on made-up sessions, from the rigs' own files to every claim about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from map_assets.analyses import checks
from map_assets.analyses.cell_type import make_cell_type
from map_assets.analyses.drift import make_drift
from map_assets.analyses.tables import UNIT_STATS
from map_assets.analyses.unit_criteria import make_unit_criteria
from map_assets.analyses.unit_stats import make_unit_stats
from map_assets.behavior.read import read_behavior
from map_assets.ephys.clock_maps import make_clock_maps
from map_assets.ephys.probes import make_probes
from map_assets.ephys.recordings import read_recordings
from map_assets.ephys.sortings import read_sortings
from map_assets.ephys.trial_spikes import make_trial_spikes
from map_assets.lab.tables import INSERTIONS
from map_assets.shares.roles import rule_of
from map_assets.simulate.blueprint import Part
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import demo_plan
from map_assets.vocabulary.files import FoundFile

PLANS = {session.key: session for session in demo_plan().sessions if session.probes}
KEY = min(PLANS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    root: Path = tmp_path_factory.mktemp("lab")
    plan = replace(PLANS[KEY], parts=frozenset({Part.BEHAVIOR, Part.RECORDING, Part.SORTING}))
    files = []
    for path in write_session(root, plan).files:
        share = root / path.relative_to(root).parts[0]
        kind = "behavior" if share.name.startswith("rig") else share.name
        relpath, status = path.relative_to(share).as_posix(), path.stat()
        role = rule_of(kind, relpath).role
        if role is not None:
            files.append(FoundFile(share.name, share, PurePosixPath(relpath), role, status.st_size, status.st_mtime_ns))
    behavior = next(file for file in files if file.role == "behavior")
    tables = {**read_behavior(KEY, behavior), **read_recordings(KEY, files)[0]}
    tables |= read_sortings(KEY, files, tables["recordings"], tables["probe_sites"])[0]
    probes = make_probes(KEY, tables["recordings"], tables["sortings"])
    clock_maps = make_clock_maps(KEY, tables["trials"], tables["ephys_trials"], tables["recordings"])
    trial_spikes = make_trial_spikes(KEY, tables["spikes"], tables["trials"], clock_maps, probes)
    found = SimpleNamespace(**tables)
    found.probes, found.clock_maps, found.trial_spikes = probes, clock_maps, trial_spikes
    inputs = (found.units, found.spikes, trial_spikes, found.trials, clock_maps, probes)
    found.unit_stats = make_unit_stats(KEY, *inputs)
    return found


def test_every_claim_holds_of_made_up_units(made: SimpleNamespace) -> None:
    cell_type = make_cell_type(KEY, made.units, made.probes)
    drift = make_drift(KEY, made.units, made.trial_spikes, made.trials, getattr(made, "spike_features", None))
    aimed = INSERTIONS.from_rows({"session": KEY, "probe": n, "brain_area": "ALM"} for n in (1, 2))
    criteria = make_unit_criteria(KEY, made.units, made.unit_stats, aimed)
    for verdict in (
        checks.trials_hold_no_more_spikes_than_the_train(made.unit_stats, made.units),
        checks.stats_hold_together(made.unit_stats),
        checks.every_cell_type_has_its_grounds(cell_type),
        checks.drift_is_of_whole_blocks(drift),
        checks.criteria_are_answered(criteria),
    ):
        assert verdict.passed, verdict.description
    for table in (cell_type, drift, criteria, made.unit_stats):
        assert table["unit_id"].equals(made.units["unit_id"])
    # Made-up trains are Poisson around a steady mean and fire from end to end.
    seen = made.unit_stats.filter(pa.compute.greater(made.unit_stats["n_trials"], 0))
    assert seen.num_rows > 0
    busy = seen["rate_hz"].to_numpy() > 2
    assert np.all(seen["presence_ratio"].to_numpy()[busy] > 0.3)


def test_statistics_do_not_depend_on_the_order_of_rows(made: SimpleNamespace) -> None:
    rng = np.random.default_rng(0)

    def shuffled(table: pa.Table) -> pa.Table:
        return table.take(rng.permutation(table.num_rows))

    tables = (made.units, made.spikes, made.trial_spikes, made.trials, made.clock_maps, made.probes)
    again = make_unit_stats(KEY, *map(shuffled, tables)).sort_by([("probe", "ascending"), ("unit_id", "ascending")])
    assert again.num_rows == made.unit_stats.num_rows
    first = made.unit_stats.sort_by([("probe", "ascending"), ("unit_id", "ascending")])
    for name in UNIT_STATS.schema.names[3:]:
        told = [table[name].to_numpy() for table in (again, first)]
        np.testing.assert_allclose(*told, rtol=1e-12, err_msg=name)
