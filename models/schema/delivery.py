"""The progress of deliveries that take more than one transaction."""

from sqlalchemy import Column, ForeignKey, Integer, Table, Uuid

from models.schema.base import Id, metadata

# How far a fan-out in progress has come in each part of its audience.
fanouts = Table(
    "fanouts",
    metadata,
    Column("notification_id", Uuid, ForeignKey("notifications.id"), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("reached", Id, nullable=False),  # the last recipient who has it
    Column("until", Id, nullable=False),  # the last recipient of this part
)
