"""Whether an ORCID, a date, a language or a DOI is what it says it is. What they are written into lives in `about` and `datacite`."""

from __future__ import annotations

import re
from datetime import date, datetime

_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
_DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_LANGUAGE = re.compile(
    r"[a-z]{2,3}(-[a-z]{3}){0,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(-([a-z\d]{5,8}|\d[a-z\d]{3}))*"
    r"(-[a-wyz\d](-[a-z\d]{2,8})+)*(-x(-[a-z\d]{1,8})+)?",
    re.IGNORECASE,
)


def orcid(text: str) -> str:
    """Return an ORCID's sixteen digits in groups, without an address.

    The last digit is a check digit by ISO 7064, MOD 11-2.

    Raises
    ------
    ValueError
        If its form or its check digit is wrong.
    """
    found = _ORCID.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no ORCID; expected four groups of four digits, as 0000-0002-1825-0097")
    digits = found[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    due = (12 - total % 11) % 11
    if digits[-1] != ("X" if due == 10 else str(due)):
        raise ValueError(f"{text!r} is no ORCID: its check digit is wrong; copy it from orcid.org")
    return found[1]


def iso_date(text: str) -> str:
    """Return a date that ISO 8601 and DataCite take: a year, month, day or instant, or two of them with a slash between.

    Raises
    ------
    ValueError
        If it is anything else, as 01/05/2026, which is two different days for two readers.
    """
    expected = "expected ISO 8601, as 2026-05-01"
    ends = text.split("/")
    if len(ends) > 2 or not any(ends):
        raise ValueError(f"{text!r} is no date; {expected}")
    for end in filter(None, ends):
        try:
            if _DAY.fullmatch(end):
                date.fromisoformat(end + "-01-01"[: 0 if len(end) == 10 else 3 if len(end) == 7 else 6])
            elif "T" not in end:
                raise ValueError(end)
            else:
                datetime.fromisoformat(end)
        except ValueError as error:
            raise ValueError(f"{text!r} is no date; {expected}") from error
    return text


def language(text: str) -> str:
    """Return a language tag of the form of BCP 47 (RFC 5646): two or three letters first, as ``en`` or ``pt-BR``.

    Whether the tag is registered is not looked up.

    Raises
    ------
    ValueError
        If it has another form, as "english".
    """
    if not _LANGUAGE.fullmatch(text):
        raise ValueError(f"{text!r} is no language tag; expected BCP 47, as en or pt-BR")
    return text


def doi(text: str) -> str:
    """Return a DOI without an address before it.

    Raises
    ------
    ValueError
        If it is none.
    """
    bare = re.sub(r"^(https?://(dx\.)?doi\.org/|doi:)", "", text.strip(), flags=re.IGNORECASE)
    if not _DOI.fullmatch(bare):
        raise ValueError(f"{text!r} is no DOI; expected 10.PREFIX/SUFFIX")
    return bare
