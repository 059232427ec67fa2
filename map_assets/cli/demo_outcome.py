"""Whether every session of the made-up laboratory ended as its plan says: a claim about ledger and store, not about logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from map_assets.defs.services import Services
    from map_assets.simulate.plans import LabPlan, SessionPlan

KNOWN = "known"


@dataclass(frozen=True)
class Expected:
    """How a session should end.

    Parameters
    ----------
    session : str
    stages : tuple of str
        Stages that must be done, in order; none where its behaviour file can only be put aside.
    behavior_name : str
        Name of its behaviour file.
    """

    session: str
    stages: tuple[str, ...]
    behavior_name: str

    @property
    def sentence(self) -> str:
        """The same in words."""
        if not self.stages:
            return "in quarantine, with the reason"
        return f"{len(self.stages)} stages done, NWB file and archive receipt"


@dataclass(frozen=True)
class Ended:
    """How a session ended: in words, how many stages are done, and what is not as expected."""

    sentence: str
    n_done: int
    wrong: tuple[str, ...]


def expected_of(plan: LabPlan) -> list[Expected]:
    """Tell how each session of a plan should end: the graph's own decision about the files that the plan lets land."""
    from map_assets.simulate.defects import BEHAVIOR_IS_UNUSABLE

    return [
        Expected(
            session.key,
            () if session.defects & BEHAVIOR_IS_UNUSABLE else _stages_of(session),
            session.behavior_name,
        )
        for session in plan.sessions
    ]


def _stages_of(session: SessionPlan) -> tuple[str, ...]:
    from map_assets.defs.due import SessionState, decide
    from map_assets.defs.stages import SESSION_STAGES

    files = {role: [("", "", 0, 0, 0)] for role in roles_of(session)}
    needs: dict[str, str | None] = {need: KNOWN for stage in SESSION_STAGES for need in stage.needs}
    return decide(SESSION_STAGES, SessionState(session.key, files=files, registry=needs)).stages


def roles_of(session: SessionPlan) -> set[str]:
    """List the roles of the files that a plan lets land."""
    from map_assets.simulate.plans import Part

    has_histology = any(probe.histology != "none" for probe in session.probes)
    landed = {
        Part.BEHAVIOR: ({"behavior"}, True),
        Part.RECORDING: ({"spikeglx_meta", "spikeglx_bin", "bitcode"}, bool(session.probes)),
        Part.SORTING: ({"sorting"}, bool(session.probes)),
        Part.HISTOLOGY: ({"histology"}, has_histology),
        Part.TRACKING: ({"tracking", "tracking_map"}, session.n_tracked_trials > 0),
    }
    return {role for part, (roles, is_there) in landed.items() if part in session.parts and is_there for role in roles}


def ended_of(expected: Expected, found: Services) -> Ended:
    """Tell how a session stands by the ledger; cheap enough to ask again and again."""
    records = found.ledger.stage_records(expected.session)
    put_aside = [file for file in found.ledger.files(session=expected.session) if file.state == "quarantined"]
    if not expected.stages:
        return _ended_aside(expected, found, set(records), put_aside)
    from map_assets.cli.conservation import why_failed

    done = [name for name in expected.stages if name in records and records[name].outcome == "done"]
    wrong = [f"{name} is not done" for name in expected.stages if name not in records]
    failures = {name: why_failed(record.outcome, record.detail) for name, record in records.items()}
    wrong += [f"{name}: {why}" for name, why in failures.items() if why]
    wrong += [f"{file.relpath} is in quarantine: {file.reason}" for file in put_aside]
    return Ended(f"{len(done)} of {len(expected.stages)} stages done", len(done), tuple(wrong))


def _ended_aside(expected: Expected, found: Services, stages: set[str], put_aside: Sequence[Any]) -> Ended:
    """Judge a session whose behaviour file should have been put aside; its name may carry no key at all."""
    named = [file for file in found.ledger.files(state="quarantined") if file.relpath.endswith(expected.behavior_name)]
    wrong = [] if named else [f"{expected.behavior_name} is not in quarantine"]
    wrong += [f"{file.relpath} is in quarantine without a reason" for file in named if not file.reason]
    wrong += [f"{file.relpath} is in quarantine, too: {file.reason}" for file in put_aside if file not in named]
    if found.store.has("trials", expected.session):
        wrong.append("it has trials all the same")
    said = f"in quarantine: {named[0].reason}" if named else f"{len(stages)} stages were tried"
    return Ended(said, 0, tuple(wrong))


def is_settled(found: Services, sessions: Sequence[Expected]) -> bool:
    """Whether nothing is left to do: all shares scanned, no file waits, nothing is due for laboratory or sessions."""
    from map_assets.defs.due import decide
    from map_assets.defs.stage import LAB
    from map_assets.defs.stages import LAB_STAGES, SESSION_STAGES
    from map_assets.defs.state import state_of

    shares = {status.share: status for status in found.ledger.status()}
    if any(
        name not in shares or shares[name].scan_status != "ok" or shares[name].waiting for name in found.config.shares
    ):
        return False
    asked = [(LAB_STAGES, LAB), *((SESSION_STAGES, expected.session) for expected in sessions)]
    return not any(decide(stages, state_of(stages, found, key)).stages for stages, key in asked)


def judged(expected: Expected, found: Services) -> Ended:
    """Judge how a session ended from what stands: stages, tables, and every blocking check over again."""
    ended = ended_of(expected, found)
    if not expected.stages:
        return ended
    wrong = [*ended.wrong, *_checks_that_fail(expected, found)]
    wrong += [
        f"it has no {name}" for name in ("nwb_file", "archive_receipt") if not found.store.has(name, expected.session)
    ]
    if wrong:
        return Ended(ended.sentence, ended.n_done, tuple(wrong))
    nwb = found.store.read("nwb_file", expected.session, ["n_units", "n_trials"]).to_pylist()[0]
    n_files = found.store.read("archive_receipt", expected.session, ["path"]).num_rows
    said = f"{ended.sentence}; NWB file of {nwb['n_trials']} trials and {nwb['n_units']} units; receipts for {n_files} files"
    return Ended(said, ended.n_done, ())


def _checks_that_fail(expected: Expected, found: Services) -> list[str]:
    """Run the blocking checks of a session's stages over what stands in the store."""
    from map_assets.defs.stages import BY_NAME

    failed = []
    for name in expected.stages:
        for check in BY_NAME[name].checks:
            if check.is_blocking and found.store.has(check.asset, expected.session):
                verdict = check.claim(*(found.store.read_if_there(table, expected.session) for table in check.reads))
                if not verdict.passed:
                    failed.append(f"{check.name}: {verdict.description}")
    return failed
