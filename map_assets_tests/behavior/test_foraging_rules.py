"""What a foraging log's rows mean, one rule at a time; several are repairs of what an earlier reader made of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from map_assets.behavior.read import read_behavior
from map_assets.vocabulary.errors import BadConfiguration, NoFormatRecognizes, PiecesDoNotFit, UnreadableFile
from map_assets.vocabulary.files import FoundFile

SESSION = "FOR01_20210315_103000"
SETTINGS: dict[str, Any] = {
    "lickport_number": 2,
    "accumulate_reward": True,
    "WaterPort_L_ch_in": "Port1In",
    "WaterPort_R_ch_in": "Port2In",
    "ValveOpenTime_L": 0.03,
    "ValveOpenTime_R": 0.04,
    "reward_probabilities_L": [0.4, 0.4, 0.05],
    "reward_probabilities_R": [0.05, 0.05, 0.4],
}
LEFT_HIT = [
    ("ITIBeforeVideoOn", 0.0, 2.0),
    ("Start", 2.0, 2.2),
    ("DelayStart", 2.2, 3.2),
    ("GoCue", 3.2, 3.5),
    ("Choice_L", 3.5, 3.5),
    ("Reward_L", 3.5, 3.53),
    ("ITI", 5.0, 5.01),
    ("End", 5.01, 5.01),
]
UNVISITED = ("Choice_L", "Choice_R", "Reward_L", "Reward_R", "GoCue")


def without(*names: str) -> list[tuple[str, float, float]]:
    return [visit for visit in LEFT_HIT if visit[0] not in names]


class Log:
    """A PyBpod log in the making."""

    def __init__(self, settings: Any = SETTINGS, subject: str = "FOR01", experiment: str = "Foraging_x") -> None:
        self.rows: list[list[Any]] = []
        self.clock = "10:31:00.000000"
        for name, value in {"EXPERIMENT-NAME": experiment, "SUBJECT-NAME": f"['{subject}', '57b5']"}.items():
            self.row("INFO", name, value)
        if settings is not None:
            self.print("Variables:", settings)

    def row(self, kind: str, text: Any, more: Any = "", initial: Any = "", final: Any = "") -> None:
        self.rows.append([kind, f"2021-03-15 {self.clock}", initial, final, text, more])

    def print(self, *texts: Any) -> None:
        for number, text in enumerate(texts):
            if number:
                self.row("stdout", " ")
            self.row("stdout", text)
        self.row("stdout", "\n")

    def trial(
        self,
        visits: Sequence[tuple[str, float, float]] = LEFT_HIT,
        events: Sequence[tuple[float, str]] = ((3.5, "Port1In"),),
        bpod_s: float | None = None,
        event_kind: str = "EVENT",
        transitions: Sequence[str] | None = None,
    ) -> None:
        self.row("TRIAL", "New trial")
        for time, name in events:
            self.row(event_kind, 67, name, time)
        for state in [state for state, *_ in visits[1:]] if transitions is None else transitions:
            self.row("TRANSITION", state)
        if bpod_s is not None:
            self.row("INFO", "TRIAL-BPOD-TIME", 5.01, bpod_s, bpod_s + 5.01)
        for state, entry, leave in visits:
            self.row("STATE", state, round(leave - entry, 6), entry, leave)
        for state in UNVISITED:
            if state not in [name for name, *_ in visits]:
                self.row("STATE", state, "nan", "nan", "nan")

    def text(self) -> str:
        stream = io.StringIO()
        stream.write("__SOFTWARE__;PyBpod\n\n")
        writer = csv.writer(stream, delimiter=";", lineterminator="\n")
        writer.writerow(["TYPE", "PC-TIME", "BPOD-INITIAL-TIME", "BPOD-FINAL-TIME", "MSG", "+INFO"])
        writer.writerows(self.rows)
        return stream.getvalue()


def read(folder: Path, log: Log | str, session: str = SESSION, **how: Any) -> dict[str, list[dict[str, Any]]]:
    path = folder / "20210315-103000.csv"
    path.write_text(log if isinstance(log, str) else log.text())
    file = FoundFile("rig1", folder, PurePosixPath(path.name), "behavior", path.stat().st_size, 0, None)
    return {name: table.to_pylist() for name, table in read_behavior(session, file, **how).items()}


def test_rewards_and_motors_are_those_of_the_trial_itself(tmp_path) -> None:
    """Printed after a trial, they were once given to the one after it, and the motors' first position to all."""
    log = Log()
    for left_over, place in ((False, 100), (True, 250)):
        log.trial()
        log.print("reward_L_accumulated:", left_over)
        log.print("reward_R_accumulated:", True)
        log.print("LickportMotors:", {"LickPort_Lateral_pos": place, "LickPort_RostroCaudal_pos": 7})
    tables = read(tmp_path, log)
    rewards = {(row["trial"], row["port"]): row for row in tables["available_rewards"]}
    assert [rewards[trial, "left"]["is_left_over"] for trial in (1, 2)] == [False, True]
    assert [rewards[trial, "left"]["is_available"] for trial in (1, 2)] == [True, True]  # taken in both
    assert rewards[1, "right"]["is_available"] is True
    assert rewards[1, "right"]["open_duration_s"] == 0.04
    motors = tables["water_port_settings"]
    assert [row["lateral_position"] for row in motors] == [100.0, 250.0]
    assert [row["dorsoventral_position"] for row in motors] == [None, None]


def test_what_nobody_wrote_about_rewards_is_unknown(tmp_path) -> None:
    log = Log({**SETTINGS, "accumulate_reward": False})
    log.trial()
    log.print("reward_R_accumulated:", False)
    left, right = read(tmp_path, log)["available_rewards"]
    assert (left["is_available"], left["is_left_over"]) == (True, None)
    assert (right["is_available"], right["is_left_over"]) == (None, False)


def test_nothing_that_is_printed_is_run(tmp_path) -> None:
    witness = tmp_path / "ran"
    log = Log(f"{{'lickport_number': __import__('pathlib').Path({str(witness)!r}).touch()}}")
    log.trial()
    with pytest.raises(UnreadableFile, match=r"20210315-103000\.csv: what it prints after 'Variables:' cannot be read"):
        read(tmp_path, log)
    assert not witness.exists()


@pytest.mark.parametrize("before", [True, False])
def test_block_and_code_belong_to_the_right_trial_in_newer_and_older_logs(tmp_path, before) -> None:
    log = Log()
    for number, block in enumerate((1, 2, 3), 1):
        if not before:
            log.trial()
        log.print("Blocknumber:", block)
        log.print("TrialBitCode: ", f"{number:05b}")
        if before:
            log.trial()
    tables = read(tmp_path, log)
    assert [row["bitcode"] for row in tables["trials"]] == ["00001", "00010", "00011"]
    # the rig's blocks 1 and 2 have the same probabilities: they are one
    assert [row["block"] for row in tables["trials"]] == [1, 1, 2]
    assert [row["block_trial"] for row in tables["trials"]] == [1, 2, 1]
    assert [(row["block"], row["first_trial"], row["n_trials"]) for row in tables["blocks"]] == [(1, 1, 2), (2, 3, 1)]
    chances = [(row["block"], row["port"], row["reward_probability"]) for row in tables["block_ports"]]
    assert chances == [(1, "left", 0.4), (1, "right", 0.05), (2, "left", 0.05), (2, "right", 0.4)]


def test_trial_one_starts_at_zero_by_the_bpod_clock(tmp_path) -> None:
    log = Log()
    for number, bpod_s in enumerate((14.2, 20.0, 31.5)):
        log.clock = f"10:32:{10 * number:02d}.400000"
        log.trial(bpod_s=bpod_s)
    tables = read(tmp_path, log)
    assert [row["start_s"] for row in tables["trials"]] == pytest.approx([0.0, 5.8, 17.3])
    assert [row["until_s"] for row in tables["trials"]] == pytest.approx([5.8, 17.3, 17.3 + 5.01])
    assert tables["behavior_file"][0]["start_local"] == "2021-03-15T10:32:00.400"


def test_without_a_bpod_clock_the_wall_clock_places_trials(tmp_path) -> None:
    log = Log()
    for clock in ("10:32:00.5", "10:32:09", "10:33:00.25"):
        log.clock = clock
        log.trial()
    assert [row["start_s"] for row in read(tmp_path, log)["trials"]] == pytest.approx([0.0, 8.5, 59.75])


def test_a_state_that_begins_with_the_trial_is_an_event(tmp_path) -> None:
    log = Log()
    log.trial()
    events = [(row["event"], row["start_s"]) for row in read(tmp_path, log)["trial_events"]]
    assert events[0] == ("videostart", 0.0)
    assert [event for event, _ in events] == [
        "videostart",
        "bitcodestart",
        "delay",
        "go",
        "choice",
        "reward",
        "trialend",
    ]


def test_with_automatic_water_the_go_cue_is_the_one_that_sounds(tmp_path) -> None:
    visits = [
        *without("GoCue", "Choice_L", "Reward_L", "ITI", "End"),
        ("GoCue", 3.2, 3.2),
        ("Auto_Water_L", 3.2, 3.23),
        ("Auto_Water_R", 3.23, 3.23),
        ("GoCue_real", 3.23, 3.5),
        ("ITI", 5.0, 5.01),
        ("End", 5.01, 5.01),
    ]
    log = Log()
    log.trial(visits, events=[(3.21, "Port2In")])
    tables = read(tmp_path, log)
    (row,) = tables["trials"]
    assert (row["go_s"], row["is_auto_water"], row["early_lick"]) == (3.23, True, True)
    assert [reward["is_auto_water"] for reward in tables["available_rewards"]] == [True, False]


def test_a_trial_without_a_go_cue_is_kept_and_says_nothing_of_early_licks(tmp_path) -> None:
    """It once took the go cue of the trial before."""
    log = Log()
    log.trial()
    log.trial(without("GoCue", "Choice_L", "Reward_L"), events=[(0.5, "Port1In")])
    first, second = read(tmp_path, log)["trials"]
    assert (first["go_s"], first["early_lick"], first["outcome"]) == (3.2, False, "hit")
    assert (second["go_s"], second["early_lick"], second["outcome"], second["choice"]) == (None, None, "ignore", None)
    assert second["n_go_cues"] == 0


def test_a_trial_that_was_broken_off_is_skipped_and_keeps_its_number(tmp_path) -> None:
    log = Log()
    log.trial()
    log.row("TRIAL", "New trial")
    log.clock = "10:31:09.500000"
    log.trial()
    tables = read(tmp_path, log)
    assert [row["trial"] for row in tables["trials"]] == [1, 3]
    assert tables["skipped_trials"][0]["reason"] == "its states are not listed: it was broken off"


@pytest.mark.parametrize(
    ("visits", "transitions", "reason"),
    [
        (LEFT_HIT, ["GoCue", "Reward_L", "End"], "Choice_L was entered 0 times and is listed with 1 visits"),
        (
            without("Reward_L"),
            ["Start", "DelayStart", "GoCue", "Choice_L", "Reward_L", "ITI", "End"],
            "Reward_L was entered 1 times and is listed with 0 visits",
        ),
    ],
)
def test_a_trial_whose_two_records_disagree_is_skipped(tmp_path, visits, transitions, reason) -> None:
    log = Log()
    log.trial()
    log.trial(visits, transitions=transitions)
    assert [row["reason"] for row in read(tmp_path, log)["skipped_trials"]] == [reason]


def test_damaged_lines_take_their_trial(tmp_path) -> None:
    log = Log()
    for _ in range(3):
        log.trial()
    text = log.text()
    whole = read(tmp_path, text)["trials"]
    lines = text.splitlines(keepends=True)
    rows = [number for number, line in enumerate(lines) if line.startswith("STATE;") and ";GoCue;" in line]
    torn = [*lines]
    torn[rows[1]] = torn[rows[1]][:30] + "\n"
    tables = read(tmp_path, "".join(torn))
    assert tables["skipped_trials"][0]["reason"] == f"line {rows[1] + 1} is no whole row of a log"
    assert [row["trial"] for row in tables["trials"]] == [1, 3]
    wrong = [*lines]
    wrong[rows[1]] = wrong[rows[1]].replace(";3.5;", ";3.9;")
    assert "GoCue is listed from 3.2 to 3.9 s" in read(tmp_path, "".join(wrong))["skipped_trials"][0]["reason"]
    for cut in range(len(text) // 2, len(text), 97):
        kept = read(tmp_path, text[:cut])["trials"]
        same = [{**row, "until_s": 0.0} for row in kept] == [{**row, "until_s": 0.0} for row in whole[: len(kept)]]
        assert same, cut


def test_licks_of_older_machines_come_as_a_summary(tmp_path) -> None:
    log = Log()
    log.trial(events=[(3.5, "Port1In"), (3.9, "Port2In")], event_kind="EVENT-SUMMARY")
    licks = read(tmp_path, log)["licks"]
    assert [(row["port"], row["time_s"]) for row in licks] == [("left", 3.5), ("right", 3.9)]


def test_settings_hold_from_where_they_were_updated(tmp_path) -> None:
    log = Log()
    log.trial()
    log.print("Variables updated:", {**SETTINGS, "ValveOpenTime_L": 0.05})
    log.trial()
    rows = [row["open_duration_s"] for row in read(tmp_path, log)["available_rewards"] if row["port"] == "left"]
    assert rows == [0.03, 0.05]


def test_a_port_without_a_channel_is_named_and_may_come_from_the_labs_protocol_file(tmp_path) -> None:
    log = Log({name: value for name, value in SETTINGS.items() if name != "WaterPort_R_ch_in"})
    log.trial(events=[(3.9, "Port7In")])
    with pytest.raises(PiecesDoNotFit, match="its settings have no WaterPort_R_ch_in"):
        read(tmp_path, log)
    packaged = Path(__file__).parents[2] / "map_assets" / "behavior" / "protocols" / "foraging.toml"
    own = (
        packaged.read_text()
        .replace("[lick_ports]\n", '[lick_ports]\nright = "Port7In"\n')
        .replace("version = 1", "version = 9")
    )
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "foraging.toml").write_text(own)
    tables = read(tmp_path, log, protocols=tmp_path / "protocols")
    assert [row["port"] for row in tables["licks"]] == ["right"]
    assert tables["behavior_file"][0]["protocol_file"] == "foraging.toml version 9"


def test_a_log_of_another_animal_day_experiment_or_without_trials_is_refused(tmp_path) -> None:
    log = Log(subject="FOR012")
    log.trial()
    with pytest.raises(PiecesDoNotFit, match=r"it is a log of FOR012; expected one of FOR01,"):
        read(tmp_path, log)
    log = Log()
    log.trial()
    with pytest.raises(PiecesDoNotFit, match="its first trial's PC-TIME 2021-03-15"):
        read(tmp_path, log, session="FOR01_20210317_103000")
    with pytest.raises(PiecesDoNotFit, match="it holds no trial"):
        read(tmp_path, Log())
    other = Log(experiment="Odours")
    other.trial()
    with pytest.raises(NoFormatRecognizes, match="a PyBpod log of the experiment 'Odours'"):
        read(tmp_path, other)
    with pytest.raises(UnreadableFile, match="it has no header line"):
        read(tmp_path, "trial,time\n1,2\n")


@pytest.mark.parametrize("experiment", ["Bari_and_Cohen", "FORAGING_homecage", "cohen bari"])
def test_the_experiments_name_tells_the_task(tmp_path, experiment) -> None:
    log = Log(experiment=experiment)
    log.trial()
    assert read(tmp_path, log)["behavior_file"][0]["task"] == "foraging"


def test_a_number_of_ports_that_nobody_described_is_refused(tmp_path) -> None:
    log = Log({**SETTINGS, "lickport_number": 5})
    log.trial()
    with pytest.raises(PiecesDoNotFit, match="its lickport_number is 5"):
        read(tmp_path, log)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("version = ", "cannot be read as TOML"),
        ("version = 2", "lacks 'experiment'"),
        ("version = 2\nexperiment = '('", "holds a value of the wrong kind"),
    ],
)
def test_a_labs_protocol_file_that_cannot_be_used_is_a_fault_of_the_configuration(tmp_path, content, said) -> None:
    log = Log()
    log.trial()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "foraging.toml").write_text(content)
    with pytest.raises(BadConfiguration, match=said):
        read(tmp_path, log, protocols=tmp_path / "own")
    with pytest.raises(BadConfiguration, match="there is no such folder"):
        read(tmp_path, log, protocols=tmp_path / "nowhere")
