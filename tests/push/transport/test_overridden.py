"""What the push server takes from inside of python-engineio, python-socketio and gevent is there, and is listed."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import engineio
import gevent.pywsgi
import gevent.socket
import pytest
import socketio

from push.broker.announcer import Announcer
from push.broker.listener import Listener
from push.namespace import InboxNamespace
from push.server import SocketServer
from push.transport.engine import Engine
from push.transport.http import HttpHandler
from push.transport.overridden import OVERRIDDEN, USED

OURS: dict[type, list[type]] = {
    engineio.Server: [Engine],
    socketio.Server: [SocketServer],
    socketio.Namespace: [InboxNamespace],
    socketio.KombuManager: [Announcer, Listener],
    gevent.pywsgi.WSGIHandler: [HttpHandler],
}


class DeafManager(socketio.KombuManager):  # type: ignore[misc]  # socketio has no types
    """A stock manager that has begun to listen, but to no broker."""

    def __init__(self) -> None:
        super().__init__("memory://")
        self.set_server(socketio.Server(async_mode="threading", client_manager=self))
        self.initialize()

    def _thread(self) -> None:
        pass


def stock_instance(library: type) -> Any:
    """An object as the library makes it, with the attributes that its `__init__` sets."""
    if library is socketio.KombuManager:
        return DeafManager()
    if library is gevent.pywsgi.WSGIHandler:
        connection, _ = gevent.socket.socketpair()
        return library(connection, ("127.0.0.1", 1), gevent.pywsgi.WSGIServer(("127.0.0.1", 0)))
    if library is gevent.pywsgi.Input:
        return library(None, 0)
    return library() if library is socketio.Namespace else library(async_mode="gevent")


@pytest.mark.parametrize("library", dict.fromkeys([*OVERRIDDEN, *USED]))
def test_each_listed_name_still_exists(library: type) -> None:
    stock = stock_instance(library)
    names = OVERRIDDEN.get(library, set()) | USED.get(library, set())
    assert {name for name in names if not hasattr(stock, name)} == set()


@pytest.mark.parametrize("library", OVERRIDDEN)
def test_each_overridden_name_is_listed_and_no_other(library: type) -> None:
    defined = {name for ours in OURS[library] for name in vars(ours) if not name.startswith("__")}
    assert {name for name in defined if hasattr(library, name)} == OVERRIDDEN[library]


@pytest.mark.parametrize("library", OVERRIDDEN)
def test_each_private_name_that_is_used_is_listed(library: type) -> None:
    own = {name for ours in OURS[library] for name in vars(ours)}
    used = {name for ours in OURS[library] for name in attributes_of_self(ours)}
    private = {name for name in used - own if name.startswith("_") and hasattr(library, name)}
    assert private <= USED.get(library, set())


def attributes_of_self(ours: type) -> Iterator[str]:
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(ours)))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            yield node.attr
