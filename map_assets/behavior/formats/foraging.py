"""The foraging task's PyBpod log (two or three ports, free choice): which log it is, and its tables. Trials are read in `foraging_trials`."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from map_assets.behavior.about import about_file, check_enough_trials
from map_assets.behavior.blocks import block_tables, numbered_in_blocks
from map_assets.behavior.foraging_protocol import read_foraging_protocol
from map_assets.behavior.foraging_trials import ForagingTrials
from map_assets.behavior.kept_trials import read_trials, tables_of
from map_assets.behavior.pybpod import PybpodLog
from map_assets.behavior.pybpod_trials import LAST_STATE
from map_assets.behavior.start import Start, check_start
from map_assets.vocabulary.errors import PiecesDoNotFit
from map_assets.vocabulary.files import FoundFile
from map_assets.vocabulary.matlab import MatlabFile
from map_assets.vocabulary.session import SessionKey

_EXPERIMENT, _SUBJECT, _SETUP, _TASK = "EXPERIMENT-NAME", "SUBJECT-NAME", "SETUP-NAME", "PROTOCOL-NAME"
_SOFTWARE = ("BPOD-API-VERSION", "BPOD-GUI-VERSION")


class Foraging:
    """Reads the foraging task."""

    name = "foraging"

    def recognizes(self, content: MatlabFile | PybpodLog, protocols: Path | None) -> bool:
        """Whether it is a PyBpod log of an experiment that is called so."""
        if not isinstance(content, PybpodLog):
            return False
        pattern = read_foraging_protocol(protocols).experiment
        return re.search(pattern, content.name(_EXPERIMENT) or "", re.IGNORECASE) is not None

    def read(
        self, session: str, file: FoundFile, content: MatlabFile | PybpodLog, protocols: Path | None
    ) -> dict[str, pa.Table]:
        """Read the file's tables; see `behavior.read.read_behavior`."""
        if not isinstance(content, PybpodLog):
            raise TypeError("a foraging file is a PyBpod log")
        protocol = read_foraging_protocol(protocols)
        _check(session, file, content)
        trials = ForagingTrials(content, protocol)
        check_enough_trials(file, len(trials), protocol.fewest_trials, protocol.source)
        check_start(file.path, session, "first trial's PC-TIME", trials.started)
        kept, skipped = read_trials(trials.start_s, trials.read)
        kept = numbered_in_blocks(kept)
        setup = (content.name(_SETUP) or "").strip().lower()
        seeds = content.printed.get("Random seed:", [])
        about = about_file(
            file,
            content,
            Start(trials.started, "PC-TIME of the first trial", None),
            task=trials.task.task,
            task_protocol=trials.task.task_protocol,
            format=self.name,
            protocol_file=protocol.source,
            n_trials=len(trials),
            rig_software=next((version for info in _SOFTWARE if (version := content.infos.get(info))), None),
            random_seed=seeds[0].text if seeds else None,
        )
        about["rig"] = file.rig or protocol.rigs.get(setup)
        tables = tables_of(session, about, kept, skipped)
        return tables | block_tables(session, kept, trials.n_trials_of_block, {}, trials.ports_of_block)


FORMAT = Foraging()


def _check(session: str, file: FoundFile, log: PybpodLog) -> None:
    """Hold the log against its session: there are trials, one ended, and the animal is the name's."""
    ended = any(kind == "TRANSITION" and text == LAST_STATE for kind, text in zip(log.kinds, log.texts, strict=True))
    if not ended:
        raise PiecesDoNotFit(
            file.path,
            "no trial in it came to its end" if "TRIAL" in log.kinds else "it holds no trial",
            expected="at least one",
            todo="Set the file aside.",
        )
    subject, animal = log.name(_SUBJECT), SessionKey.parse(session).animal
    if subject is not None and subject.casefold() != animal.casefold():
        raise PiecesDoNotFit(
            file.path,
            f"it is a log of {subject}",
            expected=f"one of {animal}, as its name or folder says",
            todo="Move it into that animal's folder.",
        )
