"""The scopes of tokens."""

INBOX = "inbox"  # act as a user: follow, send messages, read one's own inbox
NOTIFY = "notify"  # act as a producer: publish notifications, subscribe others
