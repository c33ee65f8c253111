"""Who receives what is published to a topic; read by fan-outs only."""

from sqlalchemy import Column, ForeignKey, Index, Table

from models.schema.base import Id, Topic, UtcDateTime, metadata

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("topic", Topic, primary_key=True),
    Column("recipient_id", Id, ForeignKey("inboxes.recipient_id"), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_subscriptions_recipient_id", subscriptions.c.recipient_id)
