"""What must hold of the tables of removal. Proving bytes lives in `removal_gate`; here only tables are compared."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from map_assets.archive.states import State
from map_assets.vocabulary.table import Verdict

_NAMES = ["session", "share", "path", "sha256", "size"]


def every_removed_file_has_a_receipt(removed: pa.Table, receipt: pa.Table) -> Verdict:
    """Every file that is off its share, or in quarantine, is vouched for by a receipt, with its hash and size.

    Parameters
    ----------
    removed, receipt : pyarrow.Table
        SOURCE_REMOVED and ARCHIVE_RECEIPT of one session.
    """
    gone = removed.filter(pc.is_in(removed["state"], pa.array([str(State.QUARANTINED), str(State.REMOVED)])))
    without = gone.select(_NAMES).join(receipt.select(_NAMES), _NAMES, join_type="left anti")
    described = f"{gone.num_rows - without.num_rows} of {gone.num_rows} files that left their shares have a receipt"
    if without.num_rows:
        described += f"; the first without is {min(without['path'].to_pylist())}"
    figures = {"n_gone": gone.num_rows, "n_without": without.num_rows}
    return Verdict(without.num_rows == 0, f"{described}.", figures)


def no_removal_is_in_doubt(removed: pa.Table) -> Verdict:
    """No file's removal was stopped for a doubt that nobody has looked at.

    Parameters
    ----------
    removed : pyarrow.Table
        SOURCE_REMOVED of one session.
    """
    stopped = removed.filter(pc.is_in(removed["state"], pa.array([str(State.HELD), str(State.SUSPECT)])))
    described = f"{stopped.num_rows} of {removed.num_rows} removals were stopped"
    if stopped.num_rows:
        described += f"; the first: {stopped['reason'][0].as_py()}"
    return Verdict(
        stopped.num_rows == 0,
        described if described.endswith(".") else f"{described}.",
        {"n_stopped": stopped.num_rows},
    )
