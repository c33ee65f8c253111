"""One person on the demo page: what they do, and what they see."""

from playwright.sync_api import Locator, Page, expect


class Pane:
    def __init__(self, page: Page, index: int = 0) -> None:
        self.root = page.locator(".pane").nth(index)
        self.laptop = self.root.locator("belfry-inbox.laptop")
        self.phone = self.root.locator("belfry-inbox.phone")
        self.items = self.laptop.get_by_role("article")
        self.bodies = self.items.locator(".body")
        self.status = self.laptop.get_by_role("status")
        self.problem = self.root.locator(".problem:visible")
        self.notice = self.laptop.get_by_role("alert")
        self.message = self.root.get_by_label("Message", exact=True)

    def sign_in(self, token: str) -> None:
        self.root.get_by_label("Token").fill(token)
        self.press("Sign in")

    def write(self, to: str, text: str) -> None:
        """Send a message by the keyboard, and wait until the API has accepted it."""
        self.root.get_by_label("To", exact=True).fill(to)
        self.message.fill(text)
        self.message.press("Enter")
        expect(self.root.get_by_text(f"Sent to {to}.", exact=True)).to_be_visible()

    def follow(self, target: str) -> None:
        self.root.get_by_label("To", exact=True).fill(target)
        self.press("Follow")

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).click()

    def take_laptop(self, where: str) -> None:
        self.press(f"Laptop: {where}")

    def choose(self, text: str, action: str) -> None:
        """Choose an action from an item's menu."""
        item = self.item(text)
        item.hover()
        item.get_by_role("button", name="Actions for").click()
        self.root.get_by_role("menuitem", name=action, exact=True).click()

    def show(self, tab: str) -> None:
        self.laptop.get_by_role("tab", name=tab, exact=True).click()

    def item(self, text: str) -> Locator:
        return self.items.filter(has_text=text)

    def unread(self) -> Locator:
        """The items with the unread mark."""
        return self.items.filter(has=self.root.page.get_by_role("img", name="Unread"))

    def expect_online(self) -> None:
        expect(self.status).to_have_text("Online")

    def expect_offline(self) -> None:
        expect(self.status).to_have_text("Offline; showing what was here")

    def expect_bodies(self, *newest_first: str) -> None:
        """The list shows these messages, in this order, and no others."""
        expect(self.bodies).to_have_text(list(newest_first), use_inner_text=False)

    def expect_unread(self, count: int) -> None:
        expect(self.laptop.locator(".count")).to_have_text(f"{count} unread" if count else "")
