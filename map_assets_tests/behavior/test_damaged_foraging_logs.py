"""One line of a foraging log broken, lost, doubled or out of place: what is kept is right, and no trial changes its number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from map_assets.behavior.read import read_behavior
from map_assets.simulate.laboratory import write_session
from map_assets.simulate.plans import Part, SessionPlan
from map_assets.vocabulary.errors import BadInput
from map_assets.vocabulary.files import FoundFile

PLAN = SessionPlan(
    "MK052",
    12,
    datetime(2024, 4, 2, 9, 20, 30),
    task="foraging",
    n_trials=7,
    probes=(),
    early_share=0.4,
    auto_water_share=0.3,
    lost_share=0.15,
    parts=frozenset({Part.BEHAVIOR}),
)
WAYS = ("lost", "doubled", "out of place", "torn", "of another kind")
Line = bytes
Tables = dict[str, pa.Table]


@cache
def whole() -> tuple[Line, ...]:
    with TemporaryDirectory() as folder:
        (path,) = write_session(Path(folder), PLAN).files
        return tuple(path.read_bytes().split(b"\n"))


def read(folder: Path, lines: list[Line]) -> Tables:
    path = folder / PLAN.behavior_name
    path.write_bytes(b"\n".join(lines))
    return read_behavior(PLAN.key, FoundFile("r", folder, PurePosixPath(path.name), "behavior", path.stat().st_size, 0))


def broken(lines: tuple[Line, ...], at: int, way: str) -> list[Line]:
    found = [*lines]
    if way == "lost":
        del found[at]
    elif way == "doubled":
        found.insert(at, found[at])
    elif way == "out of place":
        found[at], found[at + 1] = found[at + 1], found[at]
    else:
        found[at] = found[at][: len(found[at]) // 2] if way == "torn" else b"x" + found[at]
    return found


def wrong(found: Tables, true: Tables) -> Iterator[tuple[Any, ...]]:
    """What is kept and not as it was. Times that come from the wall clock may be some ms off; unknown is not wrong."""
    kept = set(found["trials"]["trial"].to_pylist())
    names = ("trials", "trial_events", "licks", "available_rewards", "water_port_settings", "skipped_trials")
    for name in names:
        rows = {trial: [row for row in true[name].to_pylist() if row["trial"] == trial] for trial in kept}
        for row in found[name].to_pylist():
            if name == "skipped_trials":
                continue
            expected = rows[row["trial"]].pop(0) if rows[row["trial"]] else {}
            for column in set(row) - {"until_s", "block_trial"}:
                if not _is_as(row[column], expected.get(column)):
                    yield name, row["trial"], column, row[column], expected.get(column)
        left = [trial for trial, lacking in rows.items() if lacking and name in ("trials", "trial_events")]
        if left:
            yield name, left, "rows are missing"


def _is_as(value: Any, expected: Any) -> bool:
    if isinstance(value, float) and isinstance(expected, float):
        return abs(value - expected) < 0.01
    return value is None or value == expected


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    tables = read(tmp_path_factory.mktemp("whole"), [*whole()])
    assert tables["trials"].num_rows > 4
    assert tables["skipped_trials"].num_rows > 0
    return tables


@pytest.mark.parametrize("way", WAYS)
def test_no_line_that_is_damaged_makes_a_wrong_row(tmp_path, expected, way) -> None:
    lines = whole()
    for at in one_of_each():
        try:
            found = read(tmp_path, broken(lines, at, way))
        except BadInput as error:
            assert b"TRIAL" not in lines[at] or b"New trial" not in lines[at], error
            continue
        assert found["behavior_file"]["n_trials"][0].as_py() == PLAN.n_trials, (at, lines[at])
        assert not list(wrong(found, expected)), (at, lines[at])
        # a printed line end stands in quotation marks: without one of them, what follows cannot be taken apart
        is_quoted = b'"' in lines[at] + lines[at + 1]
        assert is_quoted or found["trials"].num_rows >= expected["trials"].num_rows - 2, (at, lines[at])
        # of a line that is gone altogether, only a lick leaves no trace
        for name in ("licks", "available_rewards") if way != "lost" else ():
            kept = pa.array(found["trials"]["trial"].to_pylist(), pa.int64())
            assert found[name].num_rows == _of(expected[name], kept), (name, at, lines[at])


def one_of_each() -> list[int]:
    """Lines of each sort, each out of another part of the log."""
    lines = whole()
    first = next(at for at, line in enumerate(lines) if line.startswith(b"TYPE;")) + 1
    sorts: dict[tuple[bytes, ...], list[int]] = {}
    for at in range(first, len(lines) - 2):
        fields = lines[at].split(b";")
        label = fields[4] if len(fields) > 4 and not fields[4][:1].isdigit() else b""
        sorts.setdefault((fields[0], label[:12]), []).append(at)
    return [places[number % len(places)] for number, places in enumerate(sorts.values())]


def _of(table: pa.Table, trials: pa.Array) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.is_in(table["trial"], trials), min_count=0).as_py())


def rows_with(text: bytes) -> list[int]:
    return [at for at, line in enumerate(whole()) if text in line]


@pytest.mark.parametrize("label", [b"TrialBitCode:", b"Blocknumber:", b"Trialnumber:"])
def test_a_first_label_that_is_damaged_shifts_no_code_and_no_block(tmp_path, expected, label) -> None:
    lines = [*whole()]
    at = rows_with(label)[0]
    lines[at] = lines[at].replace(label, label[:-2] + b"x:")
    trials = {row["trial"]: row for row in read(tmp_path, lines)["trials"].to_pylist()}
    for true in expected["trials"].to_pylist():
        found = trials[true["trial"]]
        for column in ("bitcode", "block"):
            assert found[column] in ((true[column], None) if true["trial"] == 1 else (true[column],))


def test_where_no_label_tells_the_order_no_trial_has_a_code(tmp_path) -> None:
    lines = [*whole()]
    for label in (b"TrialBitCode:", b"Blocknumber:", b"Trialnumber:"):
        at = rows_with(label)[0]
        lines[at] = lines[at].replace(label, b"y" + label)
    trials = read(tmp_path, lines)["trials"]
    assert trials["bitcode"].null_count == trials["block"].null_count == trials.num_rows
    assert trials["bitcode_start_s"].null_count == trials.num_rows


def test_a_value_that_is_no_code_is_none(tmp_path) -> None:
    lines = [*whole()]
    code = rows_with(b"TrialBitCode:")[2] + 2
    lines[code] = lines[code][:-3] + b"2" + lines[code][-2:]
    trials = {row["trial"]: row for row in read(tmp_path, lines)["trials"].to_pylist()}
    assert (trials[3]["bitcode"], trials[3]["bitcode_start_s"]) == (None, None)
    assert trials[4]["bitcode"] is not None


@pytest.mark.parametrize("place", [0, 1, 4])
def test_a_lost_trial_row_moves_neither_numbers_nor_zero(tmp_path, expected, place) -> None:
    at = rows_with(b";New trial;")[place]
    found = read(tmp_path, [line for row, line in enumerate(whole()) if row != at])
    reasons = {row["trial"]: row["reason"] for row in found["skipped_trials"].to_pylist()}
    assert "the row that opens it is lost" in reasons[place + 1]
    starts, true = (
        dict(zip(*(tables["trials"][name].to_pylist() for name in ("trial", "start_s")), strict=True))
        for tables in (found, expected)
    )
    for trial, start_s in starts.items():
        assert start_s == pytest.approx(true[trial], abs=1e-6)
    began = [datetime.fromisoformat(one["behavior_file"]["start_local"][0].as_py()) for one in (found, expected)]
    assert abs((began[0] - began[1]).total_seconds()) < 0.01


def test_a_log_that_does_not_say_when_its_first_trial_began_is_refused(tmp_path) -> None:
    gone = {rows_with(b";New trial;")[0], rows_with(b"TRIAL-BPOD-TIME")[0]}
    with pytest.raises(BadInput, match="nothing says when that trial began"):
        read(tmp_path, [line for row, line in enumerate(whole()) if row not in gone])


def test_settings_that_are_torn_leave_open_what_holds_after_them(tmp_path) -> None:
    lines = [*whole()]
    at = rows_with(b"Variables updated:")[0] + 2
    lines[at] = lines[at][:60]
    tables = read(tmp_path, lines)
    assert set(tables["available_rewards"]["open_duration_s"].to_pylist()) == {None}
    assert np.isfinite(tables["trials"]["start_s"].to_numpy()).all()
