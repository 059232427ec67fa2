"""Which of a session's tables may be given away: none that a blocking check refused, or that rests on tables that are gone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from map_assets.cli import terminal
from map_assets.cli.laboratory import ledger_if_there

if TYPE_CHECKING:
    from map_assets.defs.services import Services

_REFUSED = "did not pass its checks"


def usable_tables(required: Sequence[str], optional: Sequence[str], found: Services, session: str) -> list[str]:
    """Name the tables that a file may be made from: none that is in doubt."""
    from map_assets.exports.placing import CannotExport

    in_doubt = doubts(found, session)
    for name in required:
        if name in in_doubt:
            raise CannotExport(f"The table {name} of {session} {in_doubt[name]} and is not given away.")
    for name in optional:
        if name in in_doubt:
            terminal.say(f"{session}: {name} is left out, for it {in_doubt[name]}.")
    return [name for name in (*required, *optional) if name not in in_doubt]


def refuse_blocked(found: Services, session: str) -> None:
    """Refuse to publish a session of which a table that stands did not pass a blocking check.

    Raises
    ------
    NotPublishable
        Naming the first such table.
    """
    from map_assets.publication.errors import NotPublishable

    for name, why in sorted(doubts(found, session).items()):
        if why.startswith(_REFUSED) and found.store.has(name, session):
            raise NotPublishable(f"The table {name} of {session} {why} and is not published.")


def doubts(found: Services, session: str) -> dict[str, str]:
    """Say of tables that a blocking check refused, or that rest on others than those that stand, why not to use them."""
    ledger, store = ledger_if_there(found), found.store
    found_odd: dict[str, str] = {}
    for record in ({} if ledger is None else ledger.stage_records(session)).values():
        detail = json.loads(record.detail)
        inputs = detail.get("inputs") or {}
        now = {name: store.version(name, session) if store.has(name, session) else None for name in inputs}
        if detail.get("blocked"):
            found_odd |= dict.fromkeys(detail["made"], f"{_REFUSED} ({detail['blocked']})")
        elif now != inputs:
            found_odd |= dict.fromkeys(detail["made"], "was made from earlier tables than those that stand now")
    return found_odd
