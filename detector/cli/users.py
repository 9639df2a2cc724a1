"""`users`: accounts, passwords and API tokens."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.actors import ME, Who, actor_of, opened_desk
from detector.cli.common import AsJson, Folder
from detector.cli.output import say, say_json, table
from detector.core.errors import BadInput
from detector.dispatch.desk import Desk
from detector.people import Action, Actor, Role, allow

app = typer.Typer(help="Accounts: add, list, password, disable, token, log.", no_args_is_help=True)
Login = Annotated[str, typer.Argument(help="The account's login.")]


@app.command()
def add(
    login: Login,
    role: Annotated[Role, typer.Option("--role", help="What the account is for.")],
    name: Annotated[str, typer.Option("--name", help="The person's name.")],
    department: Annotated[
        str | None, typer.Option("--department", help="Of which department; for the role department.")
    ] = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="For the command line and API tokens only.")
    ] = False,
    folder: Folder = Path(),
    who: Who = ME,
) -> None:
    """Make an account; its password is asked for, or read from standard input. The first one must be an admin.

    Example: kerbwatch users add wang --role dispatcher --name 王调度
    """
    with opened_desk(folder) as desk:
        actor = _admin(desk, who)
        if department is not None and department not in desk.settings.departments:
            raise BadInput(f"there is no department {department!r}: {', '.join(desk.settings.departments)}")
        if role is not Role.ADMIN and not desk.people.any():
            raise BadInput("the first account must be an admin, or nobody could make another")
        password = None if no_password else _password()
        user = desk.people.create(
            actor, login, name=name, role=role, department=department, password=password
        )
    say(f"{user.login} ({user.role} {user.role.zh}) has an account")


@app.command("list")
def list_(folder: Folder = Path(), who: Who = ME, as_json: AsJson = False) -> None:
    """The accounts.

    Example: kerbwatch users list
    """
    with opened_desk(folder) as desk:
        _admin(desk, who)
        users = desk.people.users()
    if as_json:
        say_json([user.to_json() for user in users])
        return
    rows = [
        (
            u.login,
            u.name,
            u.role,
            u.department or "",
            "" if u.active else "closed",
            "" if u.has_password else "none",
        )
        for u in users
    ]
    table("", ("login", "name", "role", "department", "", "password"), rows)


@app.command()
def password(login: Login, folder: Folder = Path(), who: Who = ME) -> None:
    """Set a password, asked for or read from standard input. Every browser of the account is signed out, and its tokens end.

    Example: kerbwatch users password wang
    """
    with opened_desk(folder) as desk:
        user = desk.people.set_password(_admin(desk, who), login, _password())
    say(f"{user.login} has a new password")


@app.command()
def disable(
    login: Login,
    again: Annotated[bool, typer.Option("--undo", help="Open it again.")] = False,
    folder: Folder = Path(),
    who: Who = ME,
) -> None:
    """Close an account: no sign-in, no session, no token. Its name stays in the history.

    Example: kerbwatch users disable wang
    """
    with opened_desk(folder) as desk:
        user = desk.people.set_active(_admin(desk, who), login, active=again)
    say(f"{user.login} is {'open' if user.active else 'closed'}")


@app.command()
def unlock(
    login: Annotated[str | None, typer.Argument(help="The account that must wait.")] = None,
    address: Annotated[str | None, typer.Option("--address", help="The address that must wait.")] = None,
    folder: Folder = Path(),
    who: Who = ME,
) -> None:
    """Let an account, or an address, sign in again after too many wrong passwords.

    Example: kerbwatch users unlock wang
    """
    if (login is None) == (address is None):
        raise BadInput("name an account or an --address")
    with opened_desk(folder) as desk:
        actor = _admin(desk, who)
        if login is not None:
            forgiven = desk.people.unlock(actor, login)
        else:
            forgiven = desk.people.unlock_address(actor, address or "")
    say(f"{login or address} need not wait any more; {forgiven} wrong passwords are forgotten")


@app.command()
def role(
    login: Login,
    role: Annotated[Role, typer.Option("--role", help="What the account is for from now on.")],
    department: Annotated[str | None, typer.Option("--department", help="For the role department.")] = None,
    folder: Folder = Path(),
    who: Who = ME,
) -> None:
    """Give an account another role.

    Example: kerbwatch users role wang --role admin
    """
    with opened_desk(folder) as desk:
        user = desk.people.set_role(_admin(desk, who), login, role, department)
    say(f"{user.login} is {user.role}")


@app.command()
def token(
    login: Login,
    label: Annotated[str | None, typer.Option("--label", help="What a new token is for.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="How long a new token lasts.")] = 365,
    revoke: Annotated[str | None, typer.Option("--revoke", help="End the token that begins so.")] = None,
    folder: Folder = Path(),
    who: Who = ME,
    as_json: AsJson = False,
) -> None:
    """Make an API token, which is shown this once; without --label list them; with --revoke end one.

    Example: kerbwatch users token wang --label "ledger script" --days 90
    """
    with opened_desk(folder) as desk:
        actor = _admin(desk, who)
        if revoke is not None:
            desk.people.revoke_token(actor, login, revoke)
            say("revoked")
            return
        if label is None:
            tokens = desk.people.tokens(login)
            if as_json:
                say_json([one.to_json() for one in tokens])
                return
            rows = [(t.prefix, t.label, t.expires_at, t.revoked_at or "", t.used_at or "") for t in tokens]
            table("", ("begins with", "label", "expires", "revoked", "last used"), rows)
            return
        secret, made = desk.people.issue_token(actor, login, label, desk.now() + timedelta(days=days))
    if as_json:
        say_json({**made.to_json(), "secret": secret})
    else:
        say(secret)


@app.command()
def log(
    folder: Folder = Path(),
    by: Annotated[str | None, typer.Option("--by", help="Only what this login did.")] = None,
    issue: Annotated[int | None, typer.Option("--issue", help="Only about this issue.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    who: Who = ME,
    as_json: AsJson = False,
) -> None:
    """Who signed in, looked at footage, or took something out; newest first.

    Example: kerbwatch users log --issue 12
    """
    with opened_desk(folder) as desk:
        allow(actor_of(desk, who), Action.READ_LOG)
        found = desk.log.find(who=by, issue_id=issue, limit=limit)
    if as_json:
        say_json([row.to_json() for row in found])
        return
    rows = [(f"{r.at:%Y-%m-%d %H:%M:%S}", r.who, r.what, r.issue_id, r.file, r.address) for r in found]
    table("", ("at (UTC)", "who", "what", "issue", "file", "from"), rows)


def _admin(desk: Desk, who: str) -> Actor:
    actor = actor_of(desk, who)
    allow(actor, Action.MANAGE_USERS)
    return actor


def _password() -> str:
    """Asked for twice on a terminal, else one line of standard input, so that it is in no list of processes."""
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise BadInput("standard input holds no password")
    return given
