"""Who may do what: users, roles, passwords, API tokens, browser sessions, and the log of who looked at what."""

from detector.people.audit import AuditLog, AuditRow, Looked
from detector.people.errors import NotAllowed, PeopleRefusal, SignInRefused, SignInThrottled, UnknownUser
from detector.people.roles import ROLES_ZH, Action, Actor, Role, allow, may
from detector.people.store import People
from detector.people.values import Session, Token, User

__all__ = [
    "ROLES_ZH",
    "Action",
    "Actor",
    "AuditLog",
    "AuditRow",
    "Looked",
    "NotAllowed",
    "People",
    "PeopleRefusal",
    "Role",
    "Session",
    "SignInRefused",
    "SignInThrottled",
    "Token",
    "UnknownUser",
    "User",
    "allow",
    "may",
]
