"""What is written about a release is what it says it is, or is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publishing_laboratory import ABOUT

from map_assets.publication import marks
from map_assets.publication.about import About, read_about
from map_assets.publication.citation import check_citation, citation, citation_text
from map_assets.publication.datacite import check_datacite, datacite_metadata
from map_assets.publication.errors import BadAbout, PublishExtraMissing
from map_assets.publication.extra import load
from map_assets.publication.yaml_text import yaml_text


@pytest.mark.parametrize(
    "text", ["0000-0002-1825-0097", "0000-0002-1694-233X", "https://orcid.org/0000-0001-5109-3700"]
)
def test_an_orcid_with_the_right_check_digit_is_taken(text: str) -> None:
    assert marks.orcid(text) == text[-19:]


@given(place=st.integers(0, 15), shift=st.integers(1, 9))
def test_one_wrong_digit_of_an_orcid_is_found(place: int, shift: int) -> None:
    digits = list("0000000218250097")
    digits[place] = str((int(digits[place]) + shift) % 10)
    text = "-".join("".join(digits[i : i + 4]) for i in range(0, 16, 4))
    with pytest.raises(ValueError, match="check digit"):
        marks.orcid(text)


@pytest.mark.parametrize(
    "text", ["2026", "2026-05", "2026-05-01", "2026-05-01T10:00:00+02:00", "2026-05-01/2026-06-01", "2026/"]
)
def test_iso_dates_are_taken(text: str) -> None:
    assert marks.iso_date(text) == text


@pytest.mark.parametrize(
    "text", ["01/05/2026", "2026-13-01", "2026-02-30", "5 May 2026", "", "/", "20260501", "2026-5-1"]
)
def test_other_dates_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        marks.iso_date(text)


@given(st.dates())
def test_every_day_is_a_date(day: object) -> None:
    assert marks.iso_date(str(day)) == str(day)


@pytest.mark.parametrize("text", ["en", "pt-BR", "zh-Hant-TW", "de-1996", "gsw", "en-x-lab"])
def test_language_tags_are_taken(text: str) -> None:
    assert marks.language(text) == text


@pytest.mark.parametrize("text", ["english", "e", "en_US", "", "en-", "12"])
def test_other_languages_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="BCP 47"):
        marks.language(text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0000-0002-1825-0097", "0000-0002-1825-0098", "check digit"),
        ("date = 2026-05-01", 'date = "01/05/2026"', "ISO 8601"),
        ("date = 2026-05-01", 'date = "2026"', "is no day"),
        ('version = "1.0"', 'version = "1.0"\nlanguage = "english"', "BCP 47"),
        ('version = "1.0"', 'version = "1.0"\nlicense = "MIT"', "license"),
        ('version = "1.0"', 'version = "1.0"\nlicence = "CC0-1.0"', "licence"),
        ('publisher = "Made-up institute"', "", "publisher"),
        ("10.1101/2023", "2023", "DOI"),
        ('dandiset = "000001"', 'dandiset = "1"', "dandiset"),
        ('title = "Made-up sessions"', "title = ", "TOML"),
    ],
)
def test_what_cannot_be_published_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "about.toml"
    assert old in ABOUT
    path.write_text(ABOUT.replace(old, new))
    with pytest.raises(BadAbout, match=said):
        read_about(path)


def test_a_file_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BadAbout, match="cannot be read"):
        read_about(tmp_path / "nothing.toml")


def test_datacite_metadata_pass(about: About) -> None:
    metadata = datacite_metadata(about, 12)
    check_datacite(metadata)
    assert metadata["creators"][0]["nameIdentifiers"][0]["nameIdentifier"].endswith("0000-0002-1825-0097")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dates": [{"date": "01/05/2026", "dateType": "Issued"}]}, "ISO 8601"),
        ({"language": "english"}, "BCP 47"),
        ({"publicationYear": "26"}, "publicationYear"),
        ({"doi": "made-up"}, "doi: "),
        ({"creators": []}, "creators"),
        ({"titles": None}, "titles"),
        (
            {
                "creators": [
                    {
                        "name": "X",
                        "nameIdentifiers": [{"nameIdentifier": "0000-0002-1825-0098", "nameIdentifierScheme": "ORCID"}],
                    }
                ]
            },
            "check digit",
        ),
    ],
)
def test_what_datacite_would_refuse_or_should_is_refused_here(
    about: About, change: dict[str, object], said: str
) -> None:
    with pytest.raises(BadAbout, match=said):
        check_datacite({**datacite_metadata(about, 12), **change})


def test_the_citation_fits_its_schema_and_reads_as_yaml(about: About) -> None:
    from ruamel.yaml import YAML

    assert YAML(typ="safe").load(citation_text(about)) == citation(about)


def test_a_citation_without_authors_is_refused(about: About) -> None:
    with pytest.raises(BadAbout, match=r"CITATION\.cff"):
        check_citation({**citation(about), "authors": []})


_PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])) | st.integers() | st.booleans()


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True), _PLAIN | st.lists(_PLAIN, min_size=1), min_size=1
    )
)
def test_yaml_gives_back_what_was_written(values: dict[str, object]) -> None:
    from ruamel.yaml import YAML

    assert YAML(typ="safe").load(yaml_text(values)) == values


def test_a_missing_library_is_named_with_the_extra() -> None:
    with pytest.raises(PublishExtraMissing, match=r"map-assets\[publish\]"):
        load("nothing_of_that_name.at_all")
