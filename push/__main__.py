"""`python -m push`: one push server, with its settings from the environment."""

# ruff: noqa: E402  (everything below must find its modules patched)
from gevent import monkey

monkey.patch_all()

import errno
import logging
import os
import signal
import sys
from types import TracebackType

import gevent

from logs import configure_logging
from push.errors import describe
from push.server import PushServer
from push.tokens import make_verifier
from settings import Settings, SettingsError, load_settings

log = logging.getLogger("push")

UNUSABLE = 2  # the exit code of a process that cannot start as it is set up


def main() -> int:
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        server = _server(settings)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    gevent.get_hub().print_exception = _log_stray
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.stop)
    log.info("push_serves host=%s port=%d", settings.bind_host, settings.push_port)
    server.run()
    log.info("push_stopped")
    return 0


def _server(settings: Settings) -> PushServer:
    try:
        return PushServer(
            host=settings.bind_host,
            port=settings.push_port,
            broker_url=settings.broker_url,
            verifier=make_verifier(
                secret=settings.jwt_secret,
                jwks_url=settings.jwt_jwks_url,
                audience=settings.jwt_audience,
                issuer=settings.jwt_issuer,
            ),
            origins=settings.cors_origins,
            on_death=_die,
        )
    except OSError as error:
        place = f"port {settings.push_port} of {settings.bind_host}"
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"Belfry's push server cannot start: {place} is taken; set PUSH_PORT") from None
        raise SettingsError(f"Belfry's push server cannot listen on {place}: {error.strerror}") from None


def _die(greenlet: gevent.Greenlet) -> None:
    """A server that no longer hears or times would go on as if nothing had happened: better that it is restarted."""
    log.critical("background_greenlet_died %s", describe(greenlet.exception) if greenlet.exception else "it returned")
    os._exit(1)


def _log_stray(_context: object, _kind: type[BaseException], error: BaseException, _tb: TracebackType) -> None:
    log.error("greenlet_failed %s", describe(error))


if __name__ == "__main__":
    sys.exit(main())
