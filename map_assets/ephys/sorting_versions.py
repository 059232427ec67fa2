"""What makes two readings of a probe's sorting one version, and which version is current. Folders are read in `sortings`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from map_assets.ephys.sorters.protocol import SorterResult
from map_assets.vocabulary.sorting import SortingChoice

DERIVED = "cluster_info"
"""Phy writes this table anew, out of the other files and with figures of its own, whenever it saves."""
_DIGITS = 10
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Candidate:
    """What a version has to say for itself; `sorted_at` is None where its files do not tell."""

    sorting: str
    curation: str
    sorted_at: datetime | None


def content_of(result: SorterResult) -> str:
    """Hash what a sorter's files say of units and spikes; 10 hex digits.

    Unit ids, trains, labels and metrics count; the folder's name and age do not, nor what is computed with the
    recording's scale, which may arrive later: one sorting stays one version wherever and whenever it is read. The file
    `DERIVED` does not count either.
    """
    digest = hashlib.sha256()
    trains = result.trains
    for array in (trains.unit_ids, trains.offsets, trains.samples):
        digest.update(np.ascontiguousarray(array, np.int64).view(np.uint8).data)
    for name, values in sorted(result.measures.metrics.items()):
        plain = np.where(np.isnan(values), np.nan, values)  # one NaN for all
        digest.update(name.encode() + plain.astype(np.float64).tobytes())
    labels = result.labels
    told = zip(labels.unit_id, labels.source, labels.name, labels.value, strict=True)
    every = sorted(label for label in told if label[1].rpartition(".")[0] != DERIVED)
    digest.update(json.dumps([result.quality, result.sorter_label, every]).encode())
    return digest.hexdigest()[:_DIGITS]


def bare_content(units: pa.Table, spikes: pa.Table) -> str:
    """Hash what tables of one version's units and spikes have had in every form: ids, trains, quality; 10 hex digits.

    It names versions out of tables that were written before versions had names.
    """
    ordered, trains = units.sort_by("unit_id"), spikes.sort_by("unit_id")
    digest = hashlib.sha256()
    for array in (trains["unit_id"], pc.list_value_length(trains["samples"]), pc.list_flatten(trains["samples"])):
        digest.update(np.ascontiguousarray(array.to_numpy(), np.int64).view(np.uint8).data)
    digest.update(json.dumps([ordered["unit_id"].to_pylist(), ordered["quality"].to_pylist()]).encode())
    return digest.hexdigest()[:_DIGITS]


def version_id(sorter: str, content: str) -> str:
    """Name a version after its sorter and its content."""
    return f"{sorter}-{content}"


def content_in(sorting: str) -> str:
    """Return the content that a version's name tells."""
    return sorting.rpartition("-")[2]


def choose_current(candidates: Sequence[Candidate], choice: SortingChoice | None = None) -> tuple[str, str]:
    """Decide which of a probe's versions is current.

    A person's choice counts while the version that it names exists. Else curated goes before raw, then the younger
    before the older, then the first by name.

    Parameters
    ----------
    candidates : sequence of Candidate
        At least one.
    choice : SortingChoice, optional
        The person's word that stands.

    Returns
    -------
    sorting, because : str
        The version, and the reason in a few words.
    """
    if choice is not None and any(one.sorting == choice.sorting for one in candidates):
        return choice.sorting, f"chosen by {choice.who} on {choice.at:%Y-%m-%d}: {choice.why}"
    ranked = sorted(candidates, key=lambda one: one.sorting)
    ranked.sort(key=lambda one: one.sorted_at or _LONG_AGO, reverse=True)
    ranked.sort(key=lambda one: one.curation != "curated")
    first, *rest = ranked
    return first.sorting, _because(first, rest)


def _because(first: Candidate, rest: Sequence[Candidate]) -> str:
    if not rest:
        return "the only one"
    equals = [one for one in rest if one.curation == first.curation]
    if not equals:
        return "curated before raw"
    which = "the first by name of the youngest" if equals[0].sorted_at == first.sorted_at else "the youngest"
    if len(equals) == len(rest):
        return which
    return f"curated before raw, and {which} of the curated"
