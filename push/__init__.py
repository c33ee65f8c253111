"""The push room: what crosses the wire, tokens, the announcer, and the Socket.IO server. It knows no inbox table."""
