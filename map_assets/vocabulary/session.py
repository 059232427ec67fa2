"""SessionKey: the one text form of a session, used as partition key, file name and URL. Grouping files lives in `shares`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time

from map_assets.vocabulary.errors import NameDoesNotParse

_KEY = re.compile(r"(?P<animal>[A-Za-z0-9][A-Za-z0-9-]{0,30})_(?P<date>\d{8})_(?P<time>\d{6})")


@dataclass(frozen=True, order=True)
class SessionKey:
    """One animal, one recording: ``{animal}_{YYYYMMDD}_{HHMMSS}``.

    Parameters
    ----------
    animal : str
        The animal's water-restriction name; letters, digits and hyphens.
    name_date, name_time : datetime.date, datetime.time
        Date and time in the behaviour file's name (the rig's wall clock; not the start of the session).
    """

    animal: str
    name_date: date
    name_time: time

    @classmethod
    def parse(cls, text: str) -> SessionKey:
        """Read a key's text form.

        Raises
        ------
        NameDoesNotParse
            If `text` is not ``{animal}_{YYYYMMDD}_{HHMMSS}`` with a real date and time.
        """
        found = _KEY.fullmatch(text)
        expected = "{animal}_{YYYYMMDD}_{HHMMSS}, as in SC022_20190228_151010"
        if found is None:
            raise NameDoesNotParse(text, "not a session key", expected=expected, todo="Correct the key.")
        try:
            moment = datetime.strptime(found["date"] + found["time"], "%Y%m%d%H%M%S")
        except ValueError:
            raise NameDoesNotParse(
                text, "its date or time does not exist", expected=expected, todo="Correct the key."
            ) from None
        return cls(found["animal"], moment.date(), moment.time())

    def __str__(self) -> str:
        return f"{self.animal}_{self.name_date:%Y%m%d}_{self.name_time:%H%M%S}"
