"""An analysis joins the shared graph when nothing is in the way, and not before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from grafting import GraftLab, change, written

from map_assets.defs.graft_promotion import in_the_way, promote
from map_assets.defs.graft_runs import run_graft
from map_assets.defs.grafts import decision_for
from map_assets.graft.installed import graft_named
from map_assets.graft.promotion import MayNotBePromoted, Promoted, Standing, is_promoted, objections, read_record
from map_assets.graft.proving import failing_tests, own_tests_of

NAME = "go_change"


def test_a_promoted_analysis_takes_its_tables_along_and_is_kept_up_to_date_among_the_shared(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written(tmp_path / "package", NAME, monkeypatch)
    services = lab.services
    one = graft_named(NAME)
    run_graft(one.graft, services, lab.config_file, lab.keys[:1])
    with pytest.raises(MayNotBePromoted, match=lab.keys[1]):
        promote(one, services, who="susu", why="because")
    assert not services.store.has(NAME, lab.keys[0])

    run_graft(one.graft, services, lab.config_file)
    assert in_the_way(one, services) == []
    record = promote(one, services, who="susu", why="reviewed by dave")
    assert record.n_sessions == 2
    assert read_record(lab.store, NAME) == record
    private = lab.store / "private" / "susu" / "tables" / NAME
    for key in lab.keys:
        assert services.store.table_path(NAME, key).read_bytes() == (private / f"{key}.parquet").read_bytes()
        # the analysis itself is not due again; its figure hangs in the shared store after the next run
        assert decision_for([one.graft], key, services).stages == (f"{NAME}_figure",)
    report = run_graft(one.graft, services, lab.config_file)
    assert (report.made, report.failed) == (lab.keys, {})
    assert services.store.file_path(f"{NAME}_figure", lab.keys[0], ".png").is_file()
    assert NAME in services.ledger.stage_records(lab.keys[0])
    with pytest.raises(MayNotBePromoted, match="nothing to promote"):
        promote(one, services, who="susu", why="again")

    change(body, "/ window_s", "/ (2 * window_s)", NAME)
    changed = graft_named(NAME)
    assert not is_promoted(changed.graft, lab.store)
    shared = services.store.version(NAME, lab.keys[0])
    run_graft(changed.graft, services, lab.config_file)
    assert services.store.version(NAME, lab.keys[0]) == shared
    with pytest.raises(MayNotBePromoted, match="raise the version"):
        promote(changed, services, who="susu", why="faster")
    change(body, "    claims=", '    version="2",\n    claims=', NAME)
    raised = graft_named(NAME)
    run_graft(raised.graft, services, lab.config_file)
    assert promote(raised, services, who="susu", why="faster").version == "2"
    assert services.store.version(NAME, lab.keys[0]) != shared


def test_an_analysis_that_comes_out_different_each_time_stays_private(
    lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written(tmp_path / "package", NAME, monkeypatch)
    change(
        body,
        "    return found.reset_index()",
        '    found["before_hz"] += np.random.default_rng().uniform()\n    return found.reset_index()',
        NAME,
    )
    one = graft_named(NAME)
    services = lab.services
    run_graft(one.graft, services, lab.config_file)
    (found,) = in_the_way(one, services)
    assert "came out different" in found
    assert lab.keys[0] in found


def test_tests_beside_the_package_must_pass(lab: GraftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "package", NAME, monkeypatch)
    told = {"url": (tmp_path / "package").as_uri(), "dir_info": {"editable": True}}
    (tmp_path / "package" / "src" / f"{NAME}-0.1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    test = tmp_path / "package" / "tests" / f"test_{NAME}.py"
    assert own_tests_of("go-change") == test.parent
    test.write_text("def test_that_holds():\n    assert True\n")
    assert failing_tests(test.parent) is None
    test.write_text("def test_that_does_not():\n    assert 1 == 2\n")
    one = graft_named(NAME)
    (nothing_made, failing) = [said for said in in_the_way(one, lab.services) if "is not made" not in said]
    assert "no session has a result" in nothing_made
    assert "do not pass (1 failed" in failing
    assert "did not end within" in str(failing_tests(test.parent, limit_s=0.01))
    assert own_tests_of("pytest") is None
    assert own_tests_of("no-such-package") is None


def test_whatever_is_in_the_way_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "package", NAME, monkeypatch)
    graft = graft_named(NAME).graft
    fine = Standing(["a"])
    assert objections(graft, fine, None, is_taken=False) == []
    assert "stands already" in objections(graft, fine, None, is_taken=True)[0]
    assert "no session has a result" in objections(graft, Standing([]), None, is_taken=False)[0]
    mute = replace(graft, claims=())
    standing = Standing(["a"], due=["b", "c", "d", "e"], failed=["f"], refused=["g"], differing=["a"])
    told = objections(mute, standing, None, is_taken=False)
    assert len(told) == 5
    assert "b, c, d and 1 more" in told[1]
    others = Promoted(NAME, "dave", "other", "1", "1", "0", "", "", "", 1)
    assert "from the namespace dave" in objections(graft, fine, others, is_taken=True)[0]
