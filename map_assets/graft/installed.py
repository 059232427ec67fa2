"""Which grafted analyses are installed beside the project: entry points of the group ``map_assets.analyses``. What one declares lives in `declare`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from map_assets.graft.declare import Graft
from map_assets.vocabulary.errors import MapAssetsError

GROUP = "map_assets.analyses"


class NoSuchGraft(MapAssetsError):
    """No analysis of that name is installed."""


@dataclass(frozen=True)
class Installed:
    """One installed analysis: where it is from, and what it declares, or why it cannot be loaded.

    Parameters
    ----------
    name : str
        Of its entry point.
    package, package_version : str
    graft : Graft or None
    fault : str
        Empty where it was loaded.
    """

    name: str
    package: str
    package_version: str
    graft: Graft | None
    fault: str = ""


def installed() -> list[Installed]:
    """Load every analysis that is installed; one that cannot be loaded is told of and stops nothing.

    Two of one namespace and name are a fault of the second.
    """
    return _loaded(entry_points(group=GROUP))


def _loaded(points: Iterable[EntryPoint]) -> list[Installed]:
    found: list[Installed] = []
    seen: dict[tuple[str, str], str] = {}
    for point in sorted(points, key=lambda one: (one.name, one.value)):
        one = _load(point)
        if one.graft is not None:
            key = (one.graft.namespace, one.graft.name)
            if key in seen:
                fault = f"{key[1]} of {key[0]} is declared by {seen[key]} already"
                one = Installed(one.name, one.package, one.package_version, None, fault)
            seen.setdefault(key, one.package)
        found.append(one)
    return found


def _load(point: EntryPoint) -> Installed:
    package = point.dist.name if point.dist is not None else point.value.partition(":")[0]
    version = point.dist.version if point.dist is not None else ""
    try:
        graft = point.load()
    except Exception as error:  # noqa: BLE001 - whatever somebody's package does wrong, it stops nobody else's work
        return Installed(point.name, package, version, None, f"{type(error).__name__}: {error}")
    if not isinstance(graft, Graft):
        return Installed(point.name, package, version, None, f"{point.value} is no analysis but {type(graft).__name__}")
    return Installed(point.name, package, version, graft)


def grafts() -> list[Graft]:
    """Every installed analysis that could be loaded."""
    return [one.graft for one in installed() if one.graft is not None]


def graft_named(name: str) -> Installed:
    """Find an installed analysis by its name, or by ``namespace/name``.

    Raises
    ------
    NoSuchGraft
        If there is none, or it cannot be loaded, or several people have one of that name.
    """
    everything = installed()
    for one in everything:
        if one.graft is None and one.name == name:
            raise NoSuchGraft(f"The analysis {name} of package {one.package} cannot be loaded: {one.fault}.")
    loaded = [(one, one.graft) for one in everything if one.graft is not None]
    fit = [one for one, graft in loaded if name in {graft.name, f"{graft.namespace}/{graft.name}"}]
    if len(fit) == 1:
        return fit[0]
    if fit:
        names = ", ".join(f"{graft.namespace}/{graft.name}" for _, graft in loaded if graft.name == name)
        raise NoSuchGraft(f"Several analyses are named {name}; name one of {names}.")
    known = ", ".join(graft.name for _, graft in loaded) or "none"
    raise NoSuchGraft(f"No analysis {name} is installed here ({known}); install its package: pip install -e FOLDER.")
