"""Passwords: argon2id, with the library's own parameters."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from detector.core.errors import KerbwatchError
from detector.people.errors import PeopleRefusal

SHORTEST = 10
LONGEST = 256

AT_ONCE = 2
"""Passwords that are hashed at a time: each takes 64 MB."""

WITHIN_S = 20.0
"""So long one waits for its turn."""

_HASHER = PasswordHasher()
_TURNS = threading.BoundedSemaphore(AT_ONCE)


class TooManySignIns(KerbwatchError):
    """Too many people sign in at the moment; try again."""

    transient = True


@contextmanager
def _turn() -> Iterator[None]:
    """Raises TooManySignIns."""
    if not _TURNS.acquire(timeout=WITHIN_S):
        raise TooManySignIns("too many people sign in at the moment; try again")
    try:
        yield
    finally:
        _TURNS.release()


def hashed(password: str, login: str) -> str:
    """Raises PeopleRefusal for a password that is too weak."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PeopleRefusal(
            f"a password has {SHORTEST} to {LONGEST} characters, this one has {len(password)}"
        )
    if login.casefold() in password.casefold():
        raise PeopleRefusal("a password must not hold the login")
    if len(set(password)) < 4:
        raise PeopleRefusal("a password must hold 4 different characters or more")
    with _turn():
        return _HASHER.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Whether a password is the one that was kept. Takes as long where there is none."""
    try:
        with _turn():
            _HASHER.verify(kept or _nobodys(), password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def outdated(kept: str) -> bool:
    """Whether it was hashed with weaker parameters than those of now."""
    return _HASHER.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    return _HASHER.hash("the password of nobody at all")
