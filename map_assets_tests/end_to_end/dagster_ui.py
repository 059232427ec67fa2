"""Asking a running webserver over GraphQL, as its own pages do."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

_RUNS = """
query($tags: [ExecutionTag!]) {
  runsOrError(filter: {tags: $tags}) {
    ... on Runs { results { runId status assetSelection { path } tags { key value } } }
  }
}
"""
_ASSET = """
query($path: [String!]!, $partitions: [String!]) {
  assetOrError(assetKey: {path: $path}) {
    ... on Asset { assetMaterializations(partitions: $partitions) { runId partition metadataEntries { label description
      ... on MarkdownMetadataEntry { mdStr } ... on IntMetadataEntry { intValue } } } }
  }
}
"""
_SENSORS = """
query { sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "map_assets"}) {
  ... on Sensors { results { name sensorState { status } } } ... on PythonError { message }
} }
"""


class DagsterUi:
    """The GraphQL door of a webserver."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, **variables: Any) -> Any:
        """Send one query and return its data."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = json.load(answer)
        assert "errors" not in said, said["errors"]
        return said["data"]

    def runs(self, session: str) -> list[dict[str, Any]]:
        """Runs of a session, newest first."""
        tags = [{"key": "dagster/partition", "value": session}]
        return list(self.ask(_RUNS, tags=tags)["runsOrError"]["results"])

    def materializations(self, asset: str, session: str) -> list[dict[str, Any]]:
        """Materializations of a session's asset, newest first."""
        found = self.ask(_ASSET, path=[asset], partitions=[session])["assetOrError"]
        return list(found.get("assetMaterializations", []))

    def sensors(self) -> dict[str, str]:
        """Status of each sensor."""
        return {row["name"]: row["sensorState"]["status"] for row in self.ask(_SENSORS)["sensorsOrError"]["results"]}


def until(said: str, holds: Callable[[], Any], limit_s: float = 240.0) -> Any:
    """Wait until something holds; fail with a sentence when it does not in time."""
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        found = holds()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"within {limit_s:.0f} s it did not come about that {said}")
