"""What may be removed from a share, and when: the lab's rules. Judging files by them lives in `removal_plan` and `removal_gate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import ClassVar

from map_assets.archive.states import State
from map_assets.vocabulary.errors import BadConfiguration, MapAssetsError

DAY_S = 86_400.0
QUARANTINE = ".archive-quarantine"
"""Folder in a share's root where a file waits between its removal and its end; no scan looks into it."""
MARKER = ".map_assets_share"
"""Name of the file in a share's root that tells this share from another one mounted in its place."""
TOMBSTONE = ".archived.json"
"""End of the name of the small file that stands where a file was removed and says where its bytes are."""


class RemovalRefused(MapAssetsError):
    """A removal was asked for that the rules do not allow; nothing was done."""


class RemovalStopped(MapAssetsError):
    """No file may be removed just now (kill switch, share not there, not permitted); every file stays where it is."""


class Doubtful(MapAssetsError):
    """Something about one file is not as it must be: it is not removed, and put back if it was in quarantine.

    Parameters
    ----------
    state : State
        HELD where the source or the leave to remove it is in doubt, SUSPECT where the archived copy is.
    said : str
        One sentence.
    """

    def __init__(self, state: State, said: str) -> None:
        self.state = state
        super().__init__(said)


class NoLeave(Doubtful):
    """Somebody's word keeps a file on its share; nothing is wrong with it, and other files of a run go on."""


class LeaveRanOut(NoLeave):
    """The approval of a file has expired, or was taken back: it may be approved anew."""


@dataclass(frozen=True)
class RemovalPolicy:
    """The lab's rules of removal; the defaults are the careful ones.

    Parameters
    ----------
    roles : tuple of str
        Roles whose files may be removed at all.
    keep : tuple of str
        Shell patterns, in any case, of names of files that stay whatever their role: by default the NI-DAQ's streams,
        for the trials are read from them whenever their code is read anew.
    min_copies : int
        Copies, each read back whole, that must stand besides the source; at least one.
    hold_s : float
        How long a file stays on its share after its receipt, s.
    max_verification_age_s : float
        How long ago the copy may have been read back last for a plan to name the file, s; it is read again at the gate.
    methods : tuple of str
        Beginnings of the methods of reading back that count as proof.
    grace_s : float
        How long a file waits in quarantine before it goes, s.
    max_files, max_bytes : int
        Most that one run removes.
    kill_switch : pathlib.Path or None
        While this file is there, nothing is removed.
    allow_self_approval : bool
        Whether whoever approved may run the removal too, by their own name or by the same user of the operating system.
    approval_lifetime_s : float
        How long an approval may wait to be acted on, s.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # where the configuration file is read into it

    roles: tuple[str, ...] = ("spikeglx_bin", "video")
    keep: tuple[str, ...] = ("*.nidq.bin",)
    min_copies: int = 1
    hold_s: float = 14 * DAY_S
    max_verification_age_s: float = 90 * DAY_S
    methods: tuple[str, ...] = ("read back whole",)
    grace_s: float = 7 * DAY_S
    max_files: int = 1000
    max_bytes: int = 2 * 10**12
    kill_switch: Path | None = None
    allow_self_approval: bool = False
    approval_lifetime_s: float = 7 * DAY_S

    def __post_init__(self) -> None:
        """Refuse rules under which a file could go without a copy."""
        if self.min_copies < 1:
            raise BadConfiguration(
                f"[archive.removal] min_copies = {self.min_copies}: a source is never removed without a copy; set 1 or more."
            )
        for name in ("hold_s", "max_verification_age_s", "grace_s", "approval_lifetime_s", "max_files", "max_bytes"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise BadConfiguration(f"[archive.removal] {name} = {value}; expected 0 or more.")
        if not self.methods or not all(method.strip() for method in self.methods):
            raise BadConfiguration("[archive.removal] methods is empty; name at least one way of reading back.")

    @property
    def hold(self) -> timedelta:
        """How long a file stays after its receipt."""
        return timedelta(seconds=self.hold_s)

    @property
    def grace(self) -> timedelta:
        """How long it waits in quarantine."""
        return timedelta(seconds=self.grace_s)

    def why_it_stays(self, role: str, path: str) -> str:
        """Say why no file of that role and name is ever removed; empty where it may be."""
        if role not in self.roles:
            return f"files of role {role} stay"
        name = PurePosixPath(path).name.lower()
        pattern = next((one for one in self.keep if fnmatchcase(name, one.lower())), None)
        return "" if pattern is None else f"files named {pattern} stay ([archive.removal] keep)"

    def accepts(self, method: str) -> bool:
        """Whether a way of reading back counts as proof."""
        return method.startswith(self.methods)

    def check_kill_switch(self) -> None:
        """Raise RemovalStopped while the kill switch is there, or cannot be looked for."""
        if self.kill_switch is None:
            return
        try:
            self.kill_switch.lstat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise RemovalStopped(
                f"The kill switch {self.kill_switch} cannot be looked for ({error.strerror}); nothing is removed."
            ) from error
        raise RemovalStopped(f"The kill switch {self.kill_switch} is there: nothing is removed while it is.")


@dataclass
class Budget:
    """What one run may still do, of each of its two acts: into quarantine, and the end."""

    policy: RemovalPolicy
    spent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def spend(self, act: str, size: int) -> None:
        """Count one act; raises RemovalStopped where it would be too much."""
        files, n_bytes = self.spent.get(act, (0, 0))
        if files + 1 > self.policy.max_files or n_bytes + size > self.policy.max_bytes:
            raise RemovalStopped(
                f"This run has reached its budget ({self.policy.max_files} files, {self.policy.max_bytes} bytes); "
                "the next one goes on."
            )
        self.spent[act] = (files + 1, n_bytes + size)


@dataclass(frozen=True)
class ShareRoot:
    """A share on this machine, and how it is known for itself.

    Parameters
    ----------
    name : str
    path : pathlib.Path
    marker : str or None
        Text that the marker file in the root must hold; a share without one is never removed from.
    """

    name: str
    path: Path
    marker: str | None

    def check(self) -> None:
        """Make sure that this very share stands at the path.

        Raises
        ------
        RemovalStopped
            If it does not, if that cannot be seen, or if no marker is known.
        """
        if self.marker is None:
            raise RemovalStopped(
                f"Share {self.name} has no marker: write a text of your own into {self.path / MARKER} and set [shares.{self.name}] "
                "marker to it. Without one, another disk mounted there would not be noticed; nothing is removed."
            )
        try:
            found = (self.path / MARKER).read_text("utf-8", "replace").strip()
        except OSError as error:
            raise RemovalStopped(
                f"{self.path / MARKER} cannot be read ({error.strerror}); is share {self.name} mounted? Nothing is removed."
            ) from error
        if found != self.marker:
            raise RemovalStopped(
                f"{self.path / MARKER} holds {found!r}, and share {self.name} is known by {self.marker!r}: another "
                "share is mounted there. Nothing is removed."
            )
