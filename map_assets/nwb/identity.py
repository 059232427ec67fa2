"""Names that never change: the file's identifier and its objects' ids follow from the tables. What is written lives beside."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NAMESPACE = UUID("6f5b9d0e-3d0a-5c0e-9d57-1f0a3f3c8a11")


def file_identifier(session: str, tables: Mapping[str, pa.Table], variant: str = "") -> str:
    """Return the UUID that the session key and the tables' content give; the same tables give the same one.

    Parameters
    ----------
    session : str
        Session key.
    tables : mapping of str to pyarrow.Table
        The tables that the file is made of. How they are cut into chunks, and their metadata, do not count.
    variant : str
        Names a file of the same tables that holds them otherwise.
    """
    digest = hashlib.sha256()
    for name in sorted(tables):
        table = tables[name]
        digest.update(f"table {name} {table.num_rows}\n".encode())
        for field in sorted(table.schema, key=lambda one: one.name):
            digest.update(f"column {field.name} {_kind(field.type)}\n".encode())
            _feed(digest, table[field.name].chunks, field.type)
    return str(uuid5(_NAMESPACE, f"{session} {digest.hexdigest()}{variant}"))


def _kind(of: pa.DataType) -> str:
    """Name a type; what the items of a list are called, which differs between memory and Parquet, does not count."""
    is_list = pa.types.is_list(of) or pa.types.is_large_list(of)
    return f"list of {_kind(of.value_type)}" if is_list else str(of)


def _feed(digest: Any, chunks: Sequence[pa.Array], kind: pa.DataType) -> None:
    """Hash values, not buffers: what stands behind a null or outside a slice is not content."""
    if any(chunk.null_count for chunk in chunks):
        for chunk in chunks:
            digest.update(_plain(chunk.is_null()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        for chunk in chunks:
            digest.update(_plain(pc.fill_null(pc.list_value_length(chunk), 0)))
        _feed(digest, [chunk.flatten() for chunk in chunks], kind.value_type)
        return
    known = [chunk.drop_null() if chunk.null_count else chunk for chunk in chunks]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        for chunk in known:
            digest.update(_plain(pc.binary_length(chunk)))
        for chunk in known:
            digest.update("".join(chunk.to_pylist()).encode())
        return
    for chunk in known:
        digest.update(_plain(chunk.cast(pa.int64()) if pa.types.is_timestamp(kind) else chunk))


def _plain(values: pa.Array) -> Any:
    return np.ascontiguousarray(values.to_numpy(zero_copy_only=False))


def name_objects(nwbfile: Any, identifier: str) -> None:
    """Give every object of the file an id that follows from the file's identifier and the object's place in it.

    The library gives random ones, with which no two writings of one session would be equal.
    """
    root = UUID(identifier)
    for item in nwbfile.all_children():
        place = "/".join(f"{type(one).__name__}:{one.name}" for one in (*reversed(item.get_ancestors()), item))
        # The library has a setter for random ids only; a test holds this line to its purpose.
        item._AbstractContainer__object_id = str(uuid5(root, place))
