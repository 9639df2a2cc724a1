"""Every table. A change here needs a migration beside it; a test compares the two on both databases."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from detector.database.types import UtcTime, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

recordings = Table(
    "recordings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("camera_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("start", UtcTime, nullable=False),
    Column("end", UtcTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    # How offsets are found in the file, and what its container says; null before it was read by this version.
    Column("timeline", JSON(none_as_null=True)),
    Column("media", JSON(none_as_null=True)),
    UniqueConstraint("camera_id", "path"),
    Index(None, "camera_id", "start"),
)

observed = Table(
    "observed",
    metadata,
    # No foreign key: a recording may change (and so get another id) while it is being observed. What was
    # observed of the old file then counts for nothing, yet its Parquet file must still be known to be removed.
    Column("recording_id", Text, primary_key=True),
    Column("plan_key", Text, primary_key=True),
    Column("model_id", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("from", UtcTime),
    Column("until", UtcTime),
    Column("blind", JSON, nullable=False),
)

surveys = Table(
    "surveys",
    metadata,
    Column("camera_id", Text, primary_key=True),
    # All that the camera's folder held then is in the catalogue; NULL where it could never be looked through.
    Column("until", UtcTime),
    Column("fault", Text, nullable=False),
)

judged = Table(
    "judged",
    metadata,
    Column("camera_id", Text, primary_key=True),
    Column("from", UtcTime, primary_key=True),
    Column("until", UtcTime, nullable=False),
)

issues = Table(
    "issues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("violation", Text, nullable=False),
    Column("point_id", Text, nullable=False),
    Column("camera_id", Text, nullable=False),
    Column("zone_id", Text),
    Column("start", UtcTime, nullable=False),
    Column("end", UtcTime, nullable=False),
    Column("start_uncertainty_s", Float, nullable=False),
    Column("end_uncertainty_s", Float, nullable=False),
    Column("limit_s", Float, nullable=False),
    Column("box", JSON(none_as_null=True)),
    Column("share", Float, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("explanation", Text, nullable=False),
    Column("explanation_zh", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("rules_version", Text, nullable=False),
    Column("evidence_folder", Text, nullable=False),
    Column("claimed_by", Text),
    Column("claimed_until", UtcTime),
    Column("filed_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("department", Text),
    Column("assisting", Words),
    Column("grid", Text),
    # No foreign keys: to add them SQLite would have to write the table anew, with all that hangs on it.
    Column("order_id", Integer),
    Column("due_at", UtcTime),
    Column("dispatched_at", UtcTime),
    Column("rectified_at", UtcTime),
    Column("closed_at", UtcTime),
    Column("merged_into", Integer),
    Column("recurrence", Integer),
    # The stretches in which it was seen, as pairs of ISO times in UTC; null where that is one, from start to end.
    Column("seen", JSON(none_as_null=True)),
    Index(None, "camera_id", "violation", "start"),
    Index(None, "state", "start"),
    Index(None, "start", "end", "state"),
    Index(None, "claimed_until"),
    Index(None, "point_id", "start"),
    Index(None, "state", "due_at"),
    Index(None, "department", "state"),
    sqlite_autoincrement=True,  # a number that people have written down never names another issue
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False, index=True),
    Column("camera_id", Text, nullable=False),
    Column("violation", Text, nullable=False),
    Column("zone_id", Text),
    Column("start", UtcTime, nullable=False),
    Column("end", UtcTime, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("issue_id", ForeignKey("issues.id"), index=True),
    Column("decided_at", UtcTime, nullable=False),
    Index(None, "camera_id", "start"),
)

history = Table(
    "history",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("issue_id", ForeignKey("issues.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("move", Text, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    Column("reason", Text),
    Column("note", Text),
    Column("details", JSON, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("issue_id", "version"),
)

evidence_files = Table(
    "evidence_files",
    metadata,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("start", UtcTime, nullable=False),
    Column("end", UtcTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("summary", JSON, nullable=False),
    sqlite_autoincrement=True,
)

orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("department", Text, nullable=False),
    Column("issued_at", UtcTime, nullable=False),
    Column("issued_by", Text, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("note", Text),
    Index(None, "department", "issued_at"),
    sqlite_autoincrement=True,
)

order_issues = Table(
    "order_issues",
    metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("issue_id", ForeignKey("issues.id"), primary_key=True, index=True),
)

issue_links = Table(
    "issue_links",
    metadata,
    # The later issue first.
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("other_id", ForeignKey("issues.id"), primary_key=True, index=True),
    Column("kind", Text, primary_key=True),
    Column("who", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

attachments = Table(
    "attachments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("issue_id", ForeignKey("issues.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index(None, "issue_id", "version"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("issue_id", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("move", Text, nullable=False),
    Column("at", UtcTime, nullable=False, index=True),
    Column("data", JSON, nullable=False),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("outbox_id", ForeignKey("outbox.id"), primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Column("delivered_at", UtcTime),
    Column("last_error", Text),
    Index(None, "endpoint", "state", "next_at"),
)

reminders = Table(
    "reminders",
    metadata,
    Column("issue_id", ForeignKey("issues.id"), primary_key=True),
    Column("due_at", UtcTime, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("department", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("login", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("department", Text),
    Column("active", Boolean, nullable=False),
    Column("password_hash", Text),
    Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    Column("used_at", UtcTime),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("address", Text),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("login", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("succeeded", Boolean, nullable=False),
    Index(None, "login", "at"),
    Index(None, "address", "at"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    # No foreign key: what was looked at may be of an issue that is long gone.
    Column("issue_id", Integer, index=True),
    Column("file", Text),
    Column("address", Text),
    Column("details", JSON, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("until", UtcTime, nullable=False),
)

camera_days = Table(
    "camera_days",
    metadata,
    Column("camera_id", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("run_id", Integer, nullable=False),
    Column("done_at", UtcTime, nullable=False),
)

troubles = Table(
    "troubles",
    metadata,
    # No foreign key: what broke a worker may never have come into the catalogue.
    Column("recording_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("camera_id", Text, nullable=False, index=True),
    Column("path", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("run_id", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("given_up", Boolean, nullable=False),
)

removals = Table(
    "removals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)
