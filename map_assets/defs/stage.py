"""What a stage of a session is: which files and tables it takes, which tables it makes, which claims hold of them.

One stage is one step of a session's run and one or more assets. The functions that stages call live in the rooms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from map_assets.config import Config
from map_assets.defs.services import Services
from map_assets.vocabulary.errors import NoSuchTable
from map_assets.vocabulary.files import FoundFile, Rejected
from map_assets.vocabulary.subject import Subject
from map_assets.vocabulary.table import Table, Verdict

Need = Literal[
    "subject",
    "any subject",
    "insertions",
    "annotation",
    "sorting choices",
    "tracing corrections",
    "transfers",
    "transferred",
    "journal",
]
"""What a stage takes from outside files and tables: ``subject`` waits for the animal's row in the registry and
``annotation`` for the CCF volume; the others take what is there."""

LAB = "lab"
"""Stands for the session's key in the tables of the whole laboratory."""


@dataclass(frozen=True)
class Made:
    """What a stage made: tables by name (one left out is written without rows), rejected files, what to show in the UI.

    `verdicts` holds those of the stage's checks that the stage judged itself.
    """

    tables: Mapping[str, pa.Table]
    rejected: tuple[Rejected, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What a stage is handed: the session, its files, its tables, the lab's services; `own` are the tables that it makes."""

    session: str
    files: tuple[FoundFile, ...]
    tables: Mapping[str, pa.Table]
    services: Services
    own: frozenset[str] = frozenset()

    def table(self, name: str) -> pa.Table:
        """Return a table that the stage declares as read.

        Raises
        ------
        NoSuchTable
            If it does not stand.
        """
        if name not in self.tables:
            raise NoSuchTable(f"{self.session} has no table {name} yet; materialize {name} first.")
        return self.tables[name]

    def maybe(self, name: str) -> pa.Table | None:
        """Return a table that the stage may read, or None."""
        return self.tables.get(name)

    def standing(self, name: str) -> Iterator[pa.Table]:
        """Give a table that the stage itself makes as it stands, then every earlier version of it, the youngest first.

        Raises
        ------
        NoSuchTable
            If the stage makes no such table.
        """
        if name not in self.own:
            raise NoSuchTable(f"{name} is made by another stage; declare it as read.")
        store = self.services.store
        found = store.read_if_there(name, self.session)
        if found is not None:
            yield found
        for written, _, _ in reversed(store.history(name, self.session)):
            yield store.read(name, self.session, as_of=written)

    def subject(self) -> Subject | None:
        """Return the session's animal, or None where the registry does not know it."""
        return self.services.registry.subject_of(animal_of(self.session))


def animal_of(session: str) -> str:
    """Return the animal's name in a session key."""
    return session.partition("_")[0]


@dataclass(frozen=True)
class Check:
    """A claim about what a stage made, shown on one asset's page.

    Parameters
    ----------
    claim : callable
        From the tables named in `reads` to a verdict; where one does not stand yet, the claim does not apply.
    asset : str
    reads : tuple of str
        Empty where the stage gives the verdict itself.
    is_blocking : bool
        Whether what rests on the stage waits when the claim fails.
    """

    claim: Callable[..., Verdict]
    asset: str
    reads: tuple[str, ...] = ()
    is_blocking: bool = False

    @property
    def name(self) -> str:
        """The claim's own name."""
        return self.claim.__name__


@dataclass(frozen=True)
class Stage:
    """One step of a session's run.

    Parameters
    ----------
    name : str
    make : callable
        From `Work` to `Made`.
    writes : tuple of Table
        Its assets.
    reads, one_of, may_read : tuple of str
        Tables of the session it must have, those of which it must have one, and those it takes if they stand.
    lab_reads : tuple of str
        Tables of the whole laboratory that it takes if they stand.
    roles : tuple of str
        Roles of the files it opens; without any such file the stage does not apply. ``("*",)`` is every role.
    claims : tuple of str
        Roles whose files the stage answers for; by default those it opens. They count as ingested when it is done, it
        waits for them while they change or are away, and puts those that cannot be used into quarantine. Files of other
        roles that it opens it takes as it finds them: another stage answers for them.
    needs : tuple of Need
        What else it takes.
    group : str
        Asset group.
    kinds : frozenset of str
        Shown on the asset in the UI.
    version : str
        Raised when the code's results change, so that what stands is made again.
    parameters : callable
        Settings that its result depends on.
    checks : tuple of Check
    for_lab : bool
        Made once for the laboratory, not once a session.
    keeps : bool
        Whether it carries over what it made of files whose whole folder has left the share: it does not wait for those,
        and applies without any file where its tables stand.
    may_be_under_way : bool
        Whether it may raise `UnderWay`: then it makes nothing this time, what rests on it is left out of the run, and
        the run is none the worse.
    shows_refused : bool
        Made also of tables that a blocking check refused: a page on which people see what is wrong with them.
    """

    name: str
    make: Callable[[Work], Made]
    writes: tuple[Table, ...]
    reads: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    may_read: tuple[str, ...] = ()
    lab_reads: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    group: str = "lab"
    kinds: frozenset[str] = frozenset()
    version: str = "1"
    parameters: Callable[[Config], Any] = lambda _config: None
    checks: tuple[Check, ...] = ()
    for_lab: bool = False
    keeps: bool = False
    may_be_under_way: bool = False
    shows_refused: bool = False

    def opens(self, role: str) -> bool:
        """Whether the stage opens files of a role."""
        return role in self.roles or self.roles == ("*",)

    def answers_for(self, role: str) -> bool:
        """Whether the stage waits for files of a role and may put them into quarantine."""
        return role in self.claims or self.roles == ("*",)

    @property
    def inputs(self) -> tuple[str, ...]:
        """All tables of the session that it may take."""
        return (*self.reads, *self.one_of, *self.may_read)


def stage(writes: Iterable[Table], **kwargs: Any) -> Callable[[Callable[[Work], Made]], Stage]:
    """Declare the decorated function as a stage of the same name; see `Stage` for the keywords."""

    def declare(make: Callable[[Work], Made]) -> Stage:
        kinds = frozenset(kwargs.pop("kinds", ())) | {"parquet"}
        roles = tuple(kwargs.pop("roles", ()))
        claims = tuple(kwargs.pop("claims", roles))
        return Stage(make.__name__, make, tuple(writes), roles=roles, claims=claims, kinds=kinds, **kwargs)

    return declare
