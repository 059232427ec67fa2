"""The made-up pose results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from map_assets.simulate.blueprint import SessionPlan
from map_assets.simulate.deeplabcut import FIRST_VIDEO, FRAME_RATE_HZ
from map_assets.simulate.laboratory import WrittenLaboratory
from map_assets.simulate.truth import read_truth


@pytest.fixture(scope="module")
def folder(laboratory: WrittenLaboratory, session: SessionPlan) -> Path:
    return laboratory.root / "tracking" / session.animal / f"{session.animal}_{session.named_at:%m%d%y}"


def test_the_map_names_the_video_of_each_trial(folder: Path, session: SessionPlan) -> None:
    for camera in ("side", "bottom"):
        (path,) = folder.glob(f"*_{camera}.txt")
        assert path.read_text() == f"{FIRST_VIDEO}\t1\n"
        assert len([*folder.glob(f"{session.animal}*_{camera}_{FIRST_VIDEO}-*.csv")]) == 1


def test_a_csv_has_the_three_heads_of_a_real_one(folder: Path, shared_data: Path) -> None:
    (real,) = (shared_data / "dlc").glob("reaching*.csv")
    (ours,) = folder.glob("*_side_*.csv")
    for path in (real, ours):
        with path.open() as stream:
            heads = [next(stream).strip().split(",") for _ in range(3)]
        assert [head[0] for head in heads] == ["scorer", "bodyparts", "coords"]
        assert heads[2][1:4] == ["x", "y", "likelihood"]
        assert len(set(heads[0][1:])) == 1


def test_the_tongue_is_seen_while_it_licks(folder: Path, laboratory: WrittenLaboratory, session: SessionPlan) -> None:
    truth = read_truth(laboratory.root, session.key)
    trials, licks = truth.trials.to_pandas(), truth.licks.to_pandas()
    first = trials.iloc[0]
    (path,) = folder.glob(f"*_side_{FIRST_VIDEO}-*.csv")
    poses = pd.read_csv(path, header=[1, 2], index_col=0)
    assert list(poses.index) == list(range(len(poses)))
    length_s = len(poses) / FRAME_RATE_HZ
    assert first.stop_s - first.start_s < length_s <= first.stop_s - first.start_s + 0.25
    seen = poses["tongue", "likelihood"].to_numpy() > 0.9
    lick_s = licks.time_s[licks.trial == 1] - first.start_s
    assert len(lick_s)
    assert all(seen[round((at + 0.02) * FRAME_RATE_HZ)] for at in lick_s)
    assert np.mean(seen) < 0.4
    assert not poses.isna().any(axis=None)
