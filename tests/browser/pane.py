"""One person on the page, as a test uses it: what they do, and what they see."""

from playwright.sync_api import Locator, Page, expect


class Pane:
    def __init__(self, page: Page, index: int = 0) -> None:
        self.root = page.locator(".pane").nth(index)
        self.items = self.root.locator("ol > li")
        self.bodies = self.items.locator(".body")
        self.problem = self.root.get_by_role("alert")

    def sign_in(self, token: str) -> None:
        self.root.get_by_label("Token").fill(token)
        self.press("Sign in")

    def write(self, to: str, text: str) -> None:
        """Send a message, by the keyboard, and wait until the API has accepted it."""
        self.root.get_by_label("To", exact=True).fill(to)
        message = self.root.get_by_label("Message")
        message.fill(text)
        message.press("Enter")
        expect(self.root.get_by_text(f"Sent to {to}.", exact=True)).to_be_visible()

    def follow(self, target: str) -> None:
        self.root.get_by_label("Person to follow").fill(target)
        self.press("Follow")

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).click()

    def item(self, text: str) -> Locator:
        return self.items.filter(has_text=text)

    def expect_online(self) -> None:
        expect(self.root.get_by_text("Online", exact=True)).to_be_visible()

    def expect_bodies(self, *newest_first: str) -> None:
        """These messages are shown, in this order, and no other."""
        expect(self.bodies).to_have_text(list(newest_first), use_inner_text=False)

    def expect_unread(self, count: int) -> None:
        expect(self.root.locator(".count")).to_have_text(f"{count} unread" if count else "")
