"""What can go wrong on the way out of the laboratory. Errors of files that come in live in `vocabulary`.

::

    MapAssetsError
    ├── PublishExtraMissing    a library of the extra `publish` is not installed
    ├── NotPublishable         a session's NWB file is missing, failed its gates, or is of other tables than stand
    ├── BadAbout               what people wrote about a release cannot be published as it stands
    ├── BadClaim               a claim is no number that SQL can give
    ├── NoSuchRelease          no release of that name
    ├── ReleaseStands          a release of that name stands, with other content
    ├── ReleaseDiffers         a release is not what it was when it was made
    ├── NotApproved            nobody approved exactly this
    ├── DandiConflict          the archive holds something else at that path; nothing is replaced unasked
    ├── DigestDiffers          the archive's digest is not the file's, or has not come
    └── ServiceFailed          a server could not be reached or refused
"""

from __future__ import annotations

from map_assets.vocabulary.errors import MapAssetsError


class PublishExtraMissing(MapAssetsError):
    """A library of the extra `publish` is not installed."""


class NotPublishable(MapAssetsError):
    """A session's NWB file is missing, failed its gates, or is made from other tables than those that stand."""


class BadAbout(MapAssetsError):
    """What people wrote about a release cannot be published as it stands."""


class BadClaim(MapAssetsError):
    """A claim is no number that SQL can give."""


class NoSuchRelease(MapAssetsError):
    """No release of that name."""


class ReleaseStands(MapAssetsError):
    """A release of that name stands, with other content."""


class ReleaseDiffers(MapAssetsError):
    """A release is not what it was when it was made."""


class NotApproved(MapAssetsError):
    """Nobody approved exactly this."""


class DandiConflict(MapAssetsError):
    """The archive holds something else at that path."""


class DigestDiffers(MapAssetsError):
    """The archive's digest is not the file's, or has not come."""


class ServiceFailed(MapAssetsError):
    """A server could not be reached or refused."""
