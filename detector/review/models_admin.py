"""What the API takes and gives of accounts, the log and settings."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from detector.people import Looked, Role
from detector.review.models import Given, Names

Login = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
Password = Annotated[str, StringConstraints(max_length=256)]
DepartmentId = Annotated[str, StringConstraints(max_length=64)]


class AccountOut(BaseModel):
    login: str
    name: str
    role: Role
    department: str | None
    active: bool
    has_password: bool
    created_at: datetime
    tokens: int = Field(description="Of programs, not ended yet.")


class AccountIn(Given):
    login: Login
    name: Name
    role: Role
    department: DepartmentId | None = Field(None, description="For the role department, which needs one.")
    password: Password | None = Field(None, description="Without one only the command line can be used.")


class AccountChange(Given):
    """What is left out stays as it is."""

    role: Role | None = None
    department: DepartmentId | None = Field(None, description="Goes with `role`.")
    active: bool | None = None


class PasswordIn(Given):
    password: Password


class OwnPasswordIn(Given):
    old: Password
    new: Password


class LogRowOut(BaseModel):
    """One row of the log."""

    id: int
    at: datetime
    who: str
    what: Looked
    what_name: Names
    issue: int | None
    file: str | None
    address: str | None
    details: dict[str, Any]


class LogOut(BaseModel):
    rows: list[LogRowOut]
    before: int | None = Field(description="Ask for the next page with this; None at the end.")


class SettingsOut(BaseModel):
    """What may be changed here, by its place in the file; and what stands in the files and is only shown."""

    seen: dict[str, str] = Field(description="Names each file's text; send it back when saving.")
    site: dict[str, Any]
    rules: dict[str, Any]
    version: str
    shown: dict[str, str]


class SettingsIn(Given):
    seen: Annotated[str, StringConstraints(max_length=64)]
    values: Annotated[
        dict[
            Annotated[str, StringConstraints(max_length=64)],
            bool | int | float | Annotated[str, StringConstraints(max_length=200)],
        ],
        Field(min_length=1, max_length=40),
    ]


class LogQuery(BaseModel):
    """What of the log is asked for."""

    who: Annotated[str, StringConstraints(max_length=64)] | None = None
    what: Looked | None = None
    issue: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(None, description="Its number.")
    first: date | None = Field(None, description="Not before this local day.")
    last: date | None = Field(None, description="Not after this local day.")
    before: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        None, description="Older than this row: the next page."
    )
