"""Bounds of one client's transport: sizes and times. A client beyond them is closed."""

MESSAGE_MAX_BYTES = 65_536  # clients send only tokens and acknowledgements
POLL_MAX_PACKETS = 16  # in one response; python-engineio's client refuses more
BUFFER_MAX_PACKETS = 1_000  # unsent to one client; a client disconnected there asks the API for what it missed
BUFFER_MAX_BYTES = 1_048_576  # likewise

# seconds
PING_INTERVAL = 25
PING_TIMEOUT = 20
UPGRADE_TIMEOUT = 10  # from a polling client's WebSocket handshake to its first use of the WebSocket
READ_TIMEOUT = 10  # for a posted body to arrive
