"""A stranger locks nobody out, an administrator lets people in again, and clocks and floods make nobody wait for long."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from clock_fixture import Clock

from detector.database import Database
from detector.people import People, Role, SignInRefused, SignInThrottled, passwords, throttle
from detector.people.roles import PROGRAM

pytest_plugins = ["database_fixture"]

PASSWORD = "correct horse battery"
HOME = "10.0.0.1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(database: Database, clock: Clock) -> People:
    made = People(database, clock)
    made.create(PROGRAM, "admin", name="管理员", role=Role.ADMIN, password=PASSWORD)
    return made


def try_from_elsewhere(database: Database, clock: Clock) -> None:
    with database.begin() as connection:
        for number in range(throttle.FROM_ANYWHERE):
            throttle.count(connection, "admin", f"10.9.0.{number}", clock.at)


def test_a_stranger_does_not_lock_an_account_out_where_it_has_signed_in_before(
    people: People, database: Database, clock: Clock
) -> None:
    people.authenticate("admin", PASSWORD, address=HOME)
    clock.at += timedelta(days=3)
    try_from_elsewhere(database, clock)
    with pytest.raises(SignInThrottled):
        people.authenticate("admin", PASSWORD, address="10.0.0.2")
    assert people.authenticate("admin", PASSWORD, address=HOME)


def test_an_administrator_lets_an_account_and_an_address_in_again(
    people: People, database: Database, clock: Clock
) -> None:
    try_from_elsewhere(database, clock)
    with pytest.raises(SignInThrottled):
        people.authenticate("admin", PASSWORD, address=HOME)
    assert people.unlock(PROGRAM, "admin") == throttle.FROM_ANYWHERE
    assert people.authenticate("admin", PASSWORD, address=HOME)
    with database.begin() as connection:
        for number in range(throttle.FROM_ANYWHERE):
            throttle.count(connection, f"somebody{number}", "10.0.0.5", clock.at)
    with pytest.raises(SignInThrottled):
        people.authenticate("admin", PASSWORD, address="10.0.0.5")
    assert people.unlock_address(PROGRAM, "10.0.0.5") == throttle.FROM_ANYWHERE
    assert people.authenticate("admin", PASSWORD, address="10.0.0.5")


def test_a_clock_that_is_set_back_makes_nobody_wait_longer_than_the_window(
    people: People, clock: Clock
) -> None:
    for _ in range(throttle.FREE_TRIES):
        with pytest.raises(SignInRefused):
            people.authenticate("admin", "wrong horse battery", address=HOME)
    clock.at -= timedelta(days=1)
    with pytest.raises(SignInThrottled) as caught:
        people.authenticate("admin", PASSWORD, address=HOME)
    assert caught.value.wait_s <= throttle.WINDOW_S
    clock.at += timedelta(seconds=throttle.WINDOW_S)
    assert people.authenticate("admin", PASSWORD, address=HOME)


def test_a_clock_that_is_set_back_ends_sessions(people: People, clock: Clock) -> None:
    secret, _ = people.open_session(people.user("admin"))
    clock.at -= timedelta(seconds=30)
    assert people.session(secret)
    clock.at -= timedelta(hours=5)
    assert people.session(secret) is None


def test_a_few_passwords_are_hashed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = passwords.hashed(PASSWORD, "admin")
    under_way, most, lock = 0, 0, threading.Lock()

    class Counted:
        def verify(self, kept: str, password: str) -> bool:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.01)
            with lock:
                under_way -= 1
            return True

    monkeypatch.setattr(passwords, "_HASHER", Counted())
    with ThreadPoolExecutor(29) as asking:
        assert all(asking.map(lambda _: passwords.matches(PASSWORD, kept), range(29)))
    assert most <= passwords.AT_ONCE
