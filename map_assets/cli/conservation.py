"""Where every file of the shares is: counted, and named where it is not where it should be. Counting lives in `shares`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from map_assets.cli import terminal

if TYPE_CHECKING:
    from map_assets.config import Config
    from map_assets.shares.ledger import Ledger
    from map_assets.shares.share import ShareStatus

COUNTS = ("found", "ingested", "waiting", "quarantined", "ignored", "absent")
TOTAL = "total"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class State:
    """Where all files and stages of a laboratory, or of some of its sessions, are.

    Parameters
    ----------
    shares : list of dict
        Counts of each share.
    waits : list of dict
        Which stage of which session waits for what.
    waiting_files : list of dict
        Why files wait, and how many.
    quarantine : list of dict
        Files put aside, and why.
    failed : list of dict
        Stages that failed, and why.
    """

    shares: Rows
    waits: Rows
    waiting_files: Rows
    quarantine: Rows
    failed: Rows

    @property
    def total(self) -> dict[str, Any]:
        """The shares' counts, summed."""
        return {"share": TOTAL, **{name: sum(row[name] for row in self.shares) for name in COUNTS}}

    @property
    def is_conserved(self) -> bool:
        """Whether every file that was found is in exactly one place."""
        return all(row["found"] == sum(row[name] for name in COUNTS[1:5]) for row in [*self.shares, self.total])

    def as_json(self) -> Rows:
        """Give one object a share and one for the total, which also tells what waits, failed and is in quarantine."""
        details = {
            "waits": self.waits,
            "waiting_files": self.waiting_files,
            "quarantine": self.quarantine,
            "failed_stages": self.failed,
        }
        return [*({**row, "is_total": False} for row in self.shares), {**self.total, "is_total": True, **details}]


def state_of(config: Config, ledger: Ledger | None, sessions: Collection[str] = ()) -> State:
    """Look where all files and stages are; with `sessions`, only what is theirs (counts always speak of whole shares).

    Without a ledger nothing was scanned yet.
    """
    if ledger is None:
        return State(_share_rows(config, []), [], [], [], [])
    only = set(sessions)
    waits = [
        {"session": session, "stage": stage, "waits_for": reason}
        for session, stage, reason in ledger.waits()
        if not only or session in only
    ]
    quarantine = [
        quarantined_row(file) for file in ledger.files(state="quarantined") if not only or file.session in only
    ]
    if only:
        reasons: dict[str, int] = {}
        for file in ledger.files(state="waiting"):
            if file.session in only and file.reason is not None:
                reasons[file.reason] = reasons.get(file.reason, 0) + 1
        counted = list(reasons.items())
    else:
        counted = ledger.waiting_reasons()
    return State(
        _share_rows(config, ledger.status()),
        waits,
        [{"n_files": n_files, "reason": reason} for reason, n_files in counted],
        quarantine,
        [row for row in failed_stages(ledger) if not only or row["session"] in only],
    )


def _share_rows(config: Config, statuses: Iterable[ShareStatus]) -> Rows:
    found = {status.share: status for status in statuses}
    rows: Rows = []
    for name in [*config.shares, *(name for name in found if name not in config.shares)]:
        status = found.get(name)
        if status is None:
            facts: dict[str, Any] = {"last_scan": None, "scan": "never scanned", "message": ""}
            rows.append({"share": name, **dict.fromkeys(COUNTS, 0), **facts})
            continue
        message = status.message if name in config.shares else "It is not in the configuration any more."
        facts = {"last_scan": status.last_scan, "scan": status.scan_status, "message": message}
        rows.append({"share": name, **{count: getattr(status, count) for count in COUNTS}, **facts})
    return rows


def quarantined_row(file: Any) -> dict[str, Any]:
    """Tell which file is in quarantine and why."""
    return {
        "share": file.share,
        "file": file.relpath,
        "session": file.session,
        "by": file.by or file.rule,
        "reason": file.reason,
    }


def failed_stages(ledger: Ledger) -> Rows:
    """List the stages that failed, or whose result a blocking check refused, with a sentence why."""
    # nearly all are done and unblocked: those need not travel
    found = ledger.unfinished('"blocked": ""')
    told = [(session, record.stage, why_failed(record.outcome, record.detail)) for session, record in found]
    return [{"session": session, "stage": stage, "why": why} for session, stage, why in told if why]


def why_failed(outcome: str, detail: str) -> str:
    """Say why a stage's record is no success; empty if it is one."""
    told = json.loads(detail)
    if outcome == "failed":
        return str(told.get("why", ""))
    blocked = told.get("blocked", "")
    return f"checks failed: {blocked}" if blocked else ""


def show_state(state: State, *, as_json: bool) -> None:
    """Print the conservation table, then what waits, what failed and what is in quarantine.

    A stage that failed for a file that is in quarantine for the same reason is told once.
    """
    if as_json:
        terminal.print_json(state.as_json())
        return
    if not state.shares:
        terminal.tell("No share is named in the configuration: add a block [shares.NAME] to map_assets.toml.")
        return
    counted = [{name: row[name] for name in ("share", *COUNTS)} for row in [*state.shares, state.total]]
    terminal.show(counted, as_json=False, title="Files: found = ingested + waiting + quarantined + ignored")
    for row in state.shares:
        if row["message"] or row["scan"] not in {"ok", ""}:
            terminal.tell(f"Share {row['share']}: {row['scan']}. {row['message']}".rstrip())
    told = {row["reason"] for row in state.quarantine}
    failed = [row for row in state.failed if row["why"] not in told]
    for title, rows in (
        ("Files that wait", state.waiting_files),
        ("Stages that wait", state.waits),
        ("Stages that failed", failed),
        ("Files in quarantine", state.quarantine),
    ):
        if rows:
            terminal.show(rows, as_json=False, title=title)
    if not state.is_conserved:
        terminal.tell("The counts do not add up: files were lost sight of; this is a defect of the ledger.")
