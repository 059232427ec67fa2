"""The activity viewer's arrays are what the tables say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from export_session import ExportSession

from map_assets.exports.viewer import CONDITION, REQUIRED, make_viewer, stamp_of, viewer_name, write_viewer
from map_assets.vocabulary.errors import NoSuchTable, NotYet


def test_the_viewer_gets_units_that_have_a_place_and_a_psth(made: ExportSession, tmp_path: Path) -> None:
    path = tmp_path / viewer_name(made.key, 1)
    write_viewer(path, make_viewer(made.key, 1, made.tables))
    assert path.name == f"{made.key}_1.npz"
    with np.load(path, allow_pickle=False) as file:
        found = dict(file)
    assert set(found) == {
        *("unit_id", "ccf_coord", "waveform", "unit_amp", "unit_snr", "avg_firing_rate", "isi_violation", "unit_psth")
    }
    places = {row["electrode"]: row for row in made.of("electrodes", 1).to_pylist()}
    units = made.of("units", 1).sort_by("unit_id").to_pylist()
    kept = [unit for unit in units if places[unit["electrode"]]["ccf_ap_um"] is not None]
    assert 0 < len(kept) < len(units)
    assert found["unit_id"].tolist() == [unit["unit_id"] for unit in kept]
    psths = {row["unit_id"]: row for row in made.of("psth", 1).to_pylist() if row["condition"] == CONDITION}
    stats = {row["unit_id"]: row for row in made.of("unit_stats", 1).to_pylist()}
    for n, unit in enumerate(kept):
        place, psth, stat = (
            places[unit["electrode"]],
            psths[unit["unit_id"]],
            stats[unit["unit_id"]],
        )
        assert found["ccf_coord"][n].tolist() == [place["ccf_ap_um"], place["ccf_dv_um"], 11400 - place["ccf_ml_um"]]
        np.testing.assert_allclose(found["unit_psth"][n + 1], psth["rate_hz"])
        np.testing.assert_allclose(found["unit_psth"][0], np.array(psth["bin_start_from_go_s"]) + 0.02)
        length = len(unit["waveform_uv"])
        np.testing.assert_array_equal(found["waveform"][n, :length], unit["waveform_uv"])
        assert np.isnan(found["waveform"][n, length:]).all()
        row = [found[name][n] for name in ("unit_amp", "unit_snr", "avg_firing_rate", "isi_violation")]
        told = [unit["amplitude_uv"], unit["snr"], stat["rate_hz"], stat["isi_violation"]]
        np.testing.assert_allclose(row, np.array(told, float))


def test_units_that_nobody_judged_are_left_out(made: ExportSession) -> None:
    units = made.tables["units"].to_pandas()
    first = make_viewer(made.key, 1, made.tables)["unit_id"][0]
    units.loc[units["unit_id"] == first, "quality"] = "all"
    table = made.tables["units"].schema.empty_table().from_pandas(units, made.tables["units"].schema)
    found = make_viewer(made.key, 1, made.tables | {"units": table})
    assert first not in found["unit_id"]
    assert len(found["unit_psth"]) == len(found["unit_id"]) + 1


def test_a_probe_without_places_has_nothing_to_show(made: ExportSession) -> None:
    with pytest.raises(NotYet, match=r"No unit of probe 2 .* has a place in the CCF"):
        make_viewer(made.key, 2, made.tables)
    with pytest.raises(NotYet, match=r"No unit of probe 1"):
        make_viewer(made.key, 1, made.tables | {"psth": made.tables["psth"].slice(0, 0)})
    for name in REQUIRED:
        with pytest.raises(NoSuchTable, match=f"the table {name}, "):
            make_viewer(made.key, 1, {other: table for other, table in made.tables.items() if other != name})


def test_the_same_arrays_give_the_same_bytes_and_their_stamp(made: ExportSession, tmp_path: Path) -> None:
    arrays = make_viewer(made.key, 1, made.tables)
    for name in "ab":
        write_viewer(tmp_path / name, arrays, stamp="0123")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert stamp_of(tmp_path / "a") == "0123"
    write_viewer(tmp_path / "b", arrays)
    assert stamp_of(tmp_path / "b") is None
    whole = (tmp_path / "a").read_bytes()
    for some in (b"", b"a text", whole[:-30], np.arange(3).tobytes()):
        (tmp_path / "b").write_bytes(some)
        assert stamp_of(tmp_path / "b") is None
    np.save(tmp_path / "c.npy", np.arange(3))
    assert stamp_of(tmp_path / "c.npy") is None
