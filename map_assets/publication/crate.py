"""A release as an RO-Crate: `ro-crate-metadata.json`, which lists every file with its hash. The files stay where they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from map_assets.publication.about import LICENSES, About
from map_assets.publication.extra import load

CRATE = "ro-crate-metadata.json"
_FORMATS = {
    ".nwb": "application/x-nwb",
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".toml": "application/toml",
    ".cff": "application/yaml",
    ".yaml": "application/yaml",
}


def crate_text(about: About, files: Mapping[str, tuple[str, int]], sessions: Mapping[str, str], code: str) -> str:
    """Describe a release as RO-Crate 1.1.

    Parameters
    ----------
    about : About
    files : mapping of str to tuple
        The sha256 and size in bytes by path.
    sessions : mapping of str to str
        Session by path of its file.
    code : str
        Name and version of the software that made the release.
    """
    rocrate, model = load("rocrate.rocrate"), load("rocrate.model")
    crate = rocrate.ROCrate(version="1.1")
    root = crate.root_dataset
    people = [_person(crate, model, about, number) for number in range(len(about.author))]
    address, licence = LICENSES[about.license]
    rights = crate.add(_named(crate, model, address, "CreativeWork", {"name": licence, "identifier": about.license}))
    publisher = crate.add(_named(crate, model, "#publisher", "Organization", {"name": about.publisher}))
    described: dict[str, Any] = {
        "name": about.title,
        "description": about.description,
        "datePublished": about.date,
        "license": rights,
        "author": people,
        "publisher": publisher,
        "version": about.version,
        "inLanguage": about.language,
        "keywords": ", ".join(about.keywords),
        "identifier": f"https://doi.org/{about.doi}" if about.doi else None,
        "url": about.url,
        "isPartOf": f"https://dandiarchive.org/dandiset/{about.dandiset}" if about.dandiset else None,
        "citation": [crate.add(_named(crate, model, f"https://doi.org/{one}", "ScholarlyArticle", {"name": one})) for one in about.cites],
    }  # fmt: skip
    for name, value in described.items():
        if value:
            root[name] = value
    entities = []
    for path in sorted(files):
        sha256, size = files[path]
        told = {
            "name": sessions.get(path, path.rpartition("/")[2]),
            "sha256": sha256,
            "contentSize": str(size),
            "encodingFormat": _FORMATS.get(Path(path).suffix, "text/plain"),
        }
        entities.append(crate.add(model.File(crate, None, path, properties=told)))
    name, _, version = code.partition(" ")
    tool = crate.add(
        _named(crate, model, "#software", "SoftwareApplication", {"name": name, "softwareVersion": version})
    )
    made = crate.add(_named(crate, model, "#made", "CreateAction", {"name": "The release was frozen"}))
    made["instrument"], made["result"] = tool, entities
    root["mentions"] = [made]
    return json.dumps(crate.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _named(crate: Any, model: Any, identifier: str, kind: str, properties: dict[str, str]) -> Any:
    return model.ContextEntity(crate, identifier, properties={"@type": kind, **properties})


def _person(crate: Any, model: Any, about: About, number: int) -> Any:
    one = about.author[number]
    identifier = f"https://orcid.org/{one.orcid}" if one.orcid else f"#author-{number + 1}"
    told = {"name": f"{one.given} {one.family}", "familyName": one.family, "givenName": one.given}
    told |= {"affiliation": one.affiliation} if one.affiliation else {}
    told |= {"email": one.email} if one.email else {}
    return crate.add(model.Person(crate, identifier, properties=told))


def crate_differences(text: str, hashes: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each thing that an RO-Crate's description lacks or says otherwise than the manifest.

    Parameters
    ----------
    text : str
        The description.
    hashes : mapping of str to str
        The sha256 by path; the description does not list itself.
    """
    try:
        graph = {unquote(one["@id"]): one for one in json.loads(text)["@graph"]}  # ids are URIs: + stands there as %2B
        root = graph["./"]
        parts = {unquote(one["@id"]) for one in root.get("hasPart", ())}
    except (ValueError, KeyError, TypeError) as error:
        yield f"{CRATE} cannot be read ({error!r})"
        return
    yield from (
        f"{CRATE} has no {name}" for name in ("name", "description", "license", "datePublished") if not root.get(name)
    )
    for path in sorted({*hashes} - {CRATE}):
        if path not in parts or graph.get(path, {}).get("sha256") != hashes[path]:
            yield f"{CRATE} does not list {path} with its sha256"
