"""Every error the project raises on purpose. What a caller does with one lives with the caller.

::

    MapAssetsError
    ├── BadInput                 a file is not what it should be: it goes to quarantine, its neighbours go on
    │   ├── UnreadableFile         damaged, truncated or of another format than its name says
    │   ├── NameDoesNotParse       the name carries no session
    │   ├── UnsafePath             a link, or a path that leaves its root
    │   ├── NoFormatRecognizes     no known task, sorter or histology format claims it
    │   ├── TwoFormatsRecognize    more than one claims it
    │   ├── TwoFilesOneSession     two different files for one session key
    │   ├── ChangedWhileRead       the file was written to while it was read
    │   ├── PiecesDoNotFit         files that belong together disagree (counts, ids, serial numbers)
    │   ├── CompanionMissing       a file that it cannot be read without has not arrived: the file waits, it is not set aside
    │   └── ClockDoesNotFit        two clocks cannot be matched within the limits
    │       └── TrialsAreAmbiguous   more than one numbering of the ephys trials is possible; both streams are shown
    ├── NotYet                   something named has still to arrive: wait
    │   ├── NoSuchTable            the store holds no such table for the session
    │   ├── UnderWay               something that was asked for is still being done by somebody else: look again later
    │   ├── NoSubject              the animal is not in the registry
    │   └── NoAnnotationVolume     the lab has named no CCF annotation volume, or it is not there
    ├── TableDoesNotFit          a frame breaks its table's declaration
    ├── BadSheet                 a registry sheet cannot be imported as it stands
    ├── ShareNotReady            a share is unreachable, empty or not the one it was
    ├── ArchiveConflict          the archive holds other bytes under that name; nothing is overwritten
    └── BadConfiguration         the configuration cannot be used as written
"""

from __future__ import annotations

from pathlib import Path


class MapAssetsError(Exception):
    """Base of all expected failures; its text is one plain sentence for a person."""


class BadInput(MapAssetsError):
    """A file is not what it should be.

    Parameters
    ----------
    path : pathlib.Path or str
        The file or folder.
    found : str
        What is wrong with it.
    expected : str
        What was expected instead.
    todo : str
        What a person can do about it.
    """

    def __init__(self, path: Path | str, found: str, *, expected: str, todo: str) -> None:
        self.path = Path(path)
        self.found = found
        self.expected = expected
        self.todo = todo
        super().__init__(f"{self.path.name}: {found}; expected {expected}. {todo}")


class UnreadableFile(BadInput):
    """Damaged, truncated or of another format than its name says."""


class NameDoesNotParse(BadInput):
    """The name carries no session."""


class UnsafePath(BadInput):
    """A link, or a path that leaves its root."""


class NoFormatRecognizes(BadInput):
    """No known task, sorter or histology format claims the file."""


class TwoFormatsRecognize(BadInput):
    """More than one format claims the file."""


class TwoFilesOneSession(BadInput):
    """Two different files name one session."""


class ChangedWhileRead(BadInput):
    """The file was written to while it was read."""


class PiecesDoNotFit(BadInput):
    """Files that belong together disagree."""


class CompanionMissing(BadInput):
    """A file that it cannot be read without has not arrived; it waits for that."""


class ClockDoesNotFit(BadInput):
    """Two clocks cannot be matched within the limits."""


class TrialsAreAmbiguous(ClockDoesNotFit):
    """More than one numbering of the ephys trials is possible; its text shows both streams around the first doubt."""


class NotYet(MapAssetsError):
    """Something named has still to arrive."""


class UnderWay(NotYet):
    """Something that was asked for is still being done by somebody else; nothing is wrong."""


class NoSuchTable(NotYet):
    """The store holds no such table for the session."""


class NoSubject(NotYet):
    """The animal is not in the registry."""


class NoAnnotationVolume(NotYet):
    """The lab has named no CCF annotation volume, or it is not where the configuration says."""


class TableDoesNotFit(MapAssetsError):
    """A frame breaks its table's declaration."""


class BadSheet(MapAssetsError):
    """A registry sheet cannot be imported as it stands."""


class ShareNotReady(MapAssetsError):
    """A share is unreachable, empty or not the one it was; nothing is concluded from it."""


class ArchiveConflict(MapAssetsError):
    """The archive holds other bytes under that name."""


class BadConfiguration(MapAssetsError):
    """The configuration cannot be used as written."""
