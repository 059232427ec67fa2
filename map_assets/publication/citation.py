"""How a release is cited: CITATION.cff, checked against the format's own schema. The DOI's metadata live in `datacite`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from map_assets.publication.about import About
from map_assets.publication.errors import BadAbout
from map_assets.publication.extra import load
from map_assets.publication.yaml_text import yaml_text

_SCHEMA = "cff_1_2_0.schema.json"


def citation(about: About) -> dict[str, Any]:
    """Return the citation file's content (Citation File Format 1.2.0)."""
    authors = [
        {
            "family-names": one.family,
            "given-names": one.given,
            "orcid": f"https://orcid.org/{one.orcid}" if one.orcid else None,
            "affiliation": one.affiliation,
            "email": one.email,
        }
        for one in about.author
    ]
    found: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use these data, please cite them as below.",
        "type": "dataset",
        "title": about.title,
        "abstract": about.description,
        "authors": [{name: value for name, value in one.items() if value} for one in authors],
        "version": about.version,
        "date-released": about.date,
        "license": about.license,
        "doi": about.doi,
        "url": about.url,
        "keywords": list(about.keywords),
        "identifiers": [
            {"type": "doi", "value": one, "description": "Publication that the data belong to"} for one in about.cites
        ],
    }
    return {name: value for name, value in found.items() if value}


def check_citation(values: dict[str, Any]) -> None:
    """Check a citation file's content against the schema of CFF 1.2.0.

    Raises
    ------
    BadAbout
        If it breaks the schema; the text names the first place.
    """
    validator = load("jsonschema").Draft7Validator(_schema())
    first = next(iter(sorted(validator.iter_errors(values), key=lambda one: list(map(str, one.path)))), None)
    if first is not None:
        where = ".".join(map(str, first.path)) or "the file"
        raise BadAbout(f"CITATION.cff: {where}: {first.message[:300]}.")


def citation_text(about: About) -> str:
    """Return CITATION.cff, checked.

    Raises
    ------
    BadAbout
        If it breaks the schema.
    """
    values = citation(about)
    check_citation(values)
    return yaml_text(values)


@cache
def _schema() -> Any:
    return json.loads(files("map_assets.publication").joinpath(_SCHEMA).read_text("utf-8"))
