"""What a file is for, told by its share's kind and its name: a role or a named ignore rule. Refusals live in `naming`, sessions in `grouping`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from map_assets.shares.share import MARKER

_ALL = frozenset({"behavior", "tracking", "ephys", "histology", "raw"})


@dataclass(frozen=True)
class NameRule:
    """Names that mean one thing.

    Parameters
    ----------
    names : tuple of str
        Shell patterns for the file's own name, in lower case.
    role : str or None
        The role that such a file has; None ignores it.
    rule : str
        Name of the rule, where it ignores.
    why : str
        One sentence for people.
    kinds : frozenset of str
        Kinds of share that it holds for.
    folders : tuple of str
        Shell patterns in lower case: a file below such a folder meets the rule too, whatever its own name.
    """

    names: tuple[str, ...]
    role: str | None = None
    rule: str = ""
    why: str = ""
    kinds: frozenset[str] = _ALL
    folders: tuple[str, ...] = ()


_EPHYS, _TRACKING = frozenset({"ephys"}), frozenset({"tracking"})
_HISTOLOGY, _BEHAVIOR = frozenset({"histology"}), frozenset({"behavior"})
_DAY, _TIME = 8 * "[0-9]", 6 * "[0-9]"

RULES: tuple[NameRule, ...] = (
    NameRule((MARKER,), rule="share-marker", why="It tells this share from another one mounted in its place."),
    NameRule(
        (),
        rule="archive-quarantine",
        why="It was archived and waits there until it is removed.",
        folders=(".archive-quarantine",),
    ),
    NameRule(("*.archived.json",), rule="archived-away", why="It says where a removed file's bytes are."),
    NameRule(
        ("thumbs.db", ".ds_store", "desktop.ini", "._*"),
        rule="os-litter",
        why="An operating system's file manager left it there.",
        folders=("$recycle.bin", "system volume information"),
    ),
    NameRule(
        ("*.part", "*.partial", "*.tmp", "*.filepart", "*.crdownload", "~$*", ".*"),
        rule="temporary-file",
        why="A program is writing or copying it under a passing name.",
        folders=(".*",),
    ),
    NameRule(
        (),
        rule="bpod-settings",
        why="Bpod keeps a protocol's settings there; each behaviour file holds those it ran with.",
        kinds=_BEHAVIOR,
        folders=("session settings",),
    ),
    NameRule(("*.mat",), "behavior", kinds=_BEHAVIOR),
    NameRule((f"*_{_DAY}_{_TIME}.csv", f"{_DAY}-{_TIME}.csv", f"{_DAY}-{_TIME}[_-]*.csv"), "behavior", kinds=_BEHAVIOR),
    NameRule(
        ("*",),
        rule="not-a-behavior-file",
        why="Behaviour files are .mat files and PyBpod's logs, whose names begin or end with date and time.",
        kinds=_BEHAVIOR,
    ),
    NameRule(("*.ap.meta", "*.lf.meta", "*.nidq.meta"), "spikeglx_meta", kinds=_EPHYS),
    NameRule(("*.ap.bin", "*.lf.bin", "*.nidq.bin"), "spikeglx_bin", kinds=_EPHYS),
    NameRule(("*bitcode.mat", "*.xa_*.txt", "*.xd_*.txt", "*.sy_*.txt"), "bitcode", kinds=_EPHYS),
    NameRule(("*_goodunitsidx*.mat",), "unit_classes", kinds=_EPHYS),
    NameRule(
        (
            *(
                "*.npy",
                "*.tsv",
                "*.csv",
                "params*.py",
                "phy.log",
                "kilosort*.log",
                "rez.mat",
                "rez2.mat",
                "chanmap.mat",
            ),
            *("*_jrc.mat", "*.ap_res.mat", "*.jrc", "*.prm"),
            # what SpikeInterface saves beside its arrays
            *("numpysorting_info.json", "si_folder.json", "provenance.json", "annotations.json"),
            *("npz.json", "sorting_cached.npz"),
        ),
        "sorting",
        kinds=_EPHYS,
    ),
    NameRule(
        ("*channel_locations*.json", "*xyz_picks*.json", "*siteinfo.mat", "landmarks*.csv", "track_*.csv"),
        "histology",
        kinds=_HISTOLOGY,
    ),
    # what a tracker makes beside its results: training labels, skeletons, videos with its marks drawn in
    NameRule(
        ("collecteddata_*", "*_skeleton.csv", "*_skeleton.h5", "*_labeled.mp4", "*_labeled.avi", "*dlc*_full.mp4"),
        "raw",
        kinds=_TRACKING,
    ),
    NameRule(("*.csv", "*.h5"), "tracking", kinds=_TRACKING),
    NameRule(("*.txt",), "tracking_map", kinds=_TRACKING),
    NameRule(("*.avi", "*.mp4", "*.mov"), "video", kinds=_TRACKING),
    NameRule(("*.log",), rule="log-file", why="A program's diary; no stage reads it."),
    NameRule(("*",), "raw"),
)
"""In order; the first that a name meets holds."""

SAME_BYTES = "same-bytes-as-another"
"""Rule by which the second of two equal behaviour files of one session is ignored."""
TWO_FILES = "two-files-one-session"
"""Rule by which different behaviour files of one session are put into quarantine."""


_REVISION = 2
"""Raised when `grouping` reads names differently, so that every share is looked at anew."""


def _one_of(rules: tuple[NameRule, ...], which: str) -> re.Pattern[str]:
    """Compile the patterns of many rules into one; the group that matched is the number of the first rule that is met."""
    groups = []
    for number, rule in enumerate(rules):
        patterns = getattr(rule, which)
        if patterns:
            groups.append(f"(?P<r{number}>{'|'.join(translate(pattern) for pattern in patterns)})")
    return re.compile("|".join(groups) or r"(?!)", re.DOTALL)


_RULES_OF = {kind: tuple(rule for rule in RULES if kind in rule.kinds) for kind in _ALL}
_NAMES = {kind: _one_of(rules, "names") for kind, rules in _RULES_OF.items()}
_FOLDERS = {kind: _one_of(rules, "folders") for kind, rules in _RULES_OF.items()}


def rule_of(kind: str, relpath: str) -> NameRule:
    """Find the first rule that a path under a share of that kind meets."""
    folder, _, name = relpath.lower().rpartition("/")
    met = _NAMES[kind].match(name)
    last = len(_RULES_OF[kind]) - 1  # the last rule meets every name
    number = last if met is None or met.lastgroup is None else int(met.lastgroup[1:])
    return _RULES_OF[kind][min(number, _folder_rule(kind, folder, last))]


@lru_cache(maxsize=65536)
def _folder_rule(kind: str, folder: str, last: int) -> int:
    met = (_FOLDERS[kind].match(part) for part in folder.split("/"))
    return min((int(found.lastgroup[1:]) for found in met if found is not None and found.lastgroup), default=last)


def rules_mark(kind: str) -> str:
    """Fingerprint what names on a share of that kind mean."""
    return hashlib.sha256(f"{_REVISION} {kind} {_RULES_OF[kind]}".encode()).hexdigest()[:16]
