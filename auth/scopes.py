"""What a token may be for."""

INBOX = "inbox"  # act as a user: follow, write, read the own inbox
NOTIFY = "notify"  # act as a producer: publish notifications, subscribe others
