"""Accounts over the database: users, passwords, throttled sign-in, API tokens and browser sessions."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from detector.core.wording import is_one_line
from detector.database import Database, schema
from detector.people import audit, throttle
from detector.people.audit import Looked
from detector.people.errors import PeopleRefusal, SignInRefused, UnknownUser
from detector.people.passwords import hashed, matches, outdated
from detector.people.roles import Actor, Role
from detector.people.values import Session, Token, User

LOCK = "people"
"""Held by whatever changes accounts, so that the last admin stays one."""

SESSION_S = 12 * 3600.0
"""A working day; then one signs in again."""

IDLE_S = 2 * 3600.0
"""A browser that was not used for so long is signed out."""

SEEN_EVERY_S = 60.0
"""A session's use is noted at most so often, for a note is a write."""

KEYS_EACH = 500

CLOCK_STEP = timedelta(seconds=120)
"""A clock that is set back by more ends the sessions that are open."""

TOKEN_PREFIX = "kw_"  # noqa: S105  # it is in every token
TOKEN_SHOWN = 10
"""So many characters of a token tell it from others in a list."""

LOGIN = re.compile(r"[\w][\w.@-]{0,63}")


class People:
    """The accounts over a database. `now` gives aware datetimes. Safe to share between threads."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    # Users

    def any(self) -> bool:
        """Whether there is an account at all; before the first, the command trusts whoever runs it."""
        with self._database.read() as connection:
            return connection.execute(select(schema.users.c.id).limit(1)).first() is not None

    def users(self) -> list[User]:
        with self._database.read() as connection:
            rows = connection.execute(select(schema.users).order_by(schema.users.c.login)).mappings()
            return [_user_of(row) for row in rows]

    def user(self, login: str) -> User:
        """Raises UnknownUser."""
        with self._database.read() as connection:
            return _user(connection, login)

    def create(
        self,
        by: Actor,
        login: str,
        *,
        name: str,
        role: Role,
        department: str | None = None,
        password: str | None = None,
        only_first: bool = False,
    ) -> User:
        """A new account; without a password it can only be used by API token or from the command line.

        `only_first` refuses where there is an account already. Raises PeopleRefusal.
        """
        login = _login(login)
        if not name.strip():
            raise PeopleRefusal("a user needs a name")
        if not is_one_line(name):
            raise PeopleRefusal("a name has no line break and no other control character")
        department = _department(role, department)
        kept = hashed(password, login) if password is not None else None
        with self._database.begin(lock=LOCK) as connection:
            if only_first and connection.execute(select(schema.users.c.id).limit(1)).first() is not None:
                raise PeopleRefusal("there is an account already; ask its owner for yours")
            if connection.execute(select(schema.users).where(schema.users.c.login == login)).first():
                raise PeopleRefusal(f"there is a user {login!r} already")
            values = {
                "login": login,
                "name": name.strip(),
                "role": role,
                "department": department,
                "active": True,
                "password_hash": kept,
                "created_at": self._now(),
            }
            connection.execute(insert(schema.users).values(values))
            self._tell(connection, by, login, "created", role=role, department=department)
            return _user(connection, login)

    def set_password(self, by: Actor, login: str, password: str) -> User:
        """A new password; every session and every token of the user ends. Raises UnknownUser, PeopleRefusal."""
        kept = hashed(password, _login(login))
        return self._change(by, login, "password", password_hash=kept)

    def set_active(self, by: Actor, login: str, *, active: bool) -> User:
        """Closes an account or opens it again; closing ends its sessions, and its tokens are dead meanwhile.

        Raises UnknownUser, and PeopleRefusal for the last admin.
        """
        return self._change(by, login, "opened" if active else "closed", active=active)

    def set_role(self, by: Actor, login: str, role: Role, department: str | None = None) -> User:
        """Raises UnknownUser, PeopleRefusal."""
        return self._change(by, login, "role", role=role, department=_department(role, department))

    def _change(self, by: Actor, login: str, what: str, **values: object) -> User:
        with self._database.begin(lock=LOCK) as connection:
            user = _user(connection, login)
            connection.execute(update(schema.users).where(schema.users.c.id == user.id).values(values))
            if _admins(connection) == 0:
                raise PeopleRefusal(f"{user.login} is the last admin; make another one first")
            if what != "opened":
                connection.execute(delete(schema.sessions).where(schema.sessions.c.user_id == user.id))
            if what == "password":
                self._end_tokens(connection, user)
            told = {name: value for name, value in values.items() if name != "password_hash"}
            self._tell(connection, by, user.login, what, **told)
            return _user(connection, login)

    def _end_tokens(self, connection: Connection, user: User) -> None:
        """Who knew the old password may have made tokens by it."""
        table = schema.tokens
        own = (table.c.user_id == user.id, table.c.revoked_at.is_(None))
        connection.execute(update(table).where(*own).values(revoked_at=self._now()))

    def _tell(self, connection: Connection, by: Actor, login: str, what: str, **more: object) -> None:
        audit.write(
            connection,
            self._now(),
            by.who,
            Looked.USERS,
            address=by.address,
            details={"user": login, "did": what, **more},
        )

    # Signing in

    def authenticate(self, login: str, password: str, *, address: str | None = None) -> User:
        """The user of a login and password. Each try is counted, and too many wrong ones must wait.

        Raises SignInRefused, which does not say what was wrong, and SignInThrottled.
        """
        name, place, at = login.strip().casefold()[:64], address or "local", self._now()
        with self._database.begin(lock="sign-in") as connection:
            throttle.settle(connection, at)
        with self._database.begin(lock="sign-in") as connection:
            attempt = throttle.count(connection, name, place, at)  # counted before it is known to be wrong
        with self._database.read() as connection:
            row = (
                connection.execute(select(schema.users).where(schema.users.c.login == name))
                .mappings()
                .first()
            )
        right = matches(password, row["password_hash"] if row else None)
        if row is None or not right or not row["active"]:
            with self._database.begin() as connection:
                audit.write(connection, at, name, Looked.SIGN_IN_FAILED, address=address)
            raise SignInRefused
        with self._database.begin(lock=LOCK) as connection:
            throttle.succeeded(connection, attempt)
            if outdated(row["password_hash"]):
                again = hashed(password, name)
                connection.execute(
                    update(schema.users).where(schema.users.c.id == row["id"]).values(password_hash=again)
                )
            audit.write(connection, at, name, Looked.SIGNED_IN, address=address)
        return _user_of(row)

    def unlock(self, by: Actor, login: str) -> int:
        """Forgets the wrong passwords of an account; returns how many there were. Raises UnknownUser."""
        with self._database.begin(lock="sign-in") as connection:
            user = _user(connection, login)
            forgiven = throttle.forgive(connection, login=user.login)
            self._tell(connection, by, user.login, "unlocked", forgiven=forgiven)
        return forgiven

    def unlock_address(self, by: Actor, address: str) -> int:
        """Forgets the wrong passwords that came from an address; returns how many there were."""
        with self._database.begin(lock="sign-in") as connection:
            forgiven = throttle.forgive(connection, address=address)
            self._tell(connection, by, "", "unlocked", address=address, forgiven=forgiven)
        return forgiven

    # Browser sessions

    def open_session(
        self, user: User, *, address: str | None = None, lifetime_s: float = SESSION_S
    ) -> tuple[str, Session]:
        """A new session and its secret of 256 bits, for a cookie."""
        secret, at = secrets.token_urlsafe(32), self._now()
        key = _digest(secret)
        values = {
            "hash": key,
            "user_id": user.id,
            "csrf": secrets.token_urlsafe(32),
            "created_at": at,
            "last_seen_at": at,
            "expires_at": at + timedelta(seconds=lifetime_s),
            "address": address,
        }
        with self._database.begin() as connection:
            connection.execute(delete(schema.sessions).where(schema.sessions.c.expires_at <= at))
            connection.execute(insert(schema.sessions).values(values))
            session = _session(connection, key)
        assert session
        return secret, session

    def session(self, secret: str, *, idle_s: float = IDLE_S) -> Session | None:
        """The session of a cookie's secret; None where it is unknown, over, idle for too long, or its user's
        account is closed.
        """
        at, key = self._now(), _digest(secret)
        with self._database.read() as connection:
            found = _session(connection, key)
        if found is None or not found.user.active or found.expires_at <= at:
            return None
        if max(found.created_at, found.last_seen_at) > at + CLOCK_STEP:
            return None  # the clock was set back, so its age cannot be told any more
        unused_s = (at - found.last_seen_at).total_seconds()
        if unused_s > idle_s:
            return None
        if unused_s >= SEEN_EVERY_S:
            with self._database.begin() as connection:
                table = schema.sessions
                connection.execute(update(table).where(table.c.hash == key).values(last_seen_at=at))
        return found

    @staticmethod
    def key_of(secret: str) -> str:
        """What names the session or token of a secret in the database."""
        return _digest(secret)

    def living(self, keys: Collection[str]) -> dict[str, User]:
        """Of sessions and tokens, by their keys, those that are not over, each with its user as it is now."""
        at, found = self._now(), dict[str, User]()
        with self._database.read() as connection:
            for table, more in (
                (schema.sessions, ()),
                (schema.tokens, (schema.tokens.c.revoked_at.is_(None),)),
            ):
                query = (
                    select(schema.users, table.c.hash)
                    .join(table, schema.users.c.id == table.c.user_id)
                    .where(schema.users.c.active.is_(True), table.c.expires_at > at, *more)
                )
                for part in _batched(keys):
                    rows = connection.execute(query.where(table.c.hash.in_(part))).mappings()
                    found |= {row["hash"]: _user_of(row) for row in rows}
        return found

    def close_session(self, secret: str) -> None:
        with self._database.begin() as connection:
            key = _digest(secret)
            found = _session(connection, key)
            if found is not None:
                connection.execute(delete(schema.sessions).where(schema.sessions.c.hash == key))
                audit.write(
                    connection, self._now(), found.user.login, Looked.SIGNED_OUT, address=found.address
                )

    # API tokens

    def issue_token(self, by: Actor, login: str, label: str, expires_at: datetime) -> tuple[str, Token]:
        """A new token of a user and its secret, which is shown this once. Raises UnknownUser, PeopleRefusal."""
        if not label.strip():
            raise PeopleRefusal("a token needs a label that says what it is for")
        if not is_one_line(label):
            raise PeopleRefusal("a label has no line break and no other control character")
        if expires_at <= self._now():
            raise PeopleRefusal("a token must expire later than now")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        with self._database.begin(lock=LOCK) as connection:
            user = _user(connection, login)
            values = {
                "user_id": user.id,
                "label": label.strip(),
                "prefix": secret[:TOKEN_SHOWN],
                "hash": _digest(secret),
                "created_at": self._now(),
                "expires_at": expires_at,
            }
            token_id = connection.execute(
                insert(schema.tokens).values(values).returning(schema.tokens.c.id)
            ).scalar_one()
            self._tell(connection, by, user.login, "token issued", prefix=values["prefix"])
            row = (
                connection.execute(select(schema.tokens).where(schema.tokens.c.id == token_id))
                .mappings()
                .one()
            )
        return secret, _token_of(row)

    def tokens(self, login: str) -> list[Token]:
        """Raises UnknownUser."""
        table = schema.tokens
        with self._database.read() as connection:
            user = _user(connection, login)
            query = select(table).where(table.c.user_id == user.id).order_by(table.c.id)
            return [_token_of(row) for row in connection.execute(query).mappings()]

    def revoke_token(self, by: Actor, login: str, prefix: str) -> None:
        """Ends the tokens of a user that begin so. Raises UnknownUser, PeopleRefusal where there is none."""
        table = schema.tokens
        with self._database.begin(lock=LOCK) as connection:
            user = _user(connection, login)
            ended = (
                update(table)
                .where(
                    table.c.user_id == user.id,
                    table.c.revoked_at.is_(None),
                    table.c.prefix.startswith(prefix, autoescape=True),
                )
                .values(revoked_at=self._now())
            )
            if not prefix or connection.execute(ended).rowcount == 0:
                raise PeopleRefusal(f"{user.login} has no token that begins with {prefix!r}")
            self._tell(connection, by, user.login, "token revoked", prefix=prefix)

    def token_user(self, secret: str) -> User | None:
        """The user of an API token; None where it is unknown, expired or revoked, or the account is closed."""
        at, table = self._now(), schema.tokens
        query = (
            select(schema.users, table.c.id.label("token_id"), table.c.used_at)
            .join(schema.users, schema.users.c.id == table.c.user_id)
            .where(table.c.hash == _digest(secret), table.c.revoked_at.is_(None), table.c.expires_at > at)
        )
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None or not row["active"]:
            return None
        if row["used_at"] is None or (at - row["used_at"]).total_seconds() >= SEEN_EVERY_S:
            with self._database.begin() as connection:
                connection.execute(update(table).where(table.c.id == row["token_id"]).values(used_at=at))
        return _user_of(row)


def _login(login: str) -> str:
    """As it is kept: lower case. Raises PeopleRefusal."""
    found = login.strip().casefold()
    if not LOGIN.fullmatch(found):
        raise PeopleRefusal(f"{login!r} is no login: up to 64 letters, digits, '.', '_', '-' and '@'")
    return found


def _department(role: Role, department: str | None) -> str | None:
    if role is Role.DEPARTMENT and not department:
        raise PeopleRefusal("a user of the role department needs its department")
    if role is not Role.DEPARTMENT and department:
        raise PeopleRefusal(f"a user of the role {role} is of no department")
    return department


def _user(connection: Connection, login: str) -> User:
    query = select(schema.users).where(schema.users.c.login == login.strip().casefold())
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownUser(login)
    return _user_of(row)


def _user_of(row: RowMapping) -> User:
    return User(
        id=row["id"],
        login=row["login"],
        name=row["name"],
        role=Role(row["role"]),
        department=row["department"],
        active=row["active"],
        has_password=row["password_hash"] is not None,
        created_at=row["created_at"],
    )


def _admins(connection: Connection) -> int:
    users = schema.users.c
    query = select(func.count()).where(users.role == Role.ADMIN, users.active.is_(True))
    return connection.scalar(query) or 0


def _token_of(row: RowMapping) -> Token:
    return Token(**{name: value for name, value in row.items() if name != "hash"})


SESSION_COLUMNS: Sequence[str] = ("csrf", "last_seen_at", "expires_at", "address")


def _session(connection: Connection, key: str) -> Session | None:
    table = schema.sessions.c
    query = (
        select(
            schema.users,
            table.created_at.label("session_created_at"),
            *(table[name] for name in SESSION_COLUMNS),
        )
        .join(schema.sessions, schema.users.c.id == table.user_id)
        .where(table.hash == key)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    own = {name: row[name] for name in SESSION_COLUMNS}
    return Session(key=key, user=_user_of(row), created_at=row["session_created_at"], **own)


def _batched(keys: Collection[str]) -> Iterator[list[str]]:
    """In parts that a database takes as parameters of one query."""
    every = list(keys)
    for first in range(0, len(every), KEYS_EACH):
        yield every[first : first + KEYS_EACH]


def _digest(secret: str) -> str:
    """A secret of 256 random bits needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
