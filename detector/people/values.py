"""Users, tokens and sessions as the store returns them: frozen, and without any secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from detector.people.roles import Actor, Role


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account. Users are never removed, for the history names them; they are disabled."""

    id: int
    login: str
    name: str
    role: Role
    department: str | None
    active: bool
    has_password: bool
    created_at: datetime

    def actor(self, address: str | None = None) -> Actor:
        """The user as one who asks for something."""
        return Actor(self.login, self.role, self.department, self.id, address)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "login": self.login,
            "name": self.name,
            "role": self.role.value,
            "department": self.department,
            "active": self.active,
            "has_password": self.has_password,
            "created_at": self.created_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Token:
    """An API token; its secret is shown once, when it is made. `prefix` tells it from others."""

    id: int
    user_id: int
    label: str
    prefix: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "user": self.user_id,
            "label": self.label,
            "prefix": self.prefix,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "revoked_at": self.revoked_at.isoformat() if self.revoked_at else None,
            "used_at": self.used_at.isoformat() if self.used_at else None,
        }


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. `key` names it in the database; the secret in its cookie is not kept."""

    key: str
    user: User
    csrf: str
    """What a form must send back; as long as the session's own secret, and worth nothing without it."""
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str | None
