"""A Python client of Belfry: `from client.inbox import Inbox`."""
