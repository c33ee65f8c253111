"""The HTTP API: publishing notifications and reading inboxes."""
