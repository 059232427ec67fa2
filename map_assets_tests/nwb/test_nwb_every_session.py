"""Every kind of session that the made-up laboratory writes, from its files to a NWB file without a fault.

The tables are made by the stages that a lab runs, defects and all; what a stage refuses is missing, as it would be.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from map_assets.config import load_config
from map_assets.defs.services import Services
from map_assets.defs.stage import LAB
from map_assets.defs.stages import LAB_STAGES, SESSION_STAGES
from map_assets.defs.work import perform
from map_assets.ephys.tables import LFP_POWER, UNIT_CLASSES
from map_assets.nwb.inspect import CRITICAL, inspect_nwb
from map_assets.nwb.joined import JOINED
from map_assets.nwb.readback import times_of
from map_assets.nwb.roundtrip import compare_with_tables
from map_assets.nwb.verdicts import nwb_gives_the_tables_back, nwb_is_clean, nwb_validates
from map_assets.nwb.write import OPTIONAL, REQUIRED, write_nwb
from map_assets.shares.refresh import refresh
from map_assets.shares.scan import scan_all
from map_assets.simulate.blueprint import AnimalPlan, LabPlan, Part, ProbePlan, SessionPlan
from map_assets.simulate.defects import BEHAVIOR_IS_UNUSABLE, Defect
from map_assets.simulate.filming import Filming
from map_assets.simulate.laboratory import write_laboratory
from map_assets.vocabulary.errors import MapAssetsError

ANIMAL = AnimalPlan("MK071", 990071)
PROBE = ProbePlan("left ALM", n_units=4, n_sorted_channels=12, rate_scale=0.6)
PLAIN = SessionPlan(
    ANIMAL.animal,
    ANIMAL.subject_id,
    datetime(2024, 5, 1, 10, 15, 30),
    n_trials=10,
    probes=(PROBE,),
    anchors="seconds",
    extra_iti_s=0.2,
    n_bin_samples=40,
    n_missing_trials=2,
    photostim_share=0.4,
)
TWO = (PROBE, replace(PROBE, target="right Medulla", serial_number="18005117122", histology="none"))
SORTERS = (
    replace(PROBE, sorter="jrclust4"),
    replace(PROBE, sorter="kilosort4", target="right Medulla", serial_number="18005117122"),
    replace(
        PROBE, histology="landmarks", model="NP2.0 four-shank", target="left Striatum", serial_number="18005117133"
    ),
)
TOGETHER = (
    (Defect.FREE_WATER, Defect.EARLY_LICKS, Defect.REPEATED_GO_CUES, Defect.OUTSIDE_BRAIN),
    (Defect.EPHYS_STARTS_LATE, Defect.EPHYS_MISSES_A_TRIAL, Defect.FLIPPED_HISTOLOGY),
    (Defect.EPHYS_ENDS_EARLY, Defect.INCOMPLETE_BIN),
    (Defect.BEHAVIOR_ENDS_EARLY, Defect.REPEATED_BITCODE, Defect.UNFINISHED_META),
    (Defect.TRUNCATED_META,),
    (Defect.TRUNCATED_SORTING,),
)
"""Defects that one session can have without one hiding the other."""
VARIANTS: dict[str, SessionPlan] = {
    "three probes": replace(PLAIN, probes=SORTERS, n_tracked_trials=1),
    "behavior alone, no light, no answers": replace(
        PLAIN, probes=(), photostim_share=0.0, no_answer_share=1.0, early_share=0.0
    ),
    "one trial": replace(PLAIN, n_trials=1),
    "nothing sorted": PLAIN.with_parts(Part.BEHAVIOR, Part.RECORDING),
    "sorted without recording": PLAIN.with_parts(Part.BEHAVIOR, Part.SORTING, Part.HISTOLOGY),
    "videos": replace(PLAIN, n_tracked_trials=2, filming=Filming("h5", n_animals=2, n_left_out=3, videos="avi")),
    "multi-target licking": replace(PLAIN, task="multi target licking", probes=(), n_trials=12, lost_share=0.3),
    "foraging with three ports": replace(PLAIN, task="foraging", probes=(), n_trials=12, lost_share=0.3, n_ports=3),
    **{", ".join(defects): replace(PLAIN, defects=frozenset(defects)) for defects in TOGETHER},
    "everything": replace(
        PLAIN,
        n_trials=6,
        probes=TWO,
        raw_s=0.2,
        has_rig_record=True,
        n_tracked_trials=2,
        filming=Filming(videos="avi"),
        defects=frozenset({Defect.EARLY_LICKS}),
    ),
}
N_UNITS = {name: 0 for name, plan in VARIANTS.items() if not plan.probes or Part.SORTING not in plan.parts}
N_UNITS |= {
    "three probes": 3 * PROBE.n_units,
    "everything": 2 * PROBE.n_units,
    "truncated sorting": 0,
    "sorted without recording": 0,
}
"""Units in the file, where they are not those of one probe."""
KEYS = {
    name: replace(plan, named_at=plan.named_at + timedelta(days=day)).key
    for day, (name, plan) in enumerate(VARIANTS.items())
}


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    """A laboratory with a session of each kind, its sheets imported, its files found."""
    plans = tuple(
        replace(plan, named_at=plan.named_at + timedelta(days=day)) for day, plan in enumerate(VARIANTS.values())
    )
    written = write_laboratory(tmp_path_factory.mktemp("lab"), LabPlan((ANIMAL,), plans, voxel_um=200.0))
    found = Services(load_config(written.config))
    for sheet in (written.people, written.animals, written.insertions):
        found.registry.import_sheet(sheet, who="test")
    scan_all(found.shares, found.ledger)
    refresh(found.ledger)
    for stage in LAB_STAGES:
        perform(stage, LAB, found)
    return found


@pytest.fixture(scope="session")
def tables_of(services: Services) -> Callable[[str], dict[str, pa.Table]]:
    """Tables of a kind of session, as the stages make them."""

    @functools.cache
    def made(name: str) -> dict[str, pa.Table]:
        session = KEYS[name]
        for stage in SESSION_STAGES:
            if stage.group in ("figures", "nwb", "archive") or stage.name == "psth":
                continue
            with contextlib.suppress(MapAssetsError):
                perform(stage, session, services)
            if stage.name == "behavior":
                refresh(services.ledger)
        found = {table: services.store.read_if_there(table, session) for table in (*REQUIRED, *OPTIONAL)}
        tables = {table: one for table, one in found.items() if one is not None}
        if name == "everything":
            tables |= {"unit_classes": _classes(tables["units"]), "lfp_power": _power(tables["probe_sites"])}
        return tables

    return made


def _classes(units: pa.Table) -> pa.Table:
    """A classifier's table, which knows all units but the first."""
    known = units.select(["session", "probe", "unit_id", "sorting"]).slice(1)
    n = known.num_rows
    at = [datetime(2024, 6, 1, tzinfo=UTC)] * n
    named = {"class": ["good"] * n, "annotation": ["MOs"] * n, "file": ["labels.mat"] * n, "file_modified_at": at}
    return UNIT_CLASSES.from_columns({name: known[name] for name in known.column_names} | named)


def _power(sites: pa.Table) -> pa.Table:
    """Field power at every contact of the first probe, of which one is unknown."""
    of_first = sites.filter(pc.equal(sites["probe"], 1)).select(["session", "probe", "electrode", "shank", "y_um"])
    n = of_first.num_rows
    numbers = {"low_hz": 4.0, "high_hz": 12.0, "stretch_s": 2.0}
    same = {"band": "theta", "source": "lf.bin", "n_stretches": 3, "file": "x.lf.bin"} | numbers
    columns = {name: of_first[name] for name in of_first.column_names} | {name: [one] * n for name, one in same.items()}
    return LFP_POWER.from_columns(columns | {"power_uv2": [None, *range(1, n)]})


def written(path: Path, name: str, tables: dict[str, pa.Table], services: Services, **how: Any) -> Path:
    subject = services.registry.subject_of(ANIMAL.animal)
    assert subject is not None
    roots = {share: found.path for share, found in services.config.shares.items()}
    write_nwb(path, KEYS[name], tables, subject, services.laboratory, roots=roots, **how)
    return path


def test_every_defect_that_leaves_trials_is_in_some_session() -> None:
    assert {defect for plan in VARIANTS.values() for defect in plan.defects} == set(Defect) - BEHAVIOR_IS_UNUSABLE


@pytest.mark.parametrize("name", VARIANTS)
def test_a_session_of_every_kind_passes_every_gate(
    name: str, services: Services, tables_of: Callable[[str], dict[str, pa.Table]], tmp_path: Path
) -> None:
    tables = tables_of(name)
    subject = services.registry.subject_of(ANIMAL.animal)
    found = inspect_nwb(written(tmp_path / "x.nwb", name, tables, services), tables, subject)
    assert [str(message) for message in found.messages if message.importance in CRITICAL] == []
    for verdict in (nwb_validates, nwb_is_clean, nwb_gives_the_tables_back):
        assert verdict(found).passed, verdict(found).description
    assert found.n_inspector_checks > 30
    assert found.n_trials == tables["trials"].num_rows > 0
    assert found.n_units == N_UNITS.get(name, PROBE.n_units)


def test_every_table_that_a_file_may_hold_has_rows_in_some_of_these_sessions(
    tables_of: Callable[[str], dict[str, pa.Table]],
) -> None:
    kinds = ("everything", "multi-target licking", "foraging with three ports")
    filled = {name for kind in kinds for name, table in tables_of(kind).items() if table.num_rows}
    assert {*REQUIRED, *OPTIONAL} - filled == set()


_TOLD_BY_NO_TABLE = (
    *("file_create_date", "general/was_generated_by", "general/source_script", "general/keywords", "general/notes"),
    *("general/institution", "general/lab", "general/related_publications", "general/subject/age", "identifier"),
)
"""What the file says of itself and of the laboratory, and the notes on what is left out."""
_IDS = ("id", "description", "manufacturer", "model_number", "serial_number")


def test_whatever_value_is_changed_the_round_trip_tells(
    services: Services, tables_of: Callable[[str], dict[str, pa.Table]], tmp_path: Path
) -> None:
    tables = tables_of("everything")
    subject = services.registry.subject_of(ANIMAL.animal)
    path = written(tmp_path / "x.nwb", "everything", tables, services)
    assert compare_with_tables(path, tables, subject).passed
    changed: list[str] = []

    def change(name: str, found: Any) -> None:
        exempt = name.startswith(("specifications", "general/devices")) or name in _TOLD_BY_NO_TABLE
        if exempt or not isinstance(found, h5py.Dataset) or name.rpartition("/")[2] in _IDS:
            return
        if name.endswith("_index") or name in ("units/electrodes", "units/probe", "units/unit_id") or found.size == 0:
            return
        place = (len(found) // 2, *[0] * (found.ndim - 1)) if found.ndim else ()
        if h5py.check_ref_dtype(found.dtype) is not None:
            values = found[:]
            found[0], found[-1] = values[-1], values[0]
        elif h5py.check_string_dtype(found.dtype):
            found[place] = "2031-01-01T00:00:00+00:00"
        else:
            found[place] = not found[place] if found.dtype == bool else 77
        changed.append(name)

    with h5py.File(path, "r+") as file:
        file.visititems(change)
    told = compare_with_tables(path, tables, subject).description
    assert len(changed) > 280
    untold = [name for name in changed if _source(name) not in told]
    assert untold == []


@pytest.mark.parametrize("made_up", ["units/made_up", "events/made_up", "stimulus/presentation/photostim_made_up"])
def test_what_is_of_no_table_is_told(
    made_up: str, services: Services, tables_of: Callable[[str], dict[str, pa.Table]], tmp_path: Path
) -> None:
    tables = tables_of("everything")
    path = written(tmp_path / "x.nwb", "everything", tables, services)
    with h5py.File(path, "r+") as file:
        file.copy("units/probe" if made_up.startswith("units") else "events/go", made_up)
    assert "made_up" in compare_with_tables(path, tables).description


def test_videos_that_are_taken_out_are_missed(
    services: Services, tables_of: Callable[[str], dict[str, pa.Table]], tmp_path: Path
) -> None:
    tables = tables_of("everything")
    path = written(tmp_path / "x.nwb", "everything", tables, services)
    with h5py.File(path, "r+") as file:
        del file["acquisition/video_side"]
    assert "the notes do not say so" in compare_with_tables(path, tables).description


_RENAMED = {
    "start_time": "start_s",
    "stop_time": "stop_s",
    "until_time": "until_s",
    "sample_time": "sample_s",
    "delay_time": "delay_s",
    "go_time": "go_s",
    "photostim_onset_time": "photostim_onset_s",
    "bitcode_start_time": "bitcode_start_s",
    "rel_x": "x_um",
    "rel_y": "y_um",
    "x": "ccf_ap_um",
    "y": "ccf_dv_um",
    "z": "ccf_ml_um",
    "location": "region",
    "spike_times": "spikes",
    "waveform_mean": "waveforms",
}


_ABOUT = {
    "session_start_time": "session_start_time",
    "timestamps_reference_time": "timestamps_reference_time",
    "session_description": "sessions.",
    "general/session_id": "session 2031",
    "general/experimenter": "sessions.experimenter",
    "general/experiment_description": "sessions.task",
    "units/electrode_group": "units.electrode_group",
    "units/sample_rate_hz": "units.sample_rate_hz",
    "units/waveform_source": "units.waveform_source",
    "general/extracellular_ephys/electrodes/group": "electrodes.group",
    "general/extracellular_ephys/electrodes/group_name": "electrodes.group",
}


def _source(name: str) -> str:
    """What the round trip says of the dataset with this name."""
    if name in _ABOUT:
        return _ABOUT[name]
    if name.endswith("/is_counted"):
        return f"trials.{name.split('/')[1]}_s (marked)"
    if name.startswith("general/subject/"):
        return f"subject.{name.rpartition('/')[2]}"
    if name.startswith("general/optogenetics/"):
        return "photostim_sites."
    if name.startswith("acquisition/"):
        return "videos."
    part, _, last = name.rpartition("/")
    table = part.rpartition("/")[2]
    if part.startswith("events"):
        renamed = {"timestamp": "time_s" if table in ("licks", "rig_events") else "start_s", "duration": "duration_s"}
        return f"{table if table in ('licks', 'rig_events') else f'trial_events ({table})'}.{renamed.get(last, last)}"
    if part.startswith("stimulus"):
        return f"photostimulation {table.removeprefix('photostim_')}"
    if "/position_" in part or "/likelihood_" in part:
        return f"tracking of {table} in"
    if part == "units":
        for other in JOINED:
            if last.startswith(f"{other}_"):
                return f"{other}.{last.removeprefix(other + '_')}"
        return _RENAMED.get(last, last)
    return f"{table}.{_RENAMED.get(last, last.removeprefix(f'{table}_') if last == f'{table}_name' else last)}"


def test_videos_stay_where_they_are_and_every_frame_has_its_time(
    services: Services, tables_of: Callable[[str], dict[str, pa.Table]], tmp_path: Path
) -> None:
    tables = tables_of("videos")
    path = written(tmp_path / "x.nwb", "videos", tables, services)
    starts = dict(zip(tables["trials"]["trial"].to_pylist(), tables["trials"]["start_s"].to_pylist(), strict=True))
    named = 0
    with h5py.File(path) as file:
        for series in file["acquisition"].values():
            camera = series.name.rpartition("/video_")[2]
            rows = [row for row in tables["videos"].to_pylist() if row["camera"] == camera]
            rows.sort(key=lambda row: row["trial"])
            files = series["external_file"].asstr()[:]
            first = series["external_file"].attrs["starting_frame"]
            times_s = times_of(series)
            assert [Path(one).name for one in files] == [Path(row["file"]).name for row in rows]
            assert all((path.parent / one).is_file() and not Path(one).is_absolute() for one in files)
            assert len(times_s) == sum(row["n_frames"] for row in rows)
            np.testing.assert_allclose(times_s[first], [starts[row["trial"]] for row in rows])
            named += len(files)
        assert "videos only" not in file["general/notes"][()].decode()
    assert named == tables["videos"].num_rows > 0


def test_videos_without_a_known_place_are_told_in_the_notes(
    services: Services, tables_of: Callable[[str], dict[str, pa.Table]], tmp_path: Path
) -> None:
    tables = tables_of("videos")
    subject = services.registry.subject_of(ANIMAL.animal)
    assert subject is not None
    write_nwb(tmp_path / "x.nwb", KEYS["videos"], tables, subject, services.laboratory)
    n = tables["videos"].num_rows
    with h5py.File(tmp_path / "x.nwb") as file:
        assert f"{n} of {n} videos are in the table videos only" in file["general/notes"][()].decode()
        assert len(file["acquisition"]) == 0


def test_a_recording_that_is_embedded_stands_on_the_session_clock(
    services: Services, tables_of: Callable[[str], dict[str, pa.Table]], tmp_path: Path
) -> None:
    tables = tables_of("everything")
    path = written(tmp_path / "x.nwb", "everything", tables, services, embeds_raw=True)
    row, clock = tables["recordings"].to_pylist()[0], tables["clock_maps"].to_pylist()[0]
    roots = [found.path for found in services.config.shares.values()]
    (file,) = (root / row["bin_file"] for root in roots if (root / row["bin_file"]).is_file())
    samples = np.fromfile(file, np.int16).reshape(-1, row["n_saved_channels"])
    with h5py.File(path) as nwb:
        series = nwb["acquisition/ap_probe1"]
        np.testing.assert_array_equal(series["data"][:], samples[:, : row["n_ap_channels"]])
        assert series["data"].attrs["conversion"] == pytest.approx(row["microvolt_per_bit"] * 1e-6)
        start, rate = series["starting_time"][()], series["starting_time"].attrs["rate"]
        last_s = clock["offset_s"] + len(samples) / row["sample_rate_hz"] * (1 + clock["drift_ppm"] * 1e-6)
        assert start + len(samples) / rate == pytest.approx(last_s, abs=1e-7)
    assert nwb_is_clean(inspect_nwb(path)).passed


def test_two_writings_of_a_session_are_one_file(
    services: Services, tables_of: Callable[[str], dict[str, pa.Table]], tmp_path: Path
) -> None:
    tables = tables_of("everything")
    at = datetime(2026, 1, 2, tzinfo=UTC)
    again = dict(reversed(tables.items()))
    one = written(tmp_path / "one.nwb", "everything", tables, services, written_at=at)
    two = written(tmp_path / "two.nwb", "everything", again, services, written_at=at + timedelta(days=1))
    with h5py.File(one) as first, h5py.File(two) as second:
        assert differing(first, second) == ["/file_create_date"], "not even an object's id is another"


def differing(first: h5py.File, second: h5py.File) -> list[str]:
    """Names of all datasets and attributes that two files do not share."""
    found: list[str] = []

    def compare(name: str, one: Any) -> None:
        other = second[name]
        for key, value in one.attrs.items():
            is_reference = isinstance(value, h5py.Reference) or getattr(value, "dtype", None) == h5py.ref_dtype
            if not is_reference and not np.array_equal(value, other.attrs[key]):
                found.append(f"/{name}@{key}")
        if isinstance(one, h5py.Dataset) and h5py.check_ref_dtype(one.dtype) is None:
            values = (one[()], other[()])
            is_equal = np.array_equal(*values, equal_nan=getattr(values[0], "dtype", np.dtype("O")).kind == "f")
            found.extend([] if is_equal else [f"/{name}"])

    first.visititems(compare)
    return found
