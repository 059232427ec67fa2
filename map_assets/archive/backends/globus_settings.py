"""What `[archive.globus]` may say, and where the client's secret is read. Talking to Globus lives in `globus_client`."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from map_assets.vocabulary.errors import BadConfiguration

SECRET_VARIABLE: Final = "MAP_ASSETS_GLOBUS_SECRET"  # noqa: S105
"""Environment variable with the client's secret; with ``_FILE`` behind it, the name of a file that holds it."""

_STRICT = ConfigDict(extra="forbid", frozen=True)


class CollectionSettings(BaseModel):
    """A folder of a Globus collection."""

    model_config = _STRICT
    collection: str
    """UUID of the collection."""
    path: str = "/"
    """Absolute path in the collection, with ``/``; never with ``~`` or ``..``."""
    local_user: str | None = None
    """Account on a mapped collection that the client is to be, where more than one is possible."""

    @field_validator("collection")
    @classmethod
    def _is_uuid(cls, value: str) -> str:
        try:
            return str(UUID(value))
        except ValueError as error:
            raise ValueError(f"{value!r} is no UUID of a collection") from error

    @field_validator("path")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        parts = value.split("/")
        if not value.startswith("/") or {"..", ".", "~"} & set(parts) or any(ord(letter) < 32 for letter in value):
            raise ValueError(
                f"{value!r} is no absolute path in a collection; expected one as /lab/archive, without ~ or .."
            )
        return "/" + "/".join(part for part in parts if part)

    def at(self, path: PurePosixPath | str) -> str:
        """Return the collection's path of something under this folder."""
        return f"{self.path.rstrip('/')}/{path}"

    def holds(self, other: CollectionSettings) -> bool:
        """Whether the other folder is this one or lies in it."""
        return self.collection == other.collection and PurePosixPath(other.path).is_relative_to(self.path)


class DestinationSettings(CollectionSettings):
    """Where the archive is (``[archive.globus.destination]``)."""

    mount: Path | None = None
    """The same folder, mounted on this machine; archived files are read back there."""
    is_mount_writable: bool = False
    """Whether names are given and receipts are written there; else both go through Globus."""


class ServedFolder(CollectionSettings):
    """A folder of this machine that a collection serves."""

    folder: Path


class GlobusSettings(BaseModel):
    """An archive that Globus fills (``[archive.globus]``); its client's secret is never here (`SECRET_VARIABLE`)."""

    model_config = _STRICT
    client_id: str
    """Of a confidential client (service account) that may read the shares' collections and write the archive's."""
    shares: dict[str, CollectionSettings]
    """For each share, the collection and path that serve its root."""
    destination: DestinationSettings
    verification: Literal["mount", "restore"] = "mount"
    """How archived files are read back: where the archive is mounted, or transferred back into `scratch`."""
    scratch: ServedFolder | None = None
    """Where files come back to, for `verification` by restore and for retrieval without a mount."""
    outbox: ServedFolder | None = None
    """From where receipts are sent, where there is no writable mount."""
    records: Path = Path("data/globus")
    """Folder for what must outlive a process: canaries, transfers back that are under way."""
    algorithm: Literal["SHA256", "MD5"] = "SHA256"
    """Checksum that the endpoints reckon; MD5 only where they know no other, and then without the manifest's hash."""
    has_canary: bool = True
    """Prove once a day, with a small file, that both ends check checksums, before more is sent."""
    items_per_task: Annotated[int, Field(ge=1, le=10_000)] = 500
    tasks_in_flight: Annotated[int, Field(ge=1, le=100)] = 3
    max_faults: Annotated[int, Field(ge=1)] = 20
    """After so many faults of changed or corrupt files a task is cancelled: Globus itself would go on for ever."""
    deadline_s: Annotated[float, Field(ge=60)] = 259_200.0
    """How long a task may take."""
    stuck_s: Annotated[float, Field(ge=0)] = 21_600.0
    """How long a task may stand still, an end of it unreachable, before a person is asked."""
    wait_s: Annotated[float, Field(ge=0)] = 600.0
    """How long a call waits for a transfer that it needs at once (a canary, a receipt, a file coming back)."""
    poll_s: Annotated[float, Field(gt=0)] = 5.0
    retries: Annotated[int, Field(ge=0, le=20)] = 6
    max_sleep_s: Annotated[float, Field(ge=0)] = 60.0
    """Longest sleep before a request is tried again, even where Globus asks for more."""
    requests_per_s: Annotated[float, Field(gt=0)] = 10.0
    """Globus allows 20 a second and user."""
    loopback: str | None = None
    """Address of a service on 127.0.0.1 that plays Globus, for tests and for trying it out."""

    @field_validator("loopback")
    @classmethod
    def _is_here(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme, urlsplit(value).hostname) != ("http", "127.0.0.1"):
            raise ValueError(
                f"{value!r} is not on this machine; expected http://127.0.0.1:PORT, or nothing for Globus itself"
            )
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.verification == "mount" and self.destination.mount is None:
            raise ValueError("verification = 'mount' needs destination.mount, the archive's folder on this machine")
        if self.verification == "restore" and self.scratch is None:
            raise ValueError("verification = 'restore' needs scratch, a folder here that a collection serves")
        if not (self.destination.mount is not None and self.destination.is_mount_writable) and self.outbox is None:
            raise ValueError("receipts need a writable destination.mount, or an outbox that a collection serves")
        for name, share in self.shares.items():
            if self.destination.holds(share) or share.holds(self.destination):
                raise ValueError(f"the archive and share {name!r} lie one in the other; they must stand apart")
        return self


def read_secret() -> str:
    """Read the client's secret from the environment, or from the file that is named there.

    Raises
    ------
    BadConfiguration
        If neither is there.
    """
    value, file = os.environ.get(SECRET_VARIABLE), os.environ.get(f"{SECRET_VARIABLE}_FILE")
    if not value and file:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise BadConfiguration(f"{SECRET_VARIABLE}_FILE names {file}, which cannot be read.") from None
    if not value:
        raise BadConfiguration(
            f"The Globus client's secret is not there; set {SECRET_VARIABLE}, or {SECRET_VARIABLE}_FILE with the name of "
            "a file that holds it. It never belongs into the configuration file."
        )
    return value
