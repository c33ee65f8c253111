"""Engine.IO and WebSocket under the push server: HTTP, sessions, bounds, timers. Nothing here knows users or rooms."""
