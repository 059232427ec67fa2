"""What a bucket's refusals mean. Nothing that the service or the client wrote is quoted but its code: it may hold keys.

The client's own errors carry addresses, headers and replies; none of them is chained or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Final

from map_assets.archive.backends.protocol import ArchiveBlocked, ArchiveNotReady, NotInArchive
from map_assets.vocabulary.errors import MapAssetsError, UnsafePath

_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_NEEDS_A_PERSON: Final = re.compile(
    "NoSuchBucket|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|Quota|StorageFull|"
    "InsufficientStorage|AllAccessDisabled|AccountProblem|RequestTimeTooSkewed|InvalidBucketState|KMS"
)


class AlreadyThere(Exception):
    """The name is taken; whether by these bytes is for the caller to see."""


@contextmanager
def said_plainly(archive: str, path: PurePosixPath) -> Iterator[None]:
    """Turn the client's errors into the archive's, with the service's code and nothing else of what it wrote.

    Raises
    ------
    AlreadyThere
        If the name is taken.
    NotInArchive, ArchiveBlocked, ArchiveNotReady, UnsafePath
    """
    from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except MapAssetsError:
        raise
    except AlreadyExistsError:
        raise AlreadyThere from None
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise _blocked(archive, path, "NoSuchBucket") from None
        raise NotInArchive(f"The archive {archive} has no file {path}.") from None
    except (PermissionError, PermissionDeniedError, UnauthenticatedError) as error:
        raise _blocked(archive, path, _code(error)) from None
    except (BaseError, OSError) as error:
        code = _code(error)
        if code == "KeyTooLongError":
            raise unsafe(path) from None
        if _NEEDS_A_PERSON.search(code) or code == "507":
            raise _blocked(archive, path, code) from None
        raise ArchiveNotReady(
            f"The archive {archive} could not be asked for {path} ({code}); it is tried again."
        ) from None


def unsafe(path: PurePosixPath) -> UnsafePath:
    """Return the refusal of a name that a bucket cannot hold."""
    return UnsafePath(
        ascii(str(path)),
        "a bucket cannot hold this name",
        expected="at most 1024 bytes of UTF-8 without control characters or empty parts",
        todo="Rename the file.",
    )


def _code(error: BaseException) -> str:
    text = str(error)
    found = _CODE.search(text) or _STATUS.search(text)
    return found[1] if found else "no answer"


def _blocked(archive: str, path: PurePosixPath, code: str) -> ArchiveBlocked:
    return ArchiveBlocked(
        f"The archive {archive} refused {path} ({code}). Check the bucket's name, room and permissions, and the keys in "
        "the environment; then run again."
    )
