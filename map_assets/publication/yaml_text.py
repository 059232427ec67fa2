"""Plain values as YAML text, for the two YAML files that are published. Reading YAML is left to those who check them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_Plain = str | int | float | bool


def yaml_text(values: Mapping[str, Any]) -> str:
    """Write mappings, lists, texts and numbers as YAML 1.2; texts are quoted as in JSON, so that none is taken for a date.

    Empty lists and nulls are left out.
    """
    return "\n".join(_mapping(values, "")) + "\n"


def _mapping(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in values.items():
        if value is None or (not isinstance(value, _Plain) and not value):
            continue
        if isinstance(value, _Plain):
            yield f"{indent}{name}: {_scalar(value)}"
        elif isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from _mapping(value, indent + "  ")
        else:
            yield f"{indent}{name}:"
            yield from _list(value, indent + "  ")


def _list(values: Sequence[Any], indent: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping):
            lines = list(_mapping(value, indent + "  "))
            yield f"{indent}- {lines[0].lstrip()}"
            yield from lines[1:]
        else:
            yield f"{indent}- {_scalar(value)}"


def _scalar(value: _Plain) -> str:
    return json.dumps(value, ensure_ascii=False)
