"""For administrators: accounts, the log, and settings that are safe to change while everything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from detector.config.editing import (
    ChangedOnDisk,
    KeptFile,
    checked_rules,
    checked_site,
    rules_file,
    save,
    site_file,
    values_in,
    with_values,
)
from detector.config.settings import Settings, files_version
from detector.core.values import Category, Violation
from detector.people import Action, AuditRow, Looked, Role, Token, User
from detector.review.access import Needs, SignedIn, Visitor, require_password
from detector.review.filters import period_of
from detector.review.house import House, house_of
from detector.review.models import TokenOut
from detector.review.models_admin import (
    AccountChange,
    AccountIn,
    AccountOut,
    LogOut,
    LogQuery,
    LogRowOut,
    OwnPasswordIn,
    PasswordIn,
    SettingsIn,
    SettingsOut,
)
from detector.review.pages import page
from detector.review.refusals import Refused
from detector.review.routes.api import PROBLEMS, token_out
from detector.review.views import local, named

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/api/v1", responses=PROBLEMS, tags=["administration"])

Managing = Annotated[Visitor, Depends(Needs(Action.MANAGE_USERS))]
LogReader = Annotated[Visitor, Depends(Needs(Action.READ_LOG))]
Setting = Annotated[Visitor, Depends(Needs(Action.EDIT_SETTINGS))]

ROWS: Final = 100

SITE: Final = ("name", "name_en", "period_days")
OF_RULE: Final = ("enabled", "dwell_s", "min_confidence", *(f"by_category.{c}.dwell_s" for c in Category))
RULES: Final = tuple(f"{violation}.{key}" for violation in Violation for key in OF_RULE)
"""What may be changed: nothing of it can lose what was stored, and every page and the next scan take it up."""

File = Literal["site", "rules"]
SAFE: Final[Mapping[File, tuple[str, ...]]] = {"site": SITE, "rules": RULES}
FILES: Final[Mapping[File, Callable[[Settings], KeptFile]]] = {"site": site_file, "rules": rules_file}


# Accounts


@router.get("/users")
def users_page(request: Request, visitor: Managing) -> Response:
    house = house_of(request)
    return page(
        request,
        "users.html",
        "nav.users",
        users=_accounts(house),
        tokens={user.login: _live_tokens(house, user.login) for user in house.desk.people.users()},
        roles=list(Role),
        own=visitor.user.login,
    )


@api.get("/users")
def users(request: Request, _: Managing) -> list[AccountOut]:
    """Every account."""
    return _accounts(house_of(request))


@api.post("/users", status_code=201)
def make_user(request: Request, body: AccountIn, visitor: Managing) -> AccountOut:
    """A new account. A token cannot make accounts."""
    require_password(visitor)
    house = house_of(request)
    _require_department(house, body.department)
    user = house.desk.people.create(
        visitor.actor,
        body.login,
        name=body.name,
        role=body.role,
        department=body.department,
        password=body.password,
    )
    return _account(house, user)


@api.patch("/users/{login}")
def change_user(request: Request, login: str, body: AccountChange, visitor: Managing) -> AccountOut:
    """Give an account another role, close it, or open it again; its sessions end."""
    require_password(visitor)
    house = house_of(request)
    people = house.desk.people
    user = _user(house, login)
    _require_department(house, body.department)
    if body.role is not None:
        user = people.set_role(visitor.actor, user.login, body.role, body.department)
    if body.active is not None:
        user = people.set_active(visitor.actor, user.login, active=body.active)
    return _account(house, user)


@api.put("/users/{login}/password")
def set_password(request: Request, login: str, body: PasswordIn, visitor: Managing) -> AccountOut:
    """Give an account another password; its sessions and its tokens end."""
    require_password(visitor)
    house = house_of(request)
    user = _user(house, login)
    return _account(house, house.desk.people.set_password(visitor.actor, user.login, body.password))


@api.post("/users/{login}/unlock")
def unlock_user(request: Request, login: str, visitor: Managing) -> AccountOut:
    """Let an account sign in again that must wait after too many wrong passwords."""
    require_password(visitor)
    house = house_of(request)
    user = _user(house, login)
    house.desk.people.unlock(visitor.actor, user.login)
    return _account(house, user)


@api.get("/users/{login}/tokens")
def tokens_of(request: Request, login: str, _: Managing) -> list[TokenOut]:
    """The tokens of an account that can still be used."""
    house = house_of(request)
    return [token_out(token) for token in _live_tokens(house, _user(house, login).login)]


@api.delete("/users/{login}/tokens/{prefix}", status_code=204)
def end_token(request: Request, login: str, prefix: str, visitor: Managing) -> Response:
    """End a token of any account. A token cannot end tokens of others."""
    require_password(visitor)
    house = house_of(request)
    user = _user(house, login)
    if prefix not in {token.prefix for token in _live_tokens(house, user.login)}:
        raise Refused(404, "not_found", "the account has no such token")
    house.desk.people.revoke_token(visitor.actor, user.login, prefix)
    return Response(status_code=204)


@api.put("/me/password", status_code=204)
def own_password(request: Request, body: OwnPasswordIn, visitor: SignedIn) -> Response:
    """Give oneself another password; every session of one's own ends, this one too."""
    require_password(visitor)
    people, login = house_of(request).desk.people, visitor.user.login
    people.authenticate(login, body.old, address=visitor.actor.address)
    people.set_password(visitor.actor, login, body.new)
    return Response(status_code=204)


def _user(house: House, login: str) -> User:
    """Raises Refused 404."""
    found = next((user for user in house.desk.people.users() if user.login == login), None)
    if found is None:
        raise Refused(404, "not_found", "there is no such account")
    return found


def _require_department(house: House, department: str | None) -> None:
    if department is not None and department not in house.settings.departments:
        raise Refused(422, "bad_input", f"there is no department {department!r}")


def _accounts(house: House) -> list[AccountOut]:
    return [_account(house, user) for user in house.desk.people.users()]


def _account(house: House, user: User) -> AccountOut:
    return AccountOut(
        login=user.login,
        name=user.name,
        role=user.role,
        department=user.department,
        active=user.active,
        has_password=user.has_password,
        created_at=local(house.settings, user.created_at),
        tokens=len(_live_tokens(house, user.login)),
    )


def _live_tokens(house: House, login: str) -> list[Token]:
    """The tokens of an account that can still be used."""
    now = house.desk.now()
    return [one for one in house.desk.people.tokens(login) if one.revoked_at is None and one.expires_at > now]


# The log


@router.get("/log")
def log_page(request: Request, _: LogReader) -> Response:
    house = house_of(request)
    try:
        asked = LogQuery(**{name: value for name, value in request.query_params.items() if value})
    except ValidationError as error:
        raise Refused(422, "bad_input", "that is no filter of the log") from error
    query = urlencode(asked.model_dump(exclude_none=True, exclude={"before"}))
    return page(
        request, "log.html", "nav.log", log=_log(house, asked), asked=asked, query=query, kinds=list(Looked)
    )


@api.get("/log")
def log(request: Request, asked: Annotated[LogQuery, Query()], _: LogReader) -> LogOut:
    """Who signed in, looked at footage, took something out or changed an account; newest first."""
    return _log(house_of(request), asked)


def _log(house: House, asked: LogQuery) -> LogOut:
    rows = house.desk.log.find(
        who=asked.who,
        what=asked.what,
        issue_id=asked.issue,
        period=period_of(house.settings, asked.first, asked.last),
        limit=ROWS + 1,
        before=asked.before,
    )
    shown = rows[:ROWS]
    before = shown[-1].id if len(rows) > ROWS else None
    return LogOut(rows=[_row(house, row) for row in shown], before=before)


def _row(house: House, row: AuditRow) -> LogRowOut:
    return LogRowOut(
        id=row.id,
        at=local(house.settings, row.at),
        who=row.who,
        what=Looked(row.what),
        what_name=named(f"looked.{row.what}"),
        issue=row.issue_id,
        file=row.file,
        address=row.address,
        details=dict(row.details),
    )


# Settings


@router.get("/settings")
def settings_page(request: Request, _: Setting) -> Response:
    house = house_of(request)
    return page(
        request,
        "settings.html",
        "nav.settings",
        found=_settings(house),
        violations=list(Violation),
        of_rule=[key for key in OF_RULE if not key.startswith("by_")],
        categories=list(Category),
    )


@api.get("/settings")
def settings(request: Request, _: Setting) -> SettingsOut:
    """What may be changed while everything runs, as the files have it now, and some of what is only shown."""
    return _settings(house_of(request))


@api.put("/settings/{file}")
def save_settings(request: Request, file: File, body: SettingsIn, visitor: Setting) -> SettingsOut:
    """Write values into a file. Comments and everything else in it stay; the old file is kept."""
    unknown = sorted(body.values.keys() - set(SAFE[file]))
    if unknown:
        raise Refused(422, "bad_input", f"not among what may be changed here: {', '.join(unknown)}")
    with house_of(request).editing:
        house = house_of(request)
        kept = FILES[file](house.settings)
        if body.seen != kept.seen:
            raise ChangedOnDisk(
                f"{kept.path.name} was changed by somebody else meanwhile; nothing was written"
            )
        text = with_values(kept, body.values)
        changed = _changed(house.settings, file, kept, text)
        before = values_in(kept, list(body.values))
        old = save(house.settings, kept, text, house.desk.now())
        request.app.state.house = house.with_settings(replace(changed, version=files_version(changed.folder)))
    details = {"old": old.name, "before": before, "values": body.values}
    house.desk.log.add(visitor.actor, Looked.SETTINGS, file=kept.path.name, details=details)
    return _settings(house_of(request))


def _changed(settings: Settings, file: File, kept: KeptFile, text: str) -> Settings:
    """Raises BadConfig with every fault."""
    if file == "rules":
        return replace(settings, rules=checked_rules(settings, kept, text))
    site = checked_site(settings, kept, text)
    return replace(settings, name=site.name, name_en=site.name_en, period_days=site.period_days)


def _settings(house: House) -> SettingsOut:
    settings = house.settings
    site, rules = site_file(settings), rules_file(settings)
    return SettingsOut(
        seen={"site": site.seen, "rules": rules.seen},
        site={"period_days": settings.period_days} | values_in(site, SITE),
        rules=values_in(rules, RULES),
        version=settings.version,
        shown=_shown(settings),
    )


def _shown(settings: Settings) -> dict[str, str]:
    kept, model = settings.nightly.retention, settings.model

    def days(count: int | None) -> str:
        return "∞" if count is None else str(count)

    return {
        "archive": str(settings.archive_root),
        "evidence": str(settings.evidence_root),
        "timezone": str(settings.timezone),
        "model": f"{model.weights} {model.imgsz_hw[1]}x{model.imgsz_hw[0]} {model.device} {model.precision}",
        "litter": model.litter_weights or "–",
        "nightly": settings.nightly.start,
        "evidence_days": days(kept.evidence_days),
        "observations_days": days(kept.observations_days),
    }
