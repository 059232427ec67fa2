"""Webserver and daemon as real processes: a file is copied into a share, and its session is seen in the browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster_ui import DagsterUi, until
from laboratory import Lab

from map_assets.config import load_config
from map_assets.defs.up import Servers
from map_assets.simulate.laboratory import write_laboratory
from map_assets.simulate.plans import example_plan

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up laboratory's files, not yet on the shares."""
    folder = tmp_path_factory.mktemp("made")
    write_laboratory(folder, example_plan())
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab.empty(tmp_path_factory.mktemp("lab"), settle_s=1.0, more="[orchestration]\nscan_interval_s = 2")


@pytest.fixture(scope="module")
def servers(lab: Lab) -> Iterator[Servers]:
    environment = dict(os.environ)
    os.environ["MAP_ASSETS_CONFIG"] = str(lab.config_file)
    try:
        with Servers(load_config(lab.config_file), lab.config_file, port=0) as running:
            running.wait_until_ready()
            yield running
    finally:
        os.environ.clear()
        os.environ.update(environment)


def copy_into_share(lab: Lab, source: Path, kind: str) -> None:
    """Copy a folder into a share as a rig's computer would: file by file, in place."""
    shutil.copytree(source, lab.share(kind), dirs_exist_ok=True)


def session_of(folder: Path) -> str:
    (mat,) = folder.rglob("*.mat")
    animal, *_, date, time = mat.stem.split("_")
    return f"{animal}_{date}_{time}"


def test_every_sensor_runs_from_the_start(servers: Servers) -> None:
    ui = DagsterUi(servers.url)
    found = until("the code location is loaded", ui.sensors)
    assert {"share_behavior", "share_ephys", "sessions_due"} <= set(found)
    assert set(found.values()) == {"RUNNING"}


def test_a_file_copied_into_a_share_becomes_a_session_in_one_run(servers: Servers, lab: Lab, made: Path) -> None:
    ui = DagsterUi(servers.url)
    session = session_of(made / "rig1")
    copy_into_share(lab, made / "rig1", "behavior")
    until("the session's trials stand", lambda: ui.materializations("trials", session))
    until("its run has ended", lambda: all(run["status"] == "SUCCESS" for run in ui.runs(session)))
    (run,) = ui.runs(session)
    assert {"trials", "licks", "sessions", "archive_receipt"} <= {key["path"][0] for key in run["assetSelection"]}
    assert lab.services.store.has("trials", session)
    (row,) = ui.materializations("behavior_performance", session)
    (figure,) = [entry for entry in row["metadataEntries"] if entry["label"] == "figure"]
    assert figure["mdStr"].startswith("![behavior_performance](data:image/png;base64,")


def test_what_arrives_late_touches_its_own_assets_only(servers: Servers, lab: Lab, made: Path) -> None:
    ui = DagsterUi(servers.url)
    session = session_of(made / "rig1")
    until("the behaviour is done", lambda: ui.materializations("archive_receipt", session))
    copy_into_share(lab, made / "ephys", "ephys")
    until("the session's PSTHs stand", lambda: ui.materializations("psth", session))
    until("all its runs have ended", lambda: all(run["status"] == "SUCCESS" for run in ui.runs(session)))
    assert len(ui.materializations("trials", session)) == 1
    assert len(ui.materializations("behavior_performance", session)) == 1
    assert len(ui.materializations("archive_receipt", session)) >= 2


def test_the_figure_is_seen_on_the_assets_page(servers: Servers, made: Path, browser: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    session = session_of(made / "rig1")
    ui = DagsterUi(servers.url)
    until("the figure stands", lambda: ui.materializations("behavior_performance", session))
    with sync_playwright() as play:
        chromium = play.chromium.launch(
            executable_path=browser,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-background-networking",
                "--disable-sync",
            ],
        )
        page = chromium.new_page(viewport={"width": 1500, "height": 1000})
        page.goto(f"{servers.url}/assets/behavior_performance?view=partitions&partition={session}")
        # the page shows Markdown metadata behind a button of its own
        page.get_by_text("Show Markdown").first.click(timeout=60_000)
        picture = page.locator("img[src^='data:image/png;base64,']").first
        picture.wait_for(timeout=60_000)
        width = picture.evaluate("image => image.naturalWidth")
        page.screenshot(path=tmp_path / "page.png")
        chromium.close()
    assert width > 400
