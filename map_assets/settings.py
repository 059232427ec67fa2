"""The sections of the configuration file, and what is allowed in each. Finding and reading the file lives in `config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from map_assets.archive.backends.globus_settings import GlobusSettings
from map_assets.archive.backends.s3_settings import S3Settings
from map_assets.archive.removal_policy import RemovalPolicy

ShareKind = Literal["behavior", "tracking", "ephys", "histology", "raw"]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class ShareSettings(BaseModel):
    """One network share (``[shares.NAME]``)."""

    model_config = _STRICT
    kind: ShareKind
    path: Path
    rig: str | None = None
    settle_s: Annotated[float, Field(ge=0)] = 600.0
    marker: str | None = None
    """Text that the file ``.map_assets_share`` in the root must hold; None takes what is there at first sight."""


class LabSettings(BaseModel):
    """The laboratory (``[lab]``)."""

    model_config = _STRICT
    name: str | None = None
    institution: str | None = None
    time_zone: str | None = None
    """IANA zone of the rigs' wall clocks; None takes this machine's and says so in `sessions`."""
    keywords: tuple[str, ...] = ()
    """Keywords of every NWB file, beside those that follow from its tables."""
    related_publications: tuple[str, ...] = ()
    """Publications on the lab's data, as doi:10.1101/2023.03.01.530520; they stand in every NWB file."""

    @field_validator("time_zone")
    @classmethod
    def _exists(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"{value!r} is no IANA time zone; expected one as in America/New_York") from error
        return value


class StoreSettings(BaseModel):
    """Tables, figures, exports (``[store]``)."""

    model_config = _STRICT
    root: Path = Path("data/store")


class RegistrySettings(BaseModel):
    """The lab's database (``[registry]``)."""

    model_config = _STRICT
    url: str = "sqlite:///data/registry.db"


class ArchiveSettings(BaseModel):
    """Where raw data go (``[archive]``)."""

    model_config = _STRICT
    backend: Literal["folder", "globus", "s3"] = "folder"
    root: Path = Path("data/archive")
    """Of an archive in a folder."""
    globus: GlobusSettings | None = None
    s3: S3Settings | None = None
    removal: RemovalPolicy = RemovalPolicy()
    poll_interval_s: Annotated[int, Field(ge=1)] = 60
    """How often transfers under way are looked at."""
    fixity_bytes_a_night: Annotated[int, Field(ge=0)] = 2 * 10**12
    """How much of the archive is read again each night, the longest unread first."""


class CcfSettings(BaseModel):
    """The brain atlas (``[ccf]``)."""

    model_config = _STRICT
    annotation: Path | None = None
    """The Allen CCF annotation volume, nrrd at 10, 20 or 25 um; None leaves regions out."""


class OrchestrationSettings(BaseModel):
    """The orchestrator (``[orchestration]``)."""

    model_config = _STRICT
    home: Path = Path("data/dagster")
    scan_interval_s: Annotated[int, Field(ge=1)] = 30
    webserver_host: str = "127.0.0.1"
    webserver_port: Annotated[int, Field(ge=0, le=65535)] = 3000


class ProtocolSettings(BaseModel):
    """The lab's own files in the place of those that come with the package (``[protocols]``); None takes the package's."""

    model_config = _STRICT
    behavior: Path | None = None
    """Folder with the tasks' protocol files."""
    cameras: Path | None = None
    pulses: Path | None = None
    """How trial codes look as pulses."""
    unit_criteria: Path | None = None
    conditions: Path | None = None
    """Named choices of trials."""
    analyses: Path | None = None
    """Parameters of the analyses; what it leaves out is as in the package's."""
