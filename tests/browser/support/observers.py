"""Observers of a page. Each returns a list that grows while the page lives."""

from playwright.sync_api import ConsoleMessage, Page


def sockets_of(page: Page) -> list[str]:
    """The URLs of the WebSockets that the page opens."""
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    return opened


def errors_of(page: Page) -> list[str]:
    """The page's uncaught errors, and the errors in its console."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", note)
    return errors
