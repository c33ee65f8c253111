"""Names of other libraries' classes that the push server overrides, and undocumented ones that it uses.

None of them is promised by its library. pyproject.toml keeps python-engineio and python-socketio below their next
major version, and tests/push/transport/test_overridden.py checks that each name still exists and that none is
missing here.
"""

import engineio
import gevent.pywsgi
import socketio

OVERRIDDEN: dict[type, set[str]] = {
    engineio.Server: {"_handle_connect"},
    socketio.Server: {
        "_engineio_server_class",
        "_handle_connect",
        "_handle_eio_connect",
        "_handle_eio_message",
        "_trigger_event",
    },
    socketio.Namespace: {"trigger_event"},
    socketio.KombuManager: {
        "_connection",
        "_handle_emit",
        "_listen",
        "_publish",
        "_thread",
        "basic_disconnect",
        "basic_enter_room",
        "basic_leave_room",
        "get_participants",
        "initialize",
        "trigger_callback",
    },
    gevent.pywsgi.WSGIHandler: {
        "MessageClass",
        "_handle_client_error",
        "_log_error",
        "get_environ",
        "read_request",
        "read_requestline",
        "run_application",
    },
}

USED: dict[type, set[str]] = {
    engineio.Server: {"_ok", "_trigger_event", "_upgrades", "generate_id", "reason", "sockets"},
    socketio.Server: {"_send_eio_packet", "eio", "environ", "manager", "manager_initialized", "reserved_events"},
    socketio.KombuManager: {
        "_exchange",
        "_handle_callback",
        "_handle_close_room",
        "_handle_disconnect",
        "_handle_enter_room",
        "_handle_leave_room",
        "callbacks",
        "eio_sid_from_sid",
        "host_id",
        "is_connected",
        "is_pre_connected",
        "json",
        "pending_connect",
        "pending_disconnect",
        "publisher_connection",
        "rooms",
        "sid_from_eio_sid",
        "thread",
        "url",
    },
    gevent.pywsgi.WSGIHandler: {"close_connection", "content_length", "socket", "wsgi_input"},
    gevent.pywsgi.Input: {"_chunked_input_error", "_discard"},
}
