"""The declared schema, a file a domain. The migrations make exactly this on both databases; a test compares the two."""

from models.schema import delivery, inbox, maintenance, notifications, revocations, subscriptions
from models.schema.base import metadata

__all__ = ["delivery", "inbox", "maintenance", "metadata", "notifications", "revocations", "subscriptions"]
