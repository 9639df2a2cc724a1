"""The contract of accounts, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from datetime import timedelta

import pytest
from clock_fixture import NOON, Clock
from sqlalchemy import select

from detector.core.times import Interval
from detector.database import Database, schema
from detector.people import (
    Action,
    Actor,
    AuditLog,
    Looked,
    NotAllowed,
    People,
    PeopleRefusal,
    Role,
    SignInRefused,
    SignInThrottled,
    UnknownUser,
    allow,
    may,
    throttle,
)
from detector.people.roles import PERMISSIONS, PROGRAM

pytest_plugins = ["database_fixture"]

PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(database: Database, clock: Clock) -> People:
    made = People(database, clock)
    made.create(PROGRAM, "admin", name="管理员", role=Role.ADMIN, password=PASSWORD)
    return made


# What the roles may


def test_an_admin_may_everything_and_a_viewer_only_see() -> None:
    assert all(Role.ADMIN in roles for roles in PERMISSIONS.values())
    viewer = Actor("v", Role.VIEWER)
    assert [action for action in Action if may(viewer, action)] == [Action.SEE, Action.LOOK]
    with pytest.raises(NotAllowed, match="v \\(viewer\\) may not dispatch"):
        allow(viewer, Action.DISPATCH)


def test_every_action_has_its_line_in_the_table() -> None:
    assert set(PERMISSIONS) == set(Action)


def test_a_department_answers_but_does_not_decide() -> None:
    traffic = Actor("t", Role.DEPARTMENT, "traffic")
    may_do = {action for action in Action if may(traffic, action)}
    assert may_do == {Action.SEE, Action.LOOK, Action.LOOK_UNMASKED, Action.ANSWER, Action.EXPORT}
    assert not any(may(Actor("t", Role.DEPARTMENT), action) for action in Action)


# Accounts


def test_a_user_is_created_and_found_whatever_the_case_of_the_login(people: People) -> None:
    made = people.create(PROGRAM, "Li.Wei", name="李伟", role=Role.DEPARTMENT, department="traffic")
    assert people.user("LI.WEI") == made
    assert (made.login, made.department, made.active, made.has_password) == ("li.wei", "traffic", True, False)
    assert [user.login for user in people.users()] == ["admin", "li.wei"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"login": "admin"}, "already"),
        ({"login": "a b"}, "no login"),
        ({"name": " "}, "name"),
        ({"password": "short"}, "10 to 256"),
        ({"password": "aaaaaaaaaaaa"}, "4 different"),
        ({"password": "xxnew.userxx1"}, "must not hold the login"),
        ({"role": Role.DEPARTMENT}, "needs its department"),
        ({"department": "traffic"}, "of no department"),
        ({"only_first": True}, "already"),
    ],
)
def test_a_user_that_cannot_be_is_refused(people: People, change: dict[str, object], told: str) -> None:
    wanted = {"login": "new.user", "name": "新人", "role": Role.VIEWER, "password": PASSWORD} | change
    with pytest.raises(PeopleRefusal, match=told):
        people.create(PROGRAM, wanted.pop("login"), **wanted)
    assert len(people.users()) == 1


def test_the_last_admin_stays(people: People) -> None:
    for change in (
        lambda: people.set_active(PROGRAM, "admin", active=False),
        lambda: people.set_role(PROGRAM, "admin", Role.VIEWER),
    ):
        with pytest.raises(PeopleRefusal, match="last admin"):
            change()
    assert people.user("admin").role is Role.ADMIN
    people.create(PROGRAM, "second", name="二", role=Role.ADMIN)
    assert not people.set_active(PROGRAM, "admin", active=False).active


def test_an_unknown_user_is_told(people: People) -> None:
    with pytest.raises(UnknownUser, match="nobody"):
        people.set_password(PROGRAM, "nobody", PASSWORD)


# Signing in


def test_the_right_password_signs_in_and_no_other(people: People) -> None:
    assert people.authenticate(" Admin ", PASSWORD).login == "admin"
    for login, password in (("admin", WRONG), ("nobody", PASSWORD), ("admin", "")):
        with pytest.raises(SignInRefused):
            people.authenticate(login, password)


def test_a_password_is_kept_as_argon2id_and_shown_nowhere(people: People, database: Database) -> None:
    with database.read() as connection:
        kept = connection.scalar(select(schema.users.c.password_hash))
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in repr(people.users())


def test_who_is_disabled_signs_in_no_more_and_neither_do_sessions_and_tokens(
    people: People, clock: Clock
) -> None:
    user = people.create(PROGRAM, "li", name="李", role=Role.REVIEWER, password=PASSWORD)
    secret, _ = people.open_session(user)
    token, _ = people.issue_token(PROGRAM, "li", "script", clock.at + timedelta(days=1))
    people.set_active(PROGRAM, "li", active=False)
    assert people.session(secret) is None
    assert people.token_user(token) is None
    with pytest.raises(SignInRefused):
        people.authenticate("li", PASSWORD)
    people.set_active(PROGRAM, "li", active=True)
    assert people.authenticate("li", PASSWORD) == user
    assert people.session(secret) is None


def test_after_five_wrong_passwords_each_next_try_must_wait_longer(people: People, clock: Clock) -> None:
    waits = []
    for _ in range(9):
        try:
            people.authenticate("admin", WRONG, address="10.0.0.1")
        except SignInThrottled as error:
            waits.append(error.wait_s)
            clock.at += timedelta(seconds=error.wait_s)
        except SignInRefused:
            continue
    assert waits == [5.0, 10.0]
    with pytest.raises(SignInThrottled):  # even the right one
        people.authenticate("admin", PASSWORD, address="10.0.0.1")
    assert people.authenticate("admin", PASSWORD, address="10.0.0.2")
    clock.at += timedelta(hours=1)
    assert people.authenticate("admin", PASSWORD, address="10.0.0.1")


def test_a_login_tried_from_many_addresses_waits_too(
    people: People, database: Database, clock: Clock
) -> None:
    with database.begin() as connection:
        for i in range(30):
            throttle.count(connection, "admin", f"10.0.0.{i}", clock.at)
    with pytest.raises(SignInThrottled):
        people.authenticate("admin", PASSWORD, address="10.0.1.1")
    clock.at += timedelta(minutes=16)
    assert people.authenticate("admin", PASSWORD, address="10.0.1.1")


# Sessions and tokens


def test_a_session_lasts_its_time_and_ends_when_it_is_left_idle_or_closed(
    people: People, clock: Clock
) -> None:
    admin = people.user("admin")
    secret, session = people.open_session(admin, address="10.0.0.1")
    assert people.session(secret) == session
    assert (session.user, session.address) == (admin, "10.0.0.1")
    assert len(session.csrf) >= 43 <= len(secret)
    assert people.session(secret + "x") is None
    clock.at += timedelta(hours=1)
    assert people.session(secret)
    clock.at += timedelta(hours=1, minutes=30)
    assert people.session(secret), "it was used an hour and a half ago"
    clock.at += timedelta(hours=3)
    assert people.session(secret) is None, "idle for too long"
    other, _ = people.open_session(admin)
    people.close_session(other)
    assert people.session(other) is None


def test_no_secret_of_a_session_or_token_is_in_the_database(people: People, database: Database) -> None:
    secret, _ = people.open_session(people.user("admin"))
    token, _ = people.issue_token(PROGRAM, "admin", "x", NOON + timedelta(days=300))
    with database.read() as connection:
        rows = [
            repr(row)
            for table in (schema.sessions, schema.tokens)
            for row in connection.execute(select(table))
        ]
    assert len(rows) == 2
    assert not any(secret in row or token in row for row in rows)


def test_a_new_password_ends_every_session(people: People) -> None:
    secret, _ = people.open_session(people.user("admin"))
    people.set_password(PROGRAM, "admin", "another horse battery")
    assert people.session(secret) is None
    with pytest.raises(SignInRefused):
        people.authenticate("admin", PASSWORD)
    assert people.authenticate("admin", "another horse battery")


@pytest.mark.parametrize("name", ["Li\nBcc: x@evil.example", "Li\r", "Li\u2028Li", "Li\x00"])
def test_a_name_or_label_with_a_line_break_is_refused(people: People, name: str) -> None:
    with pytest.raises(PeopleRefusal, match="line break"):
        people.create(PROGRAM, "li", name=name, role=Role.REVIEWER)
    with pytest.raises(PeopleRefusal, match="line break"):
        people.issue_token(PROGRAM, "admin", name, NOON + timedelta(days=1))


def test_a_new_password_ends_every_token_of_the_account_and_none_of_others(people: People) -> None:
    people.create(PROGRAM, "li", name="Li", role=Role.REVIEWER, password=PASSWORD)
    later = NOON + timedelta(days=300)
    own, _ = people.issue_token(PROGRAM, "admin", "x", later)
    others, _ = people.issue_token(PROGRAM, "li", "x", later)
    people.set_password(PROGRAM, "admin", "another horse battery")
    assert people.token_user(own) is None
    assert people.token_user(others) is not None
    people.set_active(PROGRAM, "li", active=False)
    people.set_active(PROGRAM, "li", active=True)
    assert people.token_user(others) is not None, "a closed account that is opened again has its tokens"


def test_a_token_works_until_it_expires_or_is_revoked(people: People, clock: Clock) -> None:
    until = clock.at + timedelta(days=30)
    secret, token = people.issue_token(PROGRAM, "admin", "ledger script", until)
    assert secret.startswith(token.prefix)
    assert people.token_user(secret) == people.user("admin")
    assert people.tokens("admin")[0].used_at == clock.at
    assert people.token_user(secret[:-1]) is None
    people.revoke_token(PROGRAM, "admin", token.prefix)
    assert people.token_user(secret) is None
    second, _ = people.issue_token(PROGRAM, "admin", "other", until)
    clock.at = until
    assert people.token_user(second) is None
    with pytest.raises(PeopleRefusal, match="no token"):
        people.revoke_token(PROGRAM, "admin", "kw_nothing")


# The log


def test_sign_ins_and_changes_of_accounts_are_told_by_the_log(
    people: People, database: Database, clock: Clock
) -> None:
    people.create(PROGRAM, "li", name="李", role=Role.REVIEWER, password=PASSWORD)
    with pytest.raises(SignInRefused):
        people.authenticate("li", WRONG, address="10.0.0.9")
    people.authenticate("li", PASSWORD, address="10.0.0.9")
    log = AuditLog(database, clock)
    log.add(Actor("li", Role.REVIEWER, address="10.0.0.9"), Looked.FOOTAGE, issue_id=7, file="clip.mp4")
    told = [(row.who, row.what, row.address) for row in log.find()]
    assert told == [
        ("li", "footage", "10.0.0.9"),
        ("li", "signed_in", "10.0.0.9"),
        ("li", "sign_in_failed", "10.0.0.9"),
        ("kerbwatch", "users", None),
        ("kerbwatch", "users", None),
    ]
    assert [row.file for row in log.find(issue_id=7)] == ["clip.mp4"]
    assert log.find(what=Looked.EXPORT) == []
    first = log.find(limit=2)
    assert [row.id for row in log.find(before=first[-1].id)] == [3, 2, 1]
    assert len(log.find(period=Interval(NOON, NOON + timedelta(days=1)), who="li")) == 3
    assert PASSWORD not in repr(log.find())
