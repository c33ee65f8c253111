"""When each step of maintenance last succeeded, and when it last failed."""

from sqlalchemy import Column, String, Table

from models.schema.base import UtcDateTime, metadata

maintenance = Table(
    "maintenance",
    metadata,
    Column("step", String(40), primary_key=True),
    Column("succeeded_at", UtcDateTime),
    Column("failed_at", UtcDateTime),
)
