"""From what the shares hold to the runs that are due: gathers states and asks `due`. Requesting runs is left to sensors and ingest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from map_assets.defs.due import Decision, decide
from map_assets.defs.services import Services
from map_assets.defs.stage import LAB, Stage
from map_assets.defs.stages import BY_NAME, LAB_STAGES, SESSION_STAGES
from map_assets.defs.state import parameters_of_all, state_of, volume_mark

DUE_TAG = "map_assets/due"


@dataclass(frozen=True)
class Due:
    """One run that is due: a session (or `LAB`) and its decision."""

    session: str
    decision: Decision

    @property
    def assets(self) -> list[str]:
        """Asset keys of the run."""
        return [table.name for name in self.decision.stages for table in BY_NAME[name].writes]


def due_for_lab(services: Services) -> Due | None:
    """Decide what the laboratory's own assets are due for."""
    return _due(services, LAB, LAB_STAGES, parameters_of_all(LAB_STAGES, services))


def due_for_sessions(
    services: Services, sessions: Iterable[str], parameters: Mapping[str, str] | None = None
) -> list[Due]:
    """Decide what each session is due for, and write down what the others wait for.

    Parameters
    ----------
    services : Services
    sessions : iterable of str
    parameters : mapping of str to str, optional
        `session_parameters`, where the caller asks for one session after the other.
    """
    settings = session_parameters(services) if parameters is None else parameters
    found = [_due(services, session, SESSION_STAGES, settings) for session in sessions]
    return [due for due in found if due is not None]


def session_parameters(services: Services) -> dict[str, str]:
    """Fingerprint the settings of every stage of a session; the protocol files are read for it."""
    return parameters_of_all(SESSION_STAGES, services)


def _due(services: Services, session: str, stages: Sequence[Stage], parameters: Mapping[str, str]) -> Due | None:
    decision = decide(stages, state_of(stages, services, session, parameters))
    services.ledger.set_waits(session, dict(decision.waits))
    return Due(session, decision) if decision.stages else None


def laboratory_mark(services: Services) -> str:
    """Fingerprint all that concerns every session: the code, the settings, the registry, the atlas.

    When it changes, every session is looked at again.
    """
    seen = {
        "stages": [[stage.name, stage.version] for stage in SESSION_STAGES],
        "parameters": session_parameters(services),
        "registry": services.registry.version(),
        "atlas": [services.store.version(table.name, LAB) for stage in LAB_STAGES for table in stage.writes],
        "volume": volume_mark(services.config),
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:16]
