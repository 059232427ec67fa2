"""A release's DOI is a draft until a person approved exactly that release. DataCite is a real server on this machine, the client its own."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from map_assets.publication.approval import approval_of, approvals_file, approve
from map_assets.publication.doi import DataCiteAccount, doi_file, doi_of, draft_doi, publish_doi
from map_assets.publication.errors import BadAbout, NotApproved, ReleaseDiffers, ServiceFailed
from map_assets.publication.loopback_datacite import LoopbackDataCite
from map_assets.publication.shelf import Release

WORD = "a-password-that-nobody-may-see"


@pytest.fixture
def datacite() -> object:
    with LoopbackDataCite("LAB.MADEUP", WORD) as server:
        yield server


def account(server: LoopbackDataCite, password: str = WORD) -> DataCiteAccount:
    return DataCiteAccount("LAB.MADEUP", password, "10.5072", server.root)


def test_a_draft_then_an_approval_then_findable(release: Release, datacite: LoopbackDataCite) -> None:
    draft = draft_doi(release, account(datacite))
    assert (draft.state, datacite.dois[draft.doi]["state"]) == ("draft", "draft")
    assert draft_doi(release, account(datacite)) == draft
    assert len(datacite.dois) == 1
    approve(release, "okafor", "the paper is accepted")
    found = publish_doi(release, account(datacite))
    assert (found.doi, found.state, found.approved_by) == (draft.doi, "findable", "okafor")
    assert datacite.dois[draft.doi]["state"] == "findable"
    assert datacite.dois[draft.doi]["url"] == "https://example.org/made-up"
    assert publish_doi(release, account(datacite)) == found == doi_of(release)


def test_nothing_is_findable_without_an_approval(release: Release, datacite: LoopbackDataCite) -> None:
    draft = draft_doi(release, account(datacite))
    n_asked = len(datacite.asked)
    with pytest.raises(NotApproved, match="nobody approved it"):
        publish_doi(release, account(datacite))
    assert len(datacite.asked) == n_asked
    assert datacite.dois[draft.doi]["state"] == "draft"


def test_an_approval_is_of_exactly_one_content(release: Release, datacite: LoopbackDataCite) -> None:
    draft_doi(release, account(datacite))
    approve(replace(release, manifest_sha256="0" * 64), "okafor", "it was another one")
    with pytest.raises(NotApproved, match="had other content"):
        publish_doi(release, account(datacite))
    approve(release, "rivera", "this one")
    assert approval_of(release).who == "rivera"
    approvals_file(release.folder).write_text("{")
    with pytest.raises(NotApproved, match="cannot be read"):
        approval_of(release)


@pytest.mark.parametrize(("who", "why"), [("", "x"), ("x", " ")])
def test_an_approval_has_a_name_and_a_reason(release: Release, who: str, why: str) -> None:
    with pytest.raises(NotApproved, match="says why"):
        approve(release, who, why)


def test_a_release_that_changed_gets_no_doi(release: Release, datacite: LoopbackDataCite) -> None:
    (release.folder / "CITATION.cff").unlink()
    with pytest.raises(ReleaseDiffers, match=r"CITATION.cff is missing"):
        draft_doi(release, account(datacite))
    assert datacite.asked == []


def test_a_doi_that_can_be_found_has_a_page(
    release: Release, datacite: LoopbackDataCite, monkeypatch: pytest.MonkeyPatch
) -> None:
    from map_assets.publication import doi as minting

    told = json.loads((release.folder / "datacite.json").read_text())
    told.pop("url")
    monkeypatch.setattr(minting, "_metadata", lambda _: told)
    draft_doi(release, account(datacite))
    approve(release, "okafor", "x")
    with pytest.raises(BadAbout, match="no landing page"):
        publish_doi(release, account(datacite))
    assert publish_doi(release, account(datacite), "https://example.org/2").state == "findable"


def test_publishing_needs_a_draft_first(release: Release, datacite: LoopbackDataCite) -> None:
    approve(release, "okafor", "x")
    with pytest.raises(NotApproved, match="no draft DOI"):
        publish_doi(release, account(datacite))


def test_a_refusal_is_a_sentence_without_the_password(release: Release, datacite: LoopbackDataCite) -> None:
    bad = account(datacite, WORD + "x")
    with pytest.raises(ServiceFailed, match="did not do it") as error:
        draft_doi(release, bad)
    assert WORD not in f"{error.value!r}{bad!r}{bad}"
    assert not doi_file(release.folder).exists()
    with pytest.raises(ServiceFailed, match="password may be sent"):
        draft_doi(release, replace(bad, server="http://datacite.example.org/"))


def test_a_draft_can_be_deleted_and_a_findable_one_not(release: Release, datacite: LoopbackDataCite) -> None:
    from datacite import DataCiteRESTClient

    client = DataCiteRESTClient("LAB.MADEUP", WORD, "10.5072", url=datacite.root)
    draft = draft_doi(release, account(datacite))
    approve(release, "okafor", "x")
    publish_doi(release, account(datacite))
    with pytest.raises(Exception, match="only a draft"):
        client.delete_doi(draft.doi)
    other = client.draft_doi({})
    client.delete_doi(other)
    assert set(datacite.dois) == {draft.doi}
