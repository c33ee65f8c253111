"""Revoked tokens: one row a user; a later revocation replaces an earlier one."""

from sqlalchemy import Column, Index, Table

from models.schema.base import Id, UtcDateTime, metadata

revocations = Table(
    "revocations",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("revoked_before", UtcDateTime, nullable=False),  # tokens issued before this time are refused
)
Index("ix_revocations_revoked_before", revocations.c.revoked_before)
