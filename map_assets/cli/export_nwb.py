"""A session's NWB file in another form than the store's: with a profile's names, or with raw data in it; gated as that one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from map_assets.cli import terminal
from map_assets.vocabulary.errors import NoSubject, UnreadableFile

if TYPE_CHECKING:
    import pyarrow as pa

    from map_assets.defs.services import Services
    from map_assets.nwb.inspect import Inspection
    from map_assets.store import Store

Profile = Literal["map-assets", "dandi-000363"]


@dataclass(frozen=True)
class Form:
    """How a file differs from the one in the store.

    Parameters
    ----------
    profile : str
    embeds_raw, embeds_video : bool
        Whether recordings, and images of videos, are copied into the file.
    """

    profile: Profile = "map-assets"
    embeds_raw: bool = False
    embeds_video: bool = False

    @property
    def is_the_stores(self) -> bool:
        """Whether the store's own file is meant."""
        return self == Form()

    def name(self, session: str) -> str:
        """Name of the file, another one for each form."""
        parts = [self.profile] * (self.profile != "map-assets") + ["raw"] * self.embeds_raw
        return "_".join([session, *parts, *["video"] * self.embeds_video]) + ".nwb"


def copy_standing(store: Store, session: str, row: Mapping[str, Any], target: Path) -> None:
    """Copy the NWB file that stands; where it is damaged, the same version from the store's history.

    Raises
    ------
    CannotExport
        If no file of the store holds the bytes that the record names.
    """
    from map_assets.exports.placing import CannotExport, NotTheBytes, copy_verified

    standing, sha256 = store.root / row["path"], row["sha256"]
    kept = [path for _, version, path in store.history("nwb", session, ".nwb") if version == sha256[:16]]
    for source in (standing, *reversed(kept)):
        try:
            copy_verified(source, target, sha256)
        except NotTheBytes:
            continue
        if source != standing:
            terminal.say(
                f"{session}: {standing} is damaged or gone; this is the same version from the store's history."
            )
        return
    raise CannotExport(
        f"Neither {standing} nor the store's history hold the bytes that the record of {session} names; "
        f"`map-assets ingest {session} --again nwb_file` makes it anew."
    )


def maker(
    found: Services, session: str, form: Form, tables: Mapping[str, pa.Table]
) -> tuple[Callable[[Path], None], Callable[[Path], bool]]:
    """Give what writes the file, and what says whether a file is it already.

    Raises
    ------
    NoSubject
        If the registry does not know the animal.
    """
    from map_assets.nwb.header import Publication
    from map_assets.nwb.write import identifier_of, write_nwb

    subject = found.registry.subject_of(session.partition("_")[0])
    if subject is None:
        raise NoSubject(
            f"The registry has no animal named as in {session}: import its row with `registry import SHEET`."
        )
    lab = found.config.lab
    how: dict[str, Any] = {
        "profile": form.profile,
        "publication": Publication(lab.keywords, lab.related_publications),
        "roots": {name: share.path for name, share in found.config.shares.items()},
        "embeds_raw": form.embeds_raw,
        "embeds_video": form.embeds_video,
    }

    def write(path: Path) -> None:
        from map_assets.store import replacing

        with replacing(path) as part:
            made = part.with_name(f"{part.name}.nwb")  # a gate looks at the name's end
            try:
                write_nwb(made, session, tables, subject, found.laboratory, **how)
                _refuse(path, form, _inspected(made, form, tables))
                _tell_left_out(session, made)
                made.replace(part)
            finally:
                made.unlink(missing_ok=True)

    def is_same(path: Path) -> bool:
        inspection = _inspected(path, form, tables)
        due = identifier_of(session, tables, subject, found.laboratory, **how)
        return inspection.identifier == due and _fault(form, inspection) is None

    return write, is_same


def _inspected(path: Path, form: Form, tables: Mapping[str, pa.Table]) -> Inspection:
    from map_assets.nwb.inspect import inspect_nwb

    return inspect_nwb(path, tables if form.profile == "map-assets" else None)


def _fault(form: Form, inspection: Inspection) -> str | None:
    """The first gate that the file does not pass; the published names keep the schema, not what is recommended today."""
    from map_assets.nwb.verdicts import nwb_gives_the_tables_back, nwb_is_clean, nwb_validates

    gates = [nwb_validates]
    gates += [nwb_is_clean, nwb_gives_the_tables_back] if form.profile == "map-assets" else []
    verdicts = ((gate.__name__, gate(inspection)) for gate in gates)
    return next((f"{name}: {verdict.description}" for name, verdict in verdicts if not verdict.passed), None)


def _refuse(path: Path, form: Form, inspection: Inspection) -> None:
    from map_assets.exports.placing import CannotExport

    fault = _fault(form, inspection)
    if fault is not None:
        raise CannotExport(f"{path.name} did not pass a gate and is not written: {fault}")


def _tell_left_out(session: str, path: Path) -> None:
    """Say what was asked for and is not in the file; its notes say it, too."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            notes = str(file["general/notes"].asstr()[()]) if "general/notes" in file else ""
    except OSError as error:
        raise UnreadableFile(
            path, f"cannot be read ({error})", expected="the file just written", todo="Try again."
        ) from error
    for sentence in notes.split(". "):
        if "not embedded" in sentence or "videos only" in sentence:
            terminal.say(f"{session}: {sentence.rstrip('.')}.")
