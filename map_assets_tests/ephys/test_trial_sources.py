"""Trial codes from every source, carried onto each probe's clock, against the truth of made-up sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from map_assets.ephys.bitcode import read_bitcode
from map_assets.ephys.clock_maps import make_clock_maps
from map_assets.ephys.pulse_code import PulseProtocol, read_pulse_protocol
from map_assets.ephys.recordings import read_recordings
from map_assets.shares.roles import rule_of
from map_assets.simulate.atlas import make_volume
from map_assets.simulate.bitcode import SeenTrials
from map_assets.simulate.laboratory import make_probe, write_session
from map_assets.simulate.plans import Defect, Part, ProbePlan, SessionPlan
from map_assets.simulate.task import make_trials
from map_assets.vocabulary.errors import ClockDoesNotFit, CompanionMissing, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile, Rejected

PLAN = SessionPlan(
    "SC022",
    440010,
    datetime(2024, 3, 1, 15, 10, 10),
    n_trials=7,
    probes=(ProbePlan("left ALM", drift_ppm=20.0), ProbePlan("left ALM", drift_ppm=-14.0, serial_number="18005118503")),
    parts=frozenset({Part.RECORDING}),
    seed=5,
)
NI_SAMPLE_S = 1 / 10_000
"""An edge is seen up to one sample late."""


def protocol(**lines: str | None) -> PulseProtocol:
    """The package's protocol for the simulator's codes of 16 bits, with go cues."""
    own = read_pulse_protocol()
    nidq = replace(own.nidq, go="XD1", **lines)
    return replace(own, n_bits=16, list_go="XD_2_1_0", nidq=nidq)


@dataclass(frozen=True)
class Session:
    """A written session: its files as a scan finds them, and what each probe truly saw."""

    files: list[FoundFile]
    seen: list[SeenTrials]
    trial_start_samples: list[np.ndarray]
    rates_hz: list[float]

    def read(self, **changes: str | None) -> tuple[pa.Table, tuple[Rejected, ...]]:
        tables, rejected = read_recordings(PLAN.key, self.files, protocol(**changes))
        return tables.get("ephys_trials", pa.table({})), rejected

    def without(self, part: str) -> Session:
        return replace(self, files=[file for file in self.files if part not in file.relpath.name])


def write(root: Path, plan: SessionPlan, rig: str | None = "RRig-MTL") -> Session:
    written = write_session(root, plan)
    files = []
    for path in written.files:
        relpath, status = path.relative_to(root / "ephys").as_posix(), path.stat()
        role = rule_of("ephys", relpath).role
        assert role is not None
        where = ("ephys", root / "ephys", PurePosixPath(relpath))
        files.append(FoundFile(*where, role, status.st_size, status.st_mtime_ns, rig))
    trials = make_trials(plan)
    probes = [make_probe(plan, number, trials, make_volume(100.0)) for number in range(1, len(plan.probes) + 1)]
    starts = [probe.clock.samples([trials[n - 1].start_s for n in probe.seen.trial]) for probe in probes]
    rates_hz = [probe.clock.sample_rate_hz for probe in probes]
    return Session(files, [probe.seen for probe in probes], starts, rates_hz)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Session]:
    written: dict[str, Session] = {}

    def session(source: str) -> Session:
        if source not in written:
            written[source] = write(tmp_path_factory.mktemp("lab"), replace(PLAN, code_source=source))
        return written[source]

    return session


def check_against_truth(table: pa.Table, session: Session) -> None:
    """A bitcode file tells when codes start, and the rig's line when trials do, half a second earlier."""
    probes = zip(session.seen, session.trial_start_samples, session.rates_hz, strict=True)
    for probe, (seen, trial_start_samples, rate_hz) in enumerate(probes, 1):
        rows = table.filter(pa.compute.equal(table["probe"], probe))
        (kind,) = set(rows["start_kind"].to_pylist())
        start_samples = {"start of the code": seen.start_samples, "start of the trial": trial_start_samples}[kind]
        assert (kind == "start of the code") == (rows["source"][0].as_py() == "bitcode file")
        assert (seen.start_samples - trial_start_samples > 0.4 * rate_hz).all()
        assert rows["bitcode"].to_pylist() == seen.code
        assert rows["ephys_trial"].to_pylist() == list(range(1, len(seen.code) + 1))
        for name, samples in (("start_probe_s", start_samples), ("go_probe_s", seen.go_samples)):
            times = np.array(rows[name].to_pylist(), np.float64)
            late = times - samples / rate_hz
            np.testing.assert_array_equal(np.isnan(times), np.isnan(samples))
            assert np.nanmin(late) > -NI_SAMPLE_S
            assert np.nanmax(late) < 2 * NI_SAMPLE_S


@pytest.mark.parametrize(
    ("source", "named", "clocks"),
    [
        ("pulse lists", "pulse lists", {1: "nidq", 2: "nidq"}),
        ("nidq", "nidq", {1: "nidq", 2: "nidq"}),
        ("bitcode file", "bitcode file", {1: "probe", 2: "probe"}),
    ],
)
def test_every_source_gives_the_same_trials_on_each_probes_clock(
    sessions: Callable[[str], Session], source: str, named: str, clocks: dict[int, str]
) -> None:
    session = sessions(source)
    table, rejected = session.read()
    assert rejected == ()
    check_against_truth(table, session)
    assert set(table["source"].to_pylist()) == {named}
    assert {row["probe"]: row["clock"] for row in table.to_pylist()} == clocks


def test_adjusted_lists_are_on_the_first_probes_clock_and_carried_to_the_second(
    sessions: Callable[[str], Session],
) -> None:
    session = sessions("adjusted pulse lists")
    table, rejected = session.without("XD_2_1_0").read()
    assert rejected == ()
    seen = session.trial_start_samples[0] / session.rates_hz[0]
    first = table.filter(pa.compute.equal(table["probe"], 1))
    assert np.abs(np.array(first["start_probe_s"]) - seen).max() < 1.1 * NI_SAMPLE_S
    assert first["go_probe_s"].null_count == len(first)
    assert {row["probe"]: row["clock"] for row in table.to_pylist()} == {1: "probe", 2: "imec0"}
    second = np.array(table.filter(pa.compute.equal(table["probe"], 2))["start_probe_s"])
    assert np.abs(second - session.trial_start_samples[1] / session.rates_hz[1]).max() < 2 * NI_SAMPLE_S
    # on the first probe's own clock nothing needs to be carried, so its sync pulses may be missing
    table, (one,) = session.without("SY_384").without("XD_2").read()
    assert set(table["probe"].to_pylist()) == {1}
    assert isinstance(one.error, CompanionMissing)


def test_hand_made_lists_of_a_rig_whose_line_marks_the_trials_start_give_the_behaviours_own_clock(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    """As Bpod counts: the line goes up at a trial's time zero, its first state takes 0.5 s, the code's states come next.

    The bits are sent on a line of their own, the first 50 ms after the edge.
    """
    run = "SC022/run_g0"
    start_s = [0.0, 6.25, 11.5, 19.0, 23.75, 31.0]
    probe_s = [40.0 + at * (1 - 20e-6) for at in start_s]
    make.write_meta(tmp_path / run / "run_g0_imec0/run_g0_tcat.imec0.ap.meta")
    bits_s = [at + 0.05 + 0.007 * place for at, number in zip(probe_s, range(1, 7), strict=True)
              for place in range(10) if number >> place & 1]  # fmt: skip
    for name, times in (("XA_0_0", probe_s), ("XA_1_2", bits_s)):
        (tmp_path / run / f"run_g0_tcat.nidq.{name}.adj.txt").write_text("".join(f"{at:.6f}\n" for at in times))
    files = [make.found(tmp_path, file.relpath.as_posix(), rule_of("ephys", file.relpath.as_posix()).role)
             for file in make.found_all(tmp_path, "any")]  # fmt: skip
    tables, rejected = read_recordings(make.session, files)
    assert rejected == ()
    seen = tables["ephys_trials"]
    assert seen["bitcode"].to_pylist() == [format(number, "010b")[::-1] for number in range(1, 7)]
    assert set(seen["start_kind"].to_pylist()) == {"start of the trial"}
    trials = make.trials_table(
        [
            {"trial": k, "start_s": at, "bitcode_start_s": at + 0.51, "go_s": at + 3.33, "bitcode": code}
            for k, (at, code) in enumerate(zip(start_s, seen["bitcode"].to_pylist(), strict=True), 1)
        ]
    )
    (row,) = make_clock_maps(make.session, trials, seen).to_pylist()
    assert (row["anchor_kind"], row["n_anchors"]) == ("start of the trial", 6)
    assert row["offset_s"] == pytest.approx(-40.0 * (1 + 20e-6), abs=1e-5)
    assert row["residual_max_s"] < 2e-6


def test_a_list_without_its_adjusted_twin_does_not_mix_clocks(sessions: Callable[[str], Session]) -> None:
    session = sessions("adjusted pulse lists").without("XA_1_2.adj")
    table, rejected = session.read()
    assert rejected == ()
    check_against_truth(table, session)
    assert set(table["clock"].to_pylist()) == {"nidq"}


@pytest.mark.parametrize(
    ("source", "gone", "words"),
    [
        ("pulse lists", "XD_2_0_500", "no sync pulses of nidq are there"),
        ("pulse lists", "SY_384", "no sync pulses of imec0, imec1 are there"),
        ("pulse lists", "imec1.ap.SY_384", "no sync pulses of imec1 are there"),
        ("pulse lists", "XA_1_2", r"no \*.XA_1_2.txt on the same clock"),
        ("pulse lists", "XA_0_0", r"no \*.XA_0_0.txt on the same clock"),
        ("pulse lists", ".ap.meta", "no meta file tells which probes"),
        ("nidq", "SY_384", "no sync pulses of imec0, imec1 are there"),
        ("nidq", ".nidq.bin", "is absent"),
    ],
)
def test_without_a_companion_the_files_wait_and_say_what_is_missing(
    sessions: Callable[[str], Session], source: str, gone: str, words: str
) -> None:
    table, (one,) = sessions(source).without(gone).read()
    assert isinstance(one.error, CompanionMissing)
    assert str(one.error)
    with pytest.raises(CompanionMissing, match=words):
        raise one.error
    assert {file.role for file in one.files} <= {"bitcode", "spikeglx_bin", "spikeglx_meta"}
    assert set(table.column_names and table["probe"].to_pylist()) == ({1} if gone.startswith("imec1") else set())


def test_the_lines_of_a_rig_that_no_protocol_names_are_not_read(tmp_path: Path) -> None:
    for rig in (None, "RRig2"):
        session = write(tmp_path / str(rig), replace(PLAN, code_source="nidq"), rig)
        assert session.read() == (pa.table({}), ())


def test_a_shortened_nidq_file_waits_for_the_rest(tmp_path: Path) -> None:
    session = write(tmp_path, replace(PLAN, code_source="nidq"))
    (raw,) = [file for file in session.files if file.relpath.name.endswith(".nidq.bin")]
    raw.path.write_bytes(raw.path.read_bytes()[: raw.size // 6 // 2 * 6])
    table, (one,) = session.read()
    assert table.num_rows == 0
    assert isinstance(one.error, CompanionMissing)
    with pytest.raises(CompanionMissing, match="incomplete copy"):
        raise one.error


@pytest.mark.parametrize(
    ("name", "change", "error", "words"),
    [
        ("XA_1_2.txt", lambda text: text + "5000.0\n", None, ""),
        ("XA_1_2.txt", lambda text: f"{float(text.split()[0]) + 0.5:.6f}\n", PiecesDoNotFit, "1. trial stands beyond"),
        ("XA_1_2.txt", lambda text: "", PiecesDoNotFit, "7 trial starts and 0 pulses"),
        ("XA_1_2.txt", lambda text: text[: len(text) // 2 + 3], UnreadableFile, "cut off"),
        ("XA_0_0.txt", lambda text: "now\n", UnreadableFile, "something else"),
        ("imec0.ap.SY_384_6_500.txt", lambda text: "0.5\n" + text, ClockDoesNotFit, "out of step"),
        ("XD_2_0_500.txt", lambda text: text[:20], UnreadableFile, "cut off"),
        ("XD_2_0_500.txt", lambda text: "1.0\n2.0\n2.7\n4.0\n", ClockDoesNotFit, "out of step"),
    ],
)
def test_a_damaged_list_is_rejected_with_one_sentence(
    tmp_path: Path, name: str, change: Callable[[str], str], error: type[Exception] | None, words: str
) -> None:
    session = write(tmp_path, replace(PLAN, code_source="pulse lists"))
    (file,) = [file for file in session.files if file.relpath.name.endswith(name)]
    text = file.path.read_text()
    file.path.write_text(change(text))
    table, rejected = session.read()
    if error is None:
        check_against_truth(table, session)
        assert rejected == ()
        return
    assert rejected
    with pytest.raises(error, match=words):
        raise rejected[0].error


def test_free_water_trials_have_a_code_and_no_go_cue(tmp_path: Path) -> None:
    plan = replace(PLAN, n_trials=12, defects=frozenset({Defect.FREE_WATER}))
    by_source = {}
    for source in ("bitcode file", "pulse lists"):
        session = write(tmp_path / source, replace(plan, code_source=source))
        table, rejected = session.read()
        assert rejected == ()
        has_none = np.isnan(session.seen[0].go_samples)
        assert 0 < has_none.sum() < 12
        first = table.filter(pa.compute.equal(table["probe"], 1))
        assert first["go_probe_s"].is_null().to_pylist() == has_none.tolist()
        by_source[source] = np.array(first["go_probe_s"].to_pylist(), np.float64)
    np.testing.assert_allclose(by_source["bitcode file"], by_source["pulse lists"], atol=2 * NI_SAMPLE_S)


def test_the_codes_of_the_real_session_are_those_of_its_behaviour(shared_data: Path, make: SimpleNamespace) -> None:
    from scipy.io import loadmat

    found = read_bitcode(shared_data / "map/dl25_bitcode.mat")
    raw = loadmat(shared_data / "map/dl25_tw2_20180225_102508.mat", simplify_cells=True)["SessionData"]
    sent = [str(settings["GUI"]["randomID"]) for settings in raw["TrialSettings"]]
    assert len(sent) == 11
    assert found.codes == sent[:10]
    assert sent[10] == "0110000000010101"
    assert sent[10] not in found.codes
