"""What DataCite is told of a release, and the checks that its own schema leaves out. Minting the DOI lives in `doi`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from map_assets.publication import marks
from map_assets.publication.about import LICENSES, About
from map_assets.publication.errors import BadAbout
from map_assets.publication.extra import load


def datacite_metadata(about: About, n_bytes: int) -> dict[str, Any]:
    """Return the release's metadata in DataCite's kernel 4 (schema 4.5).

    Parameters
    ----------
    about : About
    n_bytes : int
        Of all files of the release.
    """
    related = [
        {"relatedIdentifier": one, "relatedIdentifierType": "DOI", "relationType": "IsSupplementTo"}
        for one in about.cites
    ]
    if about.dandiset:
        address = f"https://dandiarchive.org/dandiset/{about.dandiset}"
        related.append(
            {"relatedIdentifier": address, "relatedIdentifierType": "URL", "relationType": "IsVariantFormOf"}
        )
    address, name = LICENSES[about.license]
    found: dict[str, Any] = {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "doi": about.doi,
        "url": about.url,
        "titles": [{"title": about.title}],
        "creators": [_creator(one.name, one.family, one.given, one.orcid, one.affiliation) for one in about.author],
        "publisher": {"name": about.publisher},
        "publicationYear": about.date[:4],
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Neurophysiology sessions"},
        "descriptions": [{"description": about.description, "descriptionType": "Abstract"}],
        "dates": [{"date": about.date, "dateType": "Issued"}],
        "language": about.language,
        "version": about.version,
        "subjects": [{"subject": word} for word in about.keywords],
        "rightsList": [
            {"rights": name, "rightsUri": address, "rightsIdentifier": about.license, "rightsIdentifierScheme": "SPDX"}
        ],
        "formats": ["application/x-nwb", "application/vnd.apache.parquet"],
        "sizes": [f"{n_bytes} bytes"],
        "relatedIdentifiers": related,
    }
    return {name: value for name, value in found.items() if value}


def _creator(name: str, family: str, given: str, orcid: str | None, affiliation: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "nameType": "Personal", "familyName": family, "givenName": given}
    if orcid:
        found["nameIdentifiers"] = [
            {
                "nameIdentifier": f"https://orcid.org/{orcid}",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ]
    if affiliation:
        found["affiliation"] = [{"name": affiliation}]
    return found


def check_datacite(values: Mapping[str, Any]) -> None:
    """Check DataCite metadata by schema 4.5, and what that schema takes though DataCite's rules do not.

    Raises
    ------
    BadAbout
        If anything is wrong; the text names all of it.
    """
    schema = load("datacite.schema45")
    found = [
        f"{'.'.join(map(str, one.path)) or 'metadata'}: {one.message}" for one in schema.validator.iter_errors(values)
    ]
    found += [] if found else [*_wrong_marks(values)]
    if found:
        raise BadAbout(f"DataCite would not take the metadata: {'; '.join(found)}.")


def _wrong_marks(values: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on dates, languages, ORCIDs and DOIs that are none."""
    for one in values.get("dates", ()):
        yield from _said("dates", marks.iso_date, one.get("date"))
    if "language" in values:
        yield from _said("language", marks.language, values["language"])
    for person in (*values.get("creators", ()), *values.get("contributors", ())):
        for one in person.get("nameIdentifiers", ()):
            if str(one.get("nameIdentifierScheme")).upper() == "ORCID":
                yield from _said("nameIdentifiers", marks.orcid, one.get("nameIdentifier"))
    if "doi" in values:
        yield from _said("doi", marks.doi, values["doi"])
    year = str(values.get("publicationYear", ""))
    if not (len(year) == 4 and year.isdecimal()):
        yield f"publicationYear: {year!r} is no year"


def _said(where: str, check: Callable[[str], str], value: object) -> Iterator[str]:
    try:
        check(str(value))
    except ValueError as error:
        yield f"{where}: {error}"
