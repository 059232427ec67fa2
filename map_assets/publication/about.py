"""What people say of a release: title, authors, licence. It is a TOML file, checked here; what is made of it lives beside."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from map_assets.publication import marks
from map_assets.publication.errors import BadAbout

LICENSES = {
    "CC-BY-4.0": ("https://creativecommons.org/licenses/by/4.0/", "Creative Commons Attribution 4.0 International"),
    "CC0-1.0": ("https://creativecommons.org/publicdomain/zero/1.0/", "Creative Commons Zero v1.0 Universal"),
}
"""The licences that the DANDI archive takes: address and full name by SPDX identifier."""

_STRICT = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
Words = Annotated[str, Field(min_length=1)]


def _day(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _whole_day(value: str) -> str:
    if len(marks.iso_date(value)) != 10 or "/" in value:
        raise ValueError(f"{value!r} is no day; expected ISO 8601, as 2026-05-01")
    return value


class Author(BaseModel):
    """One author; the first one with an email is whom readers may ask."""

    model_config = _STRICT
    family: Words
    given: Words
    orcid: Annotated[str, AfterValidator(marks.orcid)] | None = None
    affiliation: Words | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")] | None = None

    @property
    def name(self) -> str:
        """``Last, First``."""
        return f"{self.family}, {self.given}"


class About(BaseModel):
    """The file's content.

    Parameters
    ----------
    date : str
        Day of publication, ISO 8601.
    language : str
        BCP 47.
    license : str
        SPDX identifier of a licence that the DANDI archive takes.
    dandiset : str or None
        Six digits.
    url : str or None
        Landing page; a DOI needs one before it can be found.
    cites : tuple of str
        DOIs of papers that the release is a supplement to.
    """

    model_config = _STRICT
    title: Words
    description: Words
    publisher: Words
    date: Annotated[str, BeforeValidator(_day), AfterValidator(_whole_day)]
    author: Annotated[tuple[Author, ...], Field(min_length=1)]
    license: Literal["CC-BY-4.0", "CC0-1.0"] = "CC-BY-4.0"
    language: Annotated[str, AfterValidator(marks.language)] = "en"
    version: Words = "1"
    keywords: tuple[Words, ...] = ()
    dandiset: Annotated[str, Field(pattern=r"^\d{6}$")] | None = None
    doi: Annotated[str, AfterValidator(marks.doi)] | None = None
    url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    cites: tuple[Annotated[str, AfterValidator(marks.doi)], ...] = ()

    @property
    def contact(self) -> Author | None:
        """Whom readers may ask."""
        return next((one for one in self.author if one.email), None)


def read_about(path: Path) -> About:
    """Read and check what people say of a release.

    Raises
    ------
    BadAbout
        If it is no TOML, or a date, ORCID, language, licence or DOI in it is none; the text names the first.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadAbout(f"{path.name} cannot be read as TOML: {error}.") from error
    try:
        return About(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        said = first["msg"].removeprefix("Value error, ")
        raise BadAbout(f"{path.name}: {where}: {said}. Correct it and try again.") from error
