"""What a file is for, told by its share's kind and its name: a role or a named ignore rule. Refusals live in `naming`, sessions in `grouping`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate

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

RULES: tuple[NameRule, ...] = (
    NameRule((MARKER,), rule="share-marker", why="It tells this share from another one mounted in its place."),
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
    NameRule(("*",), rule="not-a-behavior-file", why="Behaviour files are .mat files.", kinds=_BEHAVIOR),
    NameRule(("*.ap.meta", "*.lf.meta", "*.nidq.meta"), "spikeglx_meta", kinds=_EPHYS),
    NameRule(("*.ap.bin", "*.lf.bin", "*.nidq.bin"), "spikeglx_bin", kinds=_EPHYS),
    NameRule(("*bitcode.mat", "*.xa_*.txt"), "bitcode", kinds=_EPHYS),
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
        ),
        "sorting",
        kinds=_EPHYS,
    ),
    NameRule(
        ("*channel_locations*.json", "*xyz_picks*.json", "*siteinfo.mat", "landmarks*.csv"),
        "histology",
        kinds=_HISTOLOGY,
    ),
    NameRule(("*.csv",), "tracking", kinds=_TRACKING),
    NameRule(("*.txt",), "tracking_map", kinds=_TRACKING),
    NameRule(("*.avi", "*.mp4"), "video", kinds=_TRACKING),
    NameRule(("*.log",), rule="log-file", why="A program's diary; no stage reads it."),
    NameRule(("*",), "raw"),
)
"""In order; the first that a name meets holds."""

SAME_BYTES = "same-bytes-as-another"
"""Rule by which the second of two equal behaviour files of one session is ignored."""
TWO_FILES = "two-files-one-session"
"""Rule by which different behaviour files of one session are put into quarantine."""


def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)", re.DOTALL)


_COMPILED = {
    kind: tuple((rule, _compiled(rule.names), _compiled(rule.folders)) for rule in RULES if kind in rule.kinds)
    for kind in _ALL
}


def rule_of(kind: str, relpath: str) -> NameRule:
    """Find the first rule that a path under a share of that kind meets."""
    *folders, name = relpath.lower().split("/")
    for rule, names, below in _COMPILED[kind]:
        if names.match(name) or any(below.match(folder) for folder in folders):
            return rule
    raise AssertionError(f"the last rule meets every name, not {relpath!r}")
