"""Why a person is refused."""

from __future__ import annotations

import math

from detector.core.errors import BadInput


class PeopleRefusal(BadInput):
    """What was asked cannot be done to a user."""


class UnknownUser(PeopleRefusal):
    """There is no such user."""

    def __init__(self, login: str) -> None:
        super().__init__(f"there is no user {login!r}")
        self.login = login


class NotAllowed(BadInput):
    """Whoever asks may not do this."""


class SignInRefused(BadInput):
    """The login or the password is wrong, or the account is closed."""


class SignInThrottled(BadInput):
    """Too many wrong passwords; wait and try again."""

    transient = True

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many wrong passwords; try again in {math.ceil(wait_s)} s")
        self.wait_s = wait_s

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.wait_s,))
