"""What a read-back is wanted for, so that a slow one is found again by the same question and by no other. Reading lives with the backends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_QUESTION: ContextVar[str] = ContextVar("question", default="")


@contextmanager
def asking(question: str) -> Iterator[None]:
    """Read archived files, on this thread and inside this block, to answer one question.

    A backend that needs several calls to bring a file back may answer with bytes that left the archive after the same
    question was asked before, and lately. Without a question only bytes that leave it during the call are an answer.

    Parameters
    ----------
    question : str
        Who asks, of which file, at which of its steps.
    """
    token = _QUESTION.set(question)
    try:
        yield
    finally:
        _QUESTION.reset(token)


def question() -> str:
    """Return what is being asked on this thread; empty where nobody said."""
    return _QUESTION.get()
