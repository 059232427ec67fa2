"""Which bucket holds the archive. Keys are never configured: they come from the environment alone. Using them lives in `s3`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar, Final

from map_assets.vocabulary.errors import BadConfiguration

CREDENTIALS: Final = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
)
"""Sets of environment variables, each of which is enough to be known to the service."""


@dataclass(frozen=True)
class S3Settings:
    """A bucket of S3, or of a service that speaks its language.

    Parameters
    ----------
    bucket : str
        It must be there; versioning and object lock, set by its owner, guard it against other programs.
    prefix : str
        Folder in the bucket under which the archive stands; empty for the whole bucket.
    endpoint : str or None
        ``https://host`` of the service; None for Amazon's.
    region : str

    Raises
    ------
    BadConfiguration
        If the bucket has no name, or endpoint or prefix hold what they may not.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # where the configuration file is read into it

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"

    def __post_init__(self) -> None:
        """Refuse what cannot be used."""
        if not self.bucket or "/" in self.bucket:
            raise BadConfiguration(f"[archive] bucket = {self.bucket!r} is no name of a bucket; give its name alone.")
        if any(part in {"", ".", ".."} for part in self.prefix.split("/")) and self.prefix:
            raise BadConfiguration(
                f"[archive] prefix = {self.prefix!r} is no folder; expected names with / between them."
            )
        if self.endpoint is not None and not self.endpoint.startswith(("https://", "http://")):
            raise BadConfiguration(
                f"[archive] endpoint = {self.endpoint!r} is no address; expected https://host[:port]."
            )
        if self.endpoint is not None and "@" in self.endpoint:
            raise BadConfiguration(
                "[archive] endpoint holds a user's name or password; keys come from the environment."
            )

    @property
    def location(self) -> str:
        """Where the archive is, in words that a receipt can quote."""
        return "/".join(part for part in (self.endpoint or "s3:/", self.bucket, self.prefix) if part)


def has_credentials() -> bool:
    """Whether the environment names credentials."""
    return any(all(os.environ.get(name) for name in names) for names in CREDENTIALS)
