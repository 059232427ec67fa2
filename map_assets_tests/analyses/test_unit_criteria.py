"""unit_criteria, and the file of thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from map_assets.analyses.checks import criteria_are_answered
from map_assets.analyses.criteria_file import read_criteria
from map_assets.analyses.drift import make_drift
from map_assets.analyses.tables import UNIT_CRITERIA, UNIT_STATS
from map_assets.analyses.unit_criteria import make_unit_criteria
from map_assets.lab.tables import INSERTIONS
from map_assets.vocabulary.errors import BadConfiguration

SESSION = "SC022_20190228_151010"
FINE = {"amplitude_uv": 200.0, "amplitude_cutoff": 0.01, "rate_hz": 5.0, "presence_ratio": 0.99, "isi_violation": 0.01}
AREAS = {
    "Medulla": (150, 0.2, 0.9, 10, 0.15),
    "ALM": (100, 0.2, 0.95, 0.1, 0.1),
    "Midbrain": (100, 0.1, 0.9, 1, 0.08),
    "Thalamus": (90, 0.1, 0.9, 0.05, 0.08),
    "Striatum": (70, 0.1, 0.9, 0.5, 0.1),
}


def aimed(**areas: str | None) -> pa.Table:
    """Targets of probes p1, p2, ..."""
    return INSERTIONS.from_rows({"session": SESSION, "probe": int(p[1:]), "brain_area": a} for p, a in areas.items())


@pytest.fixture
def tables(trials_of: Callable, tables_of: Callable) -> Callable[..., tuple[pa.Table, pa.Table]]:
    """Units and statistics with the given measures, one dict a unit."""

    def make(*measures: dict, probe: int = 1) -> tuple[pa.Table, pa.Table]:
        units = tables_of(trials_of([0]), {(probe, k): [] for k in range(len(measures))}).units
        for name in ("amplitude_uv", "amplitude_cutoff"):
            column = pa.array([one[name] for one in measures], pa.float64())
            units = units.set_column(units.schema.get_field_index(name), name, column)
        rows = [{name: one[name] for name in ("rate_hz", "presence_ratio", "isi_violation")} for one in measures]
        rest = {"session": SESSION, "probe": probe, "n_trials": 1, "n_spikes_in_trials": 1, "observed_s": 1.0}
        stats = UNIT_STATS.from_rows(
            {**rest, "isi_limit_s": 0.002, "unit_id": k, **row} for k, row in reversed(list(enumerate(rows)))
        )
        return units, stats

    return make


def test_each_area_has_the_thresholds_of_the_earlier_pipeline() -> None:
    criteria = read_criteria()
    names = ("amplitude_uv", "rate_hz", "presence_ratio", "isi_violation", "amplitude_cutoff")
    assert criteria.areas.keys() == {area.casefold() for area in AREAS}
    for area, limits in AREAS.items():
        found = {one.measure: one for one in criteria.of(area)}
        assert tuple(found) == names
        assert tuple(found[name].above for name in names[:3]) == limits[:3]
        assert tuple(found[name].below for name in names[3:]) == limits[3:]
        assert {one.below for one in list(found.values())[:3]} == {math.inf}
        assert {one.above for one in list(found.values())[3:]} == {-math.inf}
    places = [f"{one.table}.{one.column}" for one in criteria.of("ALM")]
    assert places == [
        "units.amplitude_uv", "unit_stats.rate_hz", "unit_stats.presence_ratio", "unit_stats.isi_violation",
        "units.amplitude_cutoff",
    ]  # fmt: skip


def test_a_unit_passes_if_it_meets_all_and_says_what_it_fails(tables: Callable) -> None:
    units, stats = tables(
        FINE, FINE | {"isi_violation": 0.1}, FINE | {"rate_hz": 0.2, "presence_ratio": 0.95, "amplitude_uv": 99.0}
    )
    table = make_unit_criteria(SESSION, units, stats, aimed(p1="alm"))
    assert table["unit_id"].to_pylist() == [0, 1, 2]
    assert table["passed"].to_pylist() == [True, False, False]
    assert table["failed"].to_pylist() == [
        [], ["isi_violation < 0.1"], ["amplitude_uv > 100", "rate_hz > 0.2", "presence_ratio > 0.95"]
    ]  # fmt: skip
    assert set(table["n_criteria"].to_pylist()) == {5}
    assert set(table["criteria_version"].to_pylist()) == {"map 1"}
    assert criteria_are_answered(table).figures == {"n_passed": 1, "n_failed": 2, "n_unknown": 0, "n_wrong": 0}


def test_an_unknown_measure_makes_the_answer_unknown(tables: Callable) -> None:
    units, stats = tables(FINE | {"amplitude_cutoff": None}, FINE | {"rate_hz": None, "amplitude_uv": 1.0}, FINE)
    table = make_unit_criteria(SESSION, units, stats.slice(1), aimed(p1="Striatum"))  # unit 2 has no statistics
    assert table["passed"].to_pylist() == [None, None, None]
    assert table["unknown"].to_pylist()[:2] == [["amplitude_cutoff < 0.1"], ["rate_hz > 0.1"]]
    assert table["unknown"].to_pylist()[2] == ["rate_hz > 0.1", "presence_ratio > 0.9", "isi_violation < 0.5"]
    assert table["failed"].to_pylist() == [[], ["amplitude_uv > 70"], []]


def test_a_target_without_criteria_fails_nobody_and_an_unknown_one_judges_nobody(tables: Callable) -> None:
    units, stats = tables(FINE | {"amplitude_uv": 1.0, "rate_hz": None})
    named = make_unit_criteria(SESSION, units, stats, aimed(p1="ECT")).to_pylist()[0]
    assert (named["brain_area"], named["n_criteria"], named["passed"], named["failed"]) == ("ECT", 0, True, [])
    for insertions in (None, aimed(), aimed(p1=None), aimed(p2="ALM")):
        row = make_unit_criteria(SESSION, units, stats, insertions).to_pylist()[0]
        assert (row["brain_area"], row["n_criteria"], row["passed"], row["unknown"]) == (None, 0, None, [])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_answers_follow_from_the_measures(tables: Callable, data: st.DataObject) -> None:
    area = data.draw(st.sampled_from(sorted(AREAS)))
    limits = AREAS[area]
    names = ("amplitude_uv", "rate_hz", "presence_ratio", "isi_violation", "amplitude_cutoff")
    ways = {
        name: st.sampled_from([None, limit, limit * 0.9, limit * 1.1])
        for name, limit in zip(names, limits, strict=True)
    }
    measures = data.draw(st.lists(st.fixed_dictionaries(ways), min_size=1, max_size=5))
    units, stats = tables(*measures, probe=3)
    table = make_unit_criteria(SESSION, units, stats, aimed(p1="ECT", p3=area))
    assert criteria_are_answered(table).passed
    for one, row in zip(measures, table.to_pylist(), strict=True):
        met = [None if one[n] is None else one[n] > x for n, x in zip(names[:3], limits[:3], strict=True)]
        met += [None if one[n] is None else one[n] < x for n, x in zip(names[3:], limits[3:], strict=True)]
        assert row["passed"] == (None if None in met else all(met))
        assert len(row["failed"]) == met.count(False)
        assert len(row["unknown"]) == met.count(None)


def test_a_laboratory_can_bring_its_own_criteria(
    tables: Callable, trials_of: Callable, tables_of: Callable, tmp_path: Path
) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(
        'version = "ours 3"\n[measures]\ndrift = "drift.drift_metric"\nsnr = "units.snr"\nown = "units.our_score"\n'
        "[areas.PPC]\ndrift = { above = -1, below = 0.5 }\n[areas.V1]\nsnr = { above = 2 }\n[areas.S1]\nown = { above = 1 }\n"
    )
    criteria = read_criteria(path)
    units, stats = tables(FINE)
    made = tables_of(trials_of([0, 10, 20, 30]), {(1, 0): [1, 400_000, 700_000, 1_000_000]})
    drift = make_drift(SESSION, units, made.trial_spikes, made.trials)
    row = make_unit_criteria(SESSION, units, stats, aimed(p1="PPC"), drift, criteria).to_pylist()[0]
    # Fewer trials than a block: drift is unknown. A column that this session's units lack is, too.
    assert (row["passed"], row["unknown"], row["criteria_version"]) == (None, ["drift > -1 and < 0.5"], "ours 3")
    for area, asked in {"V1": "snr > 2", "S1": "own > 1"}.items():
        assert make_unit_criteria(SESSION, units, stats, aimed(p1=area), None, criteria)["unknown"].to_pylist() == [
            [asked]
        ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = ", "cannot be read"),
        ("", "names no version"),
        ("version = 3", "names no version"),
        ('version = "a"\nfoo = 1', "holds foo"),
        ('version = "a"\nareas = 1', "no section areas"),
        ('version = "a"\n[measures]\nx = "spikes.samples"', "places x"),
        ('version = "a"\n[measures]\nx = 4', "places x"),
        ('version = "a"\n[areas.ALM]\nx = { above = 1 }', "does not say where"),
        ('version = "a"\n[measures]\nx = "units.x"\n[areas.ALM]\nx = 1', "asks for x in ALM as 1"),
        ('version = "a"\n[measures]\nx = "units.x"\n[areas.ALM]\nx = { above = true }', "asks for x"),
        ('version = "a"\n[measures]\nx = "units.x"\n[areas.ALM]\nx = { above = nan }', "asks for x"),
        ('version = "a"\n[measures]\nx = "units.x"\n[areas.ALM]\nx = { over = 1 }', "asks for x"),
        ('version = "a"\n[measures]\nx = "units.x"\n[areas.ALM]\nx = {}', "asks for x"),
        ('version = "a"\n[areas.ALM]\n[areas.alm]', "names the area alm twice"),
    ],
)
def test_criteria_that_cannot_be_used_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "criteria.toml"
    path.write_text(text)
    with pytest.raises(BadConfiguration, match=said):
        read_criteria(path)


def test_criteria_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="cannot be read"):
        read_criteria(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(("place", "said"), [("unit_stats.rate", "no column rate"), ("units.quality", "no numbers")])
def test_a_measure_that_no_table_has_is_refused(tables: Callable, tmp_path: Path, place: str, said: str) -> None:
    path = tmp_path / "criteria.toml"
    path.write_text(f'version = "a"\n[measures]\nx = "{place}"\n[areas.ALM]\nx = {{ above = 1 }}')
    with pytest.raises(BadConfiguration, match=said):
        make_unit_criteria(SESSION, *tables(FINE), aimed(p1="ALM"), None, read_criteria(path))


def test_answers_that_do_not_follow_are_noticed(tables: Callable) -> None:
    table = make_unit_criteria(SESSION, *tables(FINE, FINE | {"rate_hz": None}), aimed(p1="ALM"))
    turned = [row | {"passed": True} for row in table.to_pylist()]
    assert criteria_are_answered(UNIT_CRITERIA.from_rows(turned)).figures["n_wrong"] == 1
    assert not criteria_are_answered(UNIT_CRITERIA.from_rows(turned)).passed
    assert criteria_are_answered(UNIT_CRITERIA.empty()).passed
