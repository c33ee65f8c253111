"""A Python client that follows the client's rule: `from client.inbox import Inbox`."""
