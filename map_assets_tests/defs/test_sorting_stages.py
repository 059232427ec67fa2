"""Versions of a sorting from the share to the analyst's door: two folders, curation in place, a choice, and its undo."""

from __future__ import annotations

import shutil
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest

from map_assets.analyst import open_lab
from map_assets.config import load_config
from map_assets.defs.dispatch import due_for_sessions, laboratory_mark
from map_assets.defs.services import Services
from map_assets.defs.stages import BY_NAME
from map_assets.defs.work import perform
from map_assets.shares.refresh import refresh
from map_assets.shares.scan import scan_all
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import AnimalPlan, LabPlan, Part, ProbePlan, SessionPlan
from map_assets.store import Store

PROBE = ProbePlan("left ALM", n_units=6, n_sorted_channels=16, is_curated=False, serial_number="18005118502")
PLANS = [
    SessionPlan("MK041", 990041, datetime(2024, 3, day, 10, 25, 8), 8, (PROBE,), seed=day).with_parts(
        Part.BEHAVIOR, Part.RECORDING, Part.SORTING
    )
    for day in (5, 6)
]
KEY, OTHER_KEY = (plan.key for plan in PLANS)
STAGES = ("behavior", "sessions", "recordings", "sortings", "probes")


class Lab:
    """A laboratory whose stages this process does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.services = Services(load_config(root / "map_assets.toml"))

    @cached_property
    def folder(self) -> Path:
        """The folder that the session's first sorting was read from."""
        (row,) = self.sortings().values()
        return self.root / "ephys" / row["folder"]

    def due(self) -> set[str]:
        """Stages that the session is due for, of those that this test does."""
        scan_all(self.services.shares, self.services.ledger)
        refresh(self.services.ledger)
        found = {due.session: due.decision.stages for due in due_for_sessions(self.services, [KEY, OTHER_KEY])}
        assert set(found.get(OTHER_KEY, ())) & set(STAGES) <= (set() if self.is_done else set(STAGES))
        return set(found.get(KEY, ())) & set(STAGES)

    is_done = False

    def work(self, session: str = KEY) -> set[str]:
        """Do what is due; give its names."""
        due = self.due() if session == KEY else set(STAGES)
        for name in STAGES:
            if name in due:
                perform(BY_NAME[name], session, self.services)
        return due

    def sortings(self) -> dict[str, dict]:
        return {row["sorting"]: row for row in self.services.store.read("sortings", KEY).to_pylist()}

    def current(self) -> str:
        (one,) = [sorting for sorting, row in self.sortings().items() if row["is_current"]]
        return one

    def trains(self, sorting: str) -> dict[int, list[int]]:
        """The spikes of a version, as an analyst finds them."""
        door = open_lab(self.services.store.root)
        if sorting == self.current():
            found = door.arrow("spikes", session=KEY).to_pylist()
        else:
            found = [row for row in door.arrow("other_spikes", session=KEY).to_pylist() if row["sorting"] == sorting]
        return {row["unit_id"]: row["samples"] for row in found}

    def curate(self) -> None:
        """Merge the two first units and label one, as Phy does: in place."""
        clusters = np.load(self.folder / "spike_clusters.npy")
        first, second, third = np.unique(clusters)[:3]
        clusters[np.isin(clusters, [first, second])] = clusters.max() + 1
        np.save(self.folder / "spike_clusters.npy", clusters)
        (self.folder / "cluster_group.tsv").write_text(f"cluster_id\tgroup\n{third}\tgood\n")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions with one sorting each, done."""
    root = tmp_path_factory.mktemp("sortings") / "lab"
    write_laboratory(root, LabPlan((AnimalPlan("MK041", 990041),), tuple(PLANS), voxel_um=200.0))
    lab = Lab(root)
    lab.due()
    for session in (KEY, OTHER_KEY):
        for name in STAGES:
            perform(BY_NAME[name], session, lab.services)
        lab.due()
    lab.services.ledger.close()
    lab.services.registry.close()
    return root


@pytest.fixture
def lab(template: Path, tmp_path: Path) -> Lab:
    lab = Lab(Path(shutil.copytree(template, tmp_path / "lab")))
    lab.due()
    for session in (KEY, OTHER_KEY):  # the copies' times are others
        for name in STAGES:
            perform(BY_NAME[name], session, lab.services)
    lab.is_done = True
    assert lab.due() == set()
    assert lab.folder.is_dir()
    return lab


def test_curation_in_place_makes_a_version_and_the_one_before_stays_queryable(lab: Lab) -> None:
    old = lab.current()
    before = lab.trains(old)
    lab.curate()
    assert lab.work() == {"sortings", "probes"}
    new = lab.current()
    assert new != old
    assert lab.sortings()[new]["current_because"] == "curated before raw"
    assert (lab.sortings()[old]["is_on_share"], lab.sortings()[new]["is_on_share"]) == (False, True)
    assert lab.trains(old) == before
    assert len(lab.trains(new)) == len(before) - 1
    units = open_lab(lab.services.store.root).table("other_units", session=KEY)
    assert set(units["sorting"]) == {old}
    assert list(units["unit_id"]) == sorted(before)
    kinds = lab.services.store.read("sorting_changes", KEY)["change"].to_pylist()
    assert sorted(kinds) == ["merged"] * 2 + ["same"] * (len(before) - 2)
    assert lab.work() == set()


def test_a_choice_and_its_undo_turn_one_session_and_lose_nothing(lab: Lab) -> None:
    old = lab.current()
    lab.curate()
    lab.work()
    new = lab.current()
    trains = {sorting: lab.trains(sorting) for sorting in (old, new)}
    mark = laboratory_mark(lab.services)
    choices = lab.services.sorting_choices
    choices.choose(KEY, 1, old, who="rivera", why="the merge is wrong")
    assert laboratory_mark(lab.services) != mark
    assert lab.work() == {"sortings", "probes"}
    assert lab.current() == old
    assert "chosen by rivera on" in lab.sortings()[old]["current_because"]
    assert lab.services.store.read("probes", KEY)["sorting"].to_pylist() == [old]
    assert {sorting: lab.trains(sorting) for sorting in (old, new)} == trains
    assert lab.work() == set()
    choices.undo(KEY, 1, who="okafor")
    lab.work()
    assert lab.current() == new
    assert {sorting: lab.trains(sorting) for sorting in (old, new)} == trains
    assert choices.log(KEY)[1].undoes == choices.log(KEY)[0].choice_id


def test_a_second_folder_is_a_version_and_stays_one_when_it_is_gone(lab: Lab) -> None:
    first = lab.current()
    again = lab.folder.with_name("ks2_again")
    shutil.copytree(lab.folder, again)
    clusters = np.load(again / "spike_clusters.npy")
    np.save(again / "spike_clusters.npy", np.where(clusters == clusters.max(), clusters.min(), clusters))
    lab.work()
    (second,) = set(lab.sortings()) - {first}
    assert lab.current() == second
    trains = {sorting: lab.trains(sorting) for sorting in (first, second)}
    shutil.rmtree(again)
    assert lab.work() == set()
    lab.services.sorting_choices.choose(KEY, 1, first, who="rivera", why="it is complete")
    assert lab.work() == {"sortings", "probes"}
    assert lab.current() == first
    assert lab.sortings()[second]["is_on_share"] is False
    assert {sorting: lab.trains(sorting) for sorting in (first, second)} == trains


def test_a_folder_that_is_torn_is_waited_for(lab: Lab) -> None:
    first = lab.current()
    shutil.copytree(lab.folder, lab.folder.with_name("ks2_again"))
    (lab.folder / "spike_times.npy").unlink()
    assert lab.work() == set()
    assert lab.current() == first
    waits = {stage: reason for _, stage, reason in lab.services.ledger.waits()}
    assert "spike_times.npy" in waits["sortings"]


def test_a_folder_that_goes_bad_is_set_aside_and_what_stood_stays(lab: Lab) -> None:
    old = lab.current()
    before = lab.trains(old)
    (lab.folder / "spike_times.npy").write_bytes(b"no array")
    lab.work()
    assert lab.trains(old) == before
    assert lab.sortings()[old]["is_on_share"] is False
    states = {found.state for found in lab.services.ledger.files(session=KEY) if found.role == "sorting"}
    assert states == {"quarantined"}
    assert lab.work() == set()


def test_a_folder_whose_damaged_file_is_mended_is_taken_as_a_whole(lab: Lab) -> None:
    old = lab.current()
    good = (lab.folder / "spike_clusters.npy").read_bytes()
    (lab.folder / "spike_clusters.npy").write_bytes(b"no array")
    lab.work()
    (lab.folder / "spike_clusters.npy").write_bytes(good)
    assert lab.work() == {"sortings", "probes"}
    assert lab.current() == old
    assert lab.sortings()[old]["is_on_share"] is True
    states = {found.state for found in lab.services.ledger.files(session=KEY) if found.role == "sorting"}
    assert states == {"ingested"}


@pytest.mark.parametrize("n_written", range(9))
def test_a_crash_between_two_tables_loses_nothing(lab: Lab, n_written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    old = lab.current()
    lab.curate()
    lab.work()
    new = lab.current()
    trains = {sorting: lab.trains(sorting) for sorting in (old, new)}
    lab.curate()
    write, written = Store.write, []

    def stops(store: Store, table: object, *args: object) -> object:
        if len(written) == n_written:
            raise MemoryError
        written.append(table)
        return write(store, table, *args)

    lab.services.sorting_choices.choose(KEY, 1, old, who="rivera", why="again")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", stops)
        with pytest.raises(MemoryError):
            lab.work()
    lab.work()
    assert lab.current() == old
    assert len(lab.sortings()) == 3
    assert {sorting: lab.trains(sorting) for sorting in (old, new)} == trains
