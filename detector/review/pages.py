"""Pages: templates filled in, in the visitor's language and theme."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal, get_args

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from detector.core.wording import clock_en, clock_zh, duration_en, duration_zh
from detector.people import Action
from detector.review.access import Visitor, visitor_of
from detector.review.forms import VISIT_COOKIE, csrf_of
from detector.review.house import House, house_of
from detector.review.words import LANGUAGES, Language, Tongue

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)
LANGUAGE_COOKIE: Final = "kerbwatch_lang"
THEME_COOKIE: Final = "kerbwatch_theme"
PREFERENCE_S: Final = 365 * 86_400


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One entry of the main menu; `key` is its word's, and the page's that stands under it."""

    key: str
    path: str
    icon: str
    needs: Action
    minor: bool = False
    """Shown as its icon alone: seldom used, and the bar of a small screen is short."""


MENU: tuple[MenuItem, ...] = (
    MenuItem("nav.queue", "/queue", "queue", Action.SEE),
    MenuItem("nav.review", "/review", "review", Action.REVIEW),
    MenuItem("nav.today", "/today", "today", Action.SEE),
    MenuItem("nav.calendar", "/calendar", "calendar", Action.SEE),
    MenuItem("nav.dispatch", "/dispatch", "dispatch", Action.SEE),
    MenuItem("nav.spots", "/spot-checks", "spot", Action.SPOT_CHECK),
    MenuItem("nav.zones", "/zones", "zones", Action.EDIT_ZONES),
    MenuItem("nav.users", "/users", "users", Action.MANAGE_USERS, minor=True),
    MenuItem("nav.log", "/log", "log", Action.READ_LOG, minor=True),
    MenuItem("nav.settings", "/settings", "settings", Action.EDIT_SETTINGS, minor=True),
)


def page(
    request: Request,
    template: str,
    current: str = "",
    *,
    status: int = 200,
    **values: Any,  # noqa: ANN401
) -> HTMLResponse:
    """A template filled in. `current` is the key of the menu's entry under which the page stands.

    Every template has: t (the words), site (the settings), visitor (or None), may_edit_zones, theme, csrf (for forms), here (the
    path), menu, icon(name), duration(seconds), moment(datetime), clock (the county's), kept (a block's text as it is rendered).
    """
    visitor = visitor_of(request)
    csrf, visit = csrf_of(request)
    house, tongue, theme = house_of(request), tongue_of(request), theme_of(request)
    shared: dict[str, Any] = {
        "t": tongue,
        "site": house.settings,
        "visitor": visitor,
        "may_edit_zones": visitor is not None and visitor.may(Action.EDIT_ZONES),
        "theme": theme,
        "next_theme": THEMES[(THEMES.index(theme) + 1) % len(THEMES)],
        "csrf": csrf,
        "here": _here(request),
        "menu": _menu_of(visitor),
        "current": current,
        "kept": lambda caller: caller(),
        "icon": icon,
        "duration": duration_en if tongue.language == "en" else duration_zh,
        "moment": lambda at: moment(house, at),
        "clock": (clock_en if tongue.language == "en" else clock_zh)(
            house.settings.timezone, house.desk.now()
        ),
    }
    text = _environment().get_template(template).render(**shared | values)
    answer = HTMLResponse(text, status)
    if visit is not None:
        set_cookie(house, answer, VISIT_COOKIE, visit, None)
    return answer


def icon(name: str) -> Markup:
    """One of ours, from static/icons.svg."""
    return Markup('<svg class="icon" aria-hidden="true"><use href="/static/icons.svg#{}"/></svg>').format(
        name
    )


def moment(house: House, at: datetime) -> str:
    """Local time to the second."""
    return f"{at.astimezone(house.settings.timezone):%Y-%m-%d %H:%M:%S}"


def tongue_of(request: Request) -> Tongue:
    """The language that the visitor chose, else the one that his browser asks for; Chinese where it asks for neither."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    for language in LANGUAGES:
        if chosen == language:
            return Tongue(language)
    return Tongue("en" if request.headers.get("Accept-Language", "").lower().startswith("en") else "zh")


def theme_of(request: Request) -> Theme:
    chosen = request.cookies.get(THEME_COOKIE)
    return next((theme for theme in THEMES if theme == chosen), "auto")


def set_cookie(house: House, answer: Response, name: str, value: str, lasts_s: int | None) -> None:
    answer.set_cookie(
        name, value, max_age=lasts_s, httponly=True, samesite="lax", secure=house.secure_cookies, path="/"
    )


def to(path: str) -> RedirectResponse:
    """To another page of ours, after a form."""
    return RedirectResponse(local(path), status_code=303)


def local(path: str) -> str:
    """A path on this server and nowhere else: '//elsewhere' and 'https:' become '/'."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if plain and path.isprintable() and path.isascii() else "/"


def _here(request: Request) -> str:
    if request.method != "GET":
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _menu_of(visitor: Visitor | None) -> list[MenuItem]:
    return [item for item in MENU if visitor is not None and visitor.may(item.needs)]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("detector.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


__all__ = [
    "LANGUAGE_COOKIE",
    "MENU",
    "THEMES",
    "THEME_COOKIE",
    "Language",
    "MenuItem",
    "icon",
    "local",
    "moment",
    "page",
    "set_cookie",
    "theme_of",
    "to",
    "tongue_of",
]
