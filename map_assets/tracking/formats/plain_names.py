"""Lists of names as PyTables leaves them in an attribute: Python's text notation for objects, read as words alone.

Texts, whole numbers, tuples and lists are understood; nothing is ever imported or called, so a file cannot make the
reader do anything. What the names mean lives in `deeplabcut_h5`.
"""

from __future__ import annotations

import pickletools
from typing import Any

_MARK = object()
_WORDS = frozenset({"INT", "LONG", "UNICODE", "STRING"})


def plain_names(content: bytes) -> list[tuple[str, ...]]:
    """Read a list of tuples of texts.

    Parameters
    ----------
    content : bytes
        The attribute, in the notation's first form, the one that PyTables writes.

    Raises
    ------
    ValueError
        If it is anything else, or asks for anything but texts, numbers, tuples and lists.
    """
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    try:
        for code, argument, _ in pickletools.genops(content):
            _step(code.name, argument, stack, memo)
    except (IndexError, KeyError, AttributeError) as error:
        raise ValueError("the names break off or are out of order") from error
    found = stack[0] if len(stack) == 1 else None
    if not isinstance(found, list) or not all(
        isinstance(one, tuple) and all(isinstance(word, str) for word in one) for one in found
    ):
        raise ValueError("the names are no list of tuples of texts")
    return found


def _step(name: str, argument: Any, stack: list[Any], memo: dict[Any, Any]) -> None:
    """Do one operation."""
    if name in _WORDS:
        stack.append(argument)
    elif name == "MARK":
        stack.append(_MARK)
    elif name in {"LIST", "TUPLE"}:
        items: list[Any] = []
        while stack[-1] is not _MARK:
            items.append(stack.pop())
        items.reverse()
        stack[-1] = items if name == "LIST" else tuple(items)
    elif name == "APPEND":
        last = stack.pop()
        stack[-1].append(last)
    elif name == "PUT":
        memo[argument] = stack[-1]
    elif name == "GET":
        stack.append(memo[argument])
    elif name != "STOP":
        raise ValueError(f"the names ask for {name}, which is no text, number, tuple or list")
