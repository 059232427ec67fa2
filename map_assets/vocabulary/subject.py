"""A subject and a lab as the rooms see them. The registry that people edit lives in `lab`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Subject:
    """An animal of the registry; None is unknown.

    Parameters
    ----------
    subject_id : str
        The animal's own number in the registry.
    animal : str
        Its water-restriction name, which the rigs write into file names.
    sex : str
        ``M``, ``F`` or ``U`` (unknown).
    species : str
        Latin binomial.
    person : str or None
        Full name ("Last, First") of who works with the animal; the login where no full name is registered.
    """

    subject_id: str
    animal: str
    sex: str = "U"
    species: str = "Mus musculus"
    date_of_birth: date | None = None
    strain: str | None = None
    genotype: str | None = None
    source: str | None = None
    person: str | None = None


@dataclass(frozen=True)
class Insertion:
    """Where a probe was aimed, as the registry has it; None is unknown.

    Coordinates in um from the skull reference: anterior, right and dorsal positive; angles in degrees.
    """

    animal: str
    session_date: date
    behavior_time: str | None
    probe: int
    skull_reference: str | None = None
    ap_um: float | None = None
    ml_um: float | None = None
    depth_um: float | None = None
    theta_deg: float | None = None
    phi_deg: float | None = None
    beta_deg: float | None = None
    brain_area: str | None = None
    hemisphere: str | None = None


@dataclass(frozen=True)
class Laboratory:
    """Who publishes; None is unknown."""

    name: str | None = None
    institution: str | None = None
