"""The laboratory that the documented questions are asked of: four sessions at table level, with what the analyses say of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from map_assets.analyses.coding_direction import make_coding_direction
from map_assets.analyses.conditions import read_conditions
from map_assets.analyses.parameters import read_parameters
from map_assets.analyses.photostim_effect import make_photostim_effect
from map_assets.analyses.psth import make_psth
from map_assets.analyses.selectivity import make_selectivity
from map_assets.analyses.trains import Spiking
from map_assets.catalog import BY_NAME
from map_assets.ccf.ontology import make_ontology
from map_assets.lab.registry import Registry
from map_assets.nwb.write import OPTIONAL, REQUIRED, write_nwb
from map_assets.shares.ledger import Ledger
from map_assets.simulate.tables_only import SMALL, write_columns, write_tables
from map_assets.store import Store
from map_assets.vocabulary.subject import Laboratory

ANIMALS = (
    "subject_id,username,cage_number,date_of_birth,sex,animal_source,water_restriction_number,wr_start_date,wr_start_weight\n"
    "440011,susu,148,2018-11-20,M,Jackson Labs,SC011,2019-01-10,24.5\n"
    "440012,susu,149,2018-12-01,F,Jackson Labs,SC012,2019-01-10,21.5\n"
    "440099,susu,150,2019-03-05,F,Jackson Labs,SC099,2019-06-01,22.0\n"
)
PERSON = 'username,fullname\nsusu,"Chen, Susu"\n'
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0"
    "f01f0005050201a7a5e6c60000000049454e44ae426082"
)


def build(root: Path) -> tuple[Path, list[str]]:
    """Write the laboratory under `root`; returns its configuration file and the session keys."""
    store = Store(root / "store")
    keys = write_tables(store.root, BY_NAME, SMALL)
    store.write(BY_NAME["ccf_ontology"], "lab", make_ontology())
    for key in keys[:-1]:
        _analyses(store, key)
        _beside(store, key)
    config = root / "map_assets.toml"
    config.write_text(
        '[store]\nroot = "store"\n[registry]\nurl = "sqlite:///registry.db"\n[lab]\nname = "Made-up lab"\n'
        'institution = "Made-up institute"\ntime_zone = "America/New_York"\n'
    )
    url = f"sqlite:///{root / 'registry.db'}"
    registry = Registry(url)
    sheet = root / "animals.csv"
    sheet.write_text(ANIMALS)
    registry.import_sheet(sheet, who="susu")
    sheet.write_text(ANIMALS.replace("440012,susu,149,2018-12-01", "440012,susu,149,2018-12-03"))
    registry.import_sheet(sheet, who="susu", update=True)
    for key in keys[:1]:
        _nwb(store, registry, key)
    registry.close()
    _ledger(store, url, keys[0])
    return config, keys


def _analyses(store: Store, key: str) -> None:
    def read(*names: str) -> list:
        return [store.read(name, key) for name in names]

    spiking = Spiking(*read(*Spiking._fields))
    insertions, sites = read("insertions", "photostim_sites")
    conditions = {one.name: one for one in read_conditions()["delay_response"]}
    told = read_parameters()
    tables = {"psth": make_psth(key, *spiking, conditions=tuple(conditions.values()), photostim_sites=sites)}
    condition = conditions[told.selectivity.condition]
    tables["selectivity"], tables["unit_selectivity"] = make_selectivity(
        key, spiking, insertions, condition, told.selectivity, told.version
    )
    sides = conditions[told.coding_direction.left], conditions[told.coding_direction.right]
    tables |= make_coding_direction(key, spiking, insertions, sides, told.coding_direction, told.version)
    control = conditions[told.photostim_effect.control]
    tables["photostim_effect"] = make_photostim_effect(key, spiking, control, told.photostim_effect, told.version)
    for name, table in tables.items():
        store.write(BY_NAME[name], key, table)


def _beside(store: Store, key: str) -> None:
    """An earlier sorting and what became of its units, drift, a video with its receipt, a figure."""
    rng = np.random.default_rng(3)
    units = store.read("units", key)
    probe, unit_id = units["probe"].to_numpy(), units["unit_id"].to_numpy()
    of = {"probe": probe, "unit_id": unit_id}
    rows: dict[str, dict] = {
        "drift": {**of, "n_trials": [160] * len(probe), "drift_metric": rng.uniform(0, 0.3, len(probe))},
        "unit_criteria": {**of, "passed": unit_id % 4 == 0},
        "other_units": {**of, "sorting": ["kilosort of 2018"] * len(probe), "quality": ["good"] * len(probe)},
        "sorting_changes": {
            "probe": probe, "sorting": ["kilosort of 2018"] * len(probe), "change_id": np.arange(len(probe)),
            "unit_id": unit_id, "current_unit_id": unit_id, "change": rng.choice(("same", "split"), len(probe)),
        },
        "videos": {
            "share": ["tracking"] * 3, "file": [f"{key}/side_{n}.avi" for n in (1, 2, 3)], "camera": ["side"] * 3,
            "trial": [1, 2, 3], "width_px": [640] * 3,
        },
        "archive_receipt": {
            "share": ["tracking"] * 3, "path": [f"{key}/side_{n}.avi" for n in (1, 2, 3)],
            "archive_path": [f"raw/{key}/side_{n}.avi" for n in (1, 2, 3)], "sha256": [f"{n:064x}" for n in (1, 2, 3)],
        },
        "archive_manifest": {"share": ["rig1"], "path": [f"{key}.mat"], "role": ["behavior"], "sha256": ["ab" * 32]},
    }  # fmt: skip
    figure = store.write_file("behavior_performance", key, ".png", lambda path: path.write_bytes(PIXEL))
    svg = store.write_file("behavior_performance", key, ".svg", lambda path: path.write_text("<svg/>"))
    rows["behavior_performance"] = {
        "status": ["drawn"],
        "png_file": [figure.path.relative_to(store.root).as_posix()],
        "svg_file": [svg.path.relative_to(store.root).as_posix()],
    }
    for name, columns in rows.items():
        write_columns(store, BY_NAME[name], key, columns, rng if name == "other_units" else None)


def _nwb(store: Store, registry: Registry, key: str) -> None:
    subject = registry.subject_of(key.partition("_")[0])
    tables = {name: found for name in (*REQUIRED, *OPTIONAL) if (found := store.read_if_there(name, key)) is not None}
    tables |= {"ccf_ontology": store.read("ccf_ontology", "lab")} if "ccf_ontology" in OPTIONAL else {}
    laboratory = Laboratory("Made-up lab", "Made-up institute")
    version = store.write_file("nwb", key, ".nwb", lambda path: write_nwb(path, key, tables, subject, laboratory))
    path = version.path.relative_to(store.root).as_posix()
    write_columns(store, BY_NAME["nwb_file"], key, {"path": [path], "sha256": [version.sha256]})


def _ledger(store: Store, url: str, key: str) -> None:
    """How the tables of one session were made, as the orchestrator remembers it."""
    ledger = Ledger(url)
    versions = {name: store.version(name, key) for name in store.tables()}
    made_from = {"behavior": ([], ["behavior_file", "trials", "licks"]), "units": ([], ["units", "probes", "spikes"])}
    made_from["psth"] = (["units", "spikes", "trials"], ["psth"])
    for stage, (inputs, made) in made_from.items():
        detail = {"made": made, "blocked": "", "inputs": {name: versions[name] for name in inputs}}
        detail |= {"code": "2", "package": "0.1.0", "parameters": "null"}
        ledger.record_stage(key, stage, "0" * 64, "done", json.dumps(detail), datetime(2026, 1, 2, tzinfo=UTC))
    ledger.close()
