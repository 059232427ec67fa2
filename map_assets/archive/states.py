"""The states of a file on its way into the archive and off the share, and the steps allowed between them.

::

    MANIFESTED -> SUBMITTED -> TRANSFERRED -> VERIFIED -> RECEIPTED -> APPROVED -> REMOVING -> QUARANTINED -> REMOVED

Before these, a file is found and stands still: that is the ledger's part (`shares`). Beside them: UNSTABLE (its bytes
are not those of the manifest: a new manifest takes it up), FAILED (tried again, so many times), BLOCKED (a person is
needed), CONFLICT (the archive holds other bytes under its name), HELD (removal was stopped, the source stands),
SUSPECT (the archived copy could not be proven at the last look; nothing is removed).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a file of a batch stands."""

    MANIFESTED = "MANIFESTED"
    SUBMITTED = "SUBMITTED"
    TRANSFERRED = "TRANSFERRED"
    VERIFIED = "VERIFIED"
    RECEIPTED = "RECEIPTED"
    APPROVED = "APPROVED"
    REMOVING = "REMOVING"
    QUARANTINED = "QUARANTINED"
    REMOVED = "REMOVED"
    UNSTABLE = "UNSTABLE"
    FAILED = "FAILED"
    BLOCKED = "BLOCKED"
    CONFLICT = "CONFLICT"
    HELD = "HELD"
    SUSPECT = "SUSPECT"


_S = State
STEPS: Final[dict[State, frozenset[State]]] = {
    _S.MANIFESTED: frozenset(
        {_S.SUBMITTED, _S.TRANSFERRED, _S.FAILED, _S.BLOCKED, _S.CONFLICT, _S.UNSTABLE},
    ),
    _S.SUBMITTED: frozenset({_S.TRANSFERRED, _S.FAILED, _S.BLOCKED, _S.CONFLICT, _S.UNSTABLE}),
    _S.TRANSFERRED: frozenset({_S.VERIFIED, _S.FAILED, _S.BLOCKED, _S.CONFLICT}),
    _S.VERIFIED: frozenset({_S.RECEIPTED, _S.SUSPECT}),
    _S.RECEIPTED: frozenset({_S.APPROVED, _S.HELD, _S.SUSPECT}),
    _S.APPROVED: frozenset({_S.REMOVING, _S.HELD, _S.RECEIPTED, _S.SUSPECT}),
    _S.REMOVING: frozenset({_S.QUARANTINED, _S.HELD, _S.SUSPECT}),
    _S.QUARANTINED: frozenset({_S.REMOVED, _S.HELD, _S.SUSPECT}),
    _S.REMOVED: frozenset({_S.SUSPECT}),
    _S.UNSTABLE: frozenset(),
    _S.FAILED: frozenset({_S.SUBMITTED, _S.TRANSFERRED, _S.BLOCKED, _S.CONFLICT, _S.UNSTABLE, _S.FAILED}),
    _S.BLOCKED: frozenset({_S.MANIFESTED, _S.UNSTABLE}),
    _S.CONFLICT: frozenset({_S.MANIFESTED, _S.UNSTABLE}),
    _S.HELD: frozenset({_S.RECEIPTED, _S.SUSPECT}),
    _S.SUSPECT: frozenset({_S.RECEIPTED, _S.REMOVED, _S.FAILED, _S.BLOCKED}),
}
"""Steps that the journal takes; it refuses every other."""

PROVEN: Final = frozenset(
    {_S.VERIFIED, _S.RECEIPTED, _S.APPROVED, _S.REMOVING, _S.QUARANTINED, _S.REMOVED, _S.HELD},
)
"""States in which a copy in the archive has been read back equal to the manifest."""

ON_ITS_WAY: Final = frozenset({_S.MANIFESTED, _S.SUBMITTED, _S.TRANSFERRED, _S.FAILED})
"""States from which the pipeline goes on by itself."""
