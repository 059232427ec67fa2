"""A DataCite API on 127.0.0.1 for tests and for trying a DOI out. The client that talks to it is DataCite's own, in `doi`."""

from __future__ import annotations

import base64
import re
from typing import Any

from map_assets.publication.loopback import Asked, Loopback, Reply

_EVENTS = {"publish": "findable", "register": "registered", "hide": "registered"}


class LoopbackDataCite(Loopback):
    """DOIs of one account; `dois` holds their attributes and their state.

    Parameters
    ----------
    user, password, prefix : str
        The account that it takes.
    """

    def __init__(self, user: str, password: str, prefix: str = "10.5072", port: int = 0) -> None:
        super().__init__(port)
        self.prefix = prefix
        self.dois: dict[str, dict[str, Any]] = {}
        self._key = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.headers.get("Authorization") != self._key:
            return Reply(401, {"errors": [{"status": "401", "title": "Bad credentials."}]})
        found = re.fullmatch(r"/dois(?:/(.+))?", asked.path)
        if found is None:
            return _refused(404, "Not found.")
        doi = found[1]
        if asked.method == "POST" and doi is None:
            return self._register(asked.json()["data"]["attributes"])
        if doi is None or doi.lower() not in self.dois:
            return _refused(404, "The DOI does not exist.")
        if asked.method == "PUT":
            return self._change(doi.lower(), asked.json()["data"]["attributes"])
        if asked.method == "DELETE":
            if self.dois[doi.lower()]["state"] != "draft":
                return _refused(405, "Method not allowed: only a draft can be deleted.")
            del self.dois[doi.lower()]
            return Reply(204)
        return Reply(200, self._told(doi.lower()))

    def _register(self, attributes: dict[str, Any]) -> Reply:
        doi = str(attributes.get("doi") or f"{attributes.get('prefix')}/made-up-{len(self.dois) + 1:04d}").lower()
        if not doi.startswith(f"{self.prefix}/"):
            return _refused(403, "The prefix is not yours.")
        if doi in self.dois:
            return _refused(422, "This DOI has already been taken.")
        self.dois[doi] = {**attributes, "doi": doi, "state": _EVENTS.get(str(attributes.get("event")), "draft")}
        return Reply(201, self._told(doi))

    def _change(self, doi: str, attributes: dict[str, Any]) -> Reply:
        state = _EVENTS.get(str(attributes.get("event")), self.dois[doi]["state"])
        changed = {**self.dois[doi], **attributes, "doi": doi, "state": state}
        missing = [
            name
            for name in ("url", "titles", "creators", "publisher", "publicationYear", "types")
            if not changed.get(name)
        ]
        if state == "findable" and missing:
            return _refused(422, f"{', '.join(missing)} can't be blank")
        self.dois[doi] = changed
        return Reply(200, self._told(doi))

    def _told(self, doi: str) -> dict[str, Any]:
        return {"data": {"id": doi, "type": "dois", "attributes": self.dois[doi]}}


def _refused(status: int, why: str) -> Reply:
    return Reply(status, {"errors": [{"status": str(status), "title": why}]})
