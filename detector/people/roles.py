"""Who may do what: one table of actions and roles, and the one door through which it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from detector.people.errors import NotAllowed


class Role(StrEnum):
    """What somebody is here for."""

    ADMIN = "admin"
    REVIEWER = "reviewer"
    DISPATCHER = "dispatcher"
    DEPARTMENT = "department"
    """Sees and answers the issues of its own department, and nothing else."""
    VIEWER = "viewer"

    @property
    def zh(self) -> str:
        return ROLES_ZH[self]


ROLES_ZH: Mapping[Role, str] = {
    Role.ADMIN: "管理员",
    Role.REVIEWER: "审核员",
    Role.DISPATCHER: "调度员",
    Role.DEPARTMENT: "责任部门",
    Role.VIEWER: "查看者",
}


class Action(StrEnum):
    """What can be done, as far as permission goes."""

    SEE = "see"
    """Lists, figures, and what is told of an issue."""
    LOOK = "look"
    """Pictures and clips, with everybody but the object concerned made unrecognisable."""
    LOOK_UNMASKED = "look_unmasked"
    REVIEW = "review"
    """Claim, confirm, reject, reconsider, withdraw."""
    MERGE = "merge"
    DISPATCH = "dispatch"
    ANSWER = "answer"
    """Report an issue as put right."""
    ACCEPT = "accept"
    """Close or reopen what was reported as put right."""
    EXPORT = "export"
    """Papers and tables, masked."""
    EXPORT_UNMASKED = "export_unmasked"
    SPOT_CHECK = "spot_check"
    EDIT_ZONES = "edit_zones"
    EDIT_SETTINGS = "edit_settings"
    RUN = "run"
    """Start scans and other work."""
    MANAGE_USERS = "manage_users"
    READ_LOG = "read_log"


_ALL = frozenset(Role)
_ADMIN = frozenset({Role.ADMIN})
_STAFF = frozenset({Role.ADMIN, Role.REVIEWER, Role.DISPATCHER})

PERMISSIONS: Mapping[Action, frozenset[Role]] = {
    Action.SEE: _ALL,
    Action.LOOK: _ALL,
    Action.LOOK_UNMASKED: _STAFF | {Role.DEPARTMENT},
    Action.REVIEW: _STAFF,
    Action.MERGE: _STAFF,
    Action.DISPATCH: _ADMIN | {Role.DISPATCHER},
    Action.ANSWER: _ADMIN | {Role.DISPATCHER, Role.DEPARTMENT},
    Action.ACCEPT: _ADMIN | {Role.DISPATCHER},
    Action.EXPORT: _STAFF | {Role.DEPARTMENT},
    Action.EXPORT_UNMASKED: _ADMIN | {Role.DISPATCHER},
    Action.SPOT_CHECK: _STAFF,
    Action.EDIT_ZONES: _ADMIN,
    Action.EDIT_SETTINGS: _ADMIN,
    Action.RUN: _ADMIN,
    Action.MANAGE_USERS: _ADMIN,
    Action.READ_LOG: _ADMIN,
}
"""Whoever is of a department may do what stands here with the issues of that department only."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks for something: a user, or the program itself. `address` is where from, for the log."""

    who: str
    role: Role
    department: str | None = None
    user_id: int | None = None
    address: str | None = None

    @property
    def bound_to(self) -> str | None:
        """The department whose issues alone concern this one; None for whoever may see them all."""
        return self.department if self.role is Role.DEPARTMENT else None


PROGRAM = Actor("kerbwatch", Role.ADMIN)
"""What kerbwatch does by itself."""


def may(actor: Actor, action: Action) -> bool:
    """Whether the table allows an action at all; which issues it may be done to, the desk decides."""
    if actor.role is Role.DEPARTMENT and not actor.department:
        return False
    return actor.role in PERMISSIONS[action]


def allow(actor: Actor, action: Action) -> None:
    """Raises NotAllowed."""
    if not may(actor, action):
        raise NotAllowed(f"{actor.who} ({actor.role}) may not {action.replace('_', ' ')}")
