"""A loopback service over a laboratory's folders, with the settings of a client that uses it. What it plays lives in `service`."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from map_assets.archive.backends.globus_settings import SECRET_VARIABLE, GlobusSettings
from map_assets.archive.globus_loopback.collections import Collection
from map_assets.archive.globus_loopback.service import LoopbackGlobus


@dataclass(frozen=True)
class RunningLoopback:
    """A service that runs, and how to use it.

    Parameters
    ----------
    service : LoopbackGlobus
    settings : GlobusSettings
        What `[archive.globus]` would say.
    secret : str
        The client's; it is in this process's environment while the service runs.
    """

    service: LoopbackGlobus
    settings: GlobusSettings
    secret: str


@contextmanager
def start_loopback(
    shares: Mapping[str, Path],
    archive: Path,
    work: Path,
    *,
    verification: Literal["mount", "restore"] = "mount",
    is_mount_writable: bool = True,
    port: int = 0,
    changed: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> Iterator[RunningLoopback]:
    """Serve each share and the archive as a collection, until the block ends.

    Parameters
    ----------
    shares : mapping of str to pathlib.Path
        Root of each share, by its name.
    archive : pathlib.Path
        Root of the archive; made where it is not there.
    work : pathlib.Path
        For scratch, outbox and records.
    verification : str
        ``mount``: the archive's folder is read here; ``restore``: files come back through the service, and the archive
        is not mounted.
    is_mount_writable : bool
    changed : mapping, optional
        Fields of a `Collection`, by the share's name or ``archive``, ``scratch``, ``outbox``.
    **more
        Other fields of GlobusSettings.
    """
    folders = {**shares, "archive": archive, "scratch": work / "scratch", "outbox": work / "outbox"}
    collections = {}
    for name, folder in folders.items():
        if name not in shares:
            folder.mkdir(parents=True, exist_ok=True)
        collection = Collection(str(uuid5(NAMESPACE_URL, f"map-assets/{name}")), folder)
        collections[name] = replace(collection, **(changed or {}).get(name, {}))
    secret, client = secrets.token_urlsafe(24), str(uuid5(NAMESPACE_URL, "map-assets/client"))
    served = {name: {"collection": one.collection} for name, one in collections.items()}
    mounted = {"mount": archive, "is_mount_writable": is_mount_writable} if verification == "mount" else {}
    with LoopbackGlobus(collections.values(), client, secret, port) as service, _in_environment(secret):
        settings = GlobusSettings.model_validate(
            {
                "client_id": client,
                "shares": {name: served[name] for name in shares},
                "destination": {**served["archive"], **mounted},
                "verification": verification,
                "scratch": {**served["scratch"], "folder": folders["scratch"]},
                "outbox": {**served["outbox"], "folder": folders["outbox"]},
                "records": work / "records",
                "poll_s": 0.02,
                "requests_per_s": 10_000,
                "loopback": service.url,
                **more,
            }
        )
        yield RunningLoopback(service, settings, secret)


def as_toml(settings: GlobusSettings) -> str:
    """Write settings as the section ``[archive.globus]`` of a configuration file; the secret is not among them."""
    lines: list[str] = []

    def write(name: str, values: Mapping[str, Any]) -> None:
        lines.append(f"[{name}]")
        tables = {key: value for key, value in values.items() if isinstance(value, dict)}
        lines.extend(f"{key} = {json.dumps(value)}" for key, value in values.items() if key not in tables)
        for key, table in tables.items():
            write(f"{name}.{json.dumps(key)}", table)

    write("archive.globus", settings.model_dump(mode="json", exclude_none=True))
    return "\n".join(lines) + "\n"


@contextmanager
def _in_environment(secret: str) -> Iterator[None]:
    before = os.environ.get(SECRET_VARIABLE)
    os.environ[SECRET_VARIABLE] = secret
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(SECRET_VARIABLE, None)
        else:
            os.environ[SECRET_VARIABLE] = before
