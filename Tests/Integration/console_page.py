"""The staff console as its users see it: buttons, fields, tables."""

import base64
import hashlib
import hmac
import struct
import time

from processes import wait_until


def authenticator_code(secret, steps=0):
    """The authenticator's six digits (RFC 6238), some steps of 30 seconds from now."""
    step = struct.pack(">Q", int(time.time()) // 30 + steps)
    digest = hmac.digest(base64.b32decode(secret), step, hashlib.sha1)
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start:start + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


class Console:
    """A page of the console; what it does waits until the page shows it."""

    def __init__(self, page):
        self.page = page

    def sign_in(self, user_name, password):
        self.page.locator("[name=userName]").fill(user_name)
        self.page.locator("[name=password]").fill(password)
        self.page.locator(".sign-in button[type=submit]").click()
        return self

    def signed_in(self):
        self.page.locator("#sign-out").wait_for()
        return self

    def go(self, place):
        self.page.evaluate("place => { location.hash = `#/${place}`; }", place)
        self.page.locator("main h1").wait_for()
        self.settle()
        return self

    def settle(self):
        """Waits until nothing is being read any more."""
        wait_until(lambda: self.page.locator(".loading").count() == 0, what="the page")

    def open(self, name):
        """The details of a resource: enrollments/ID."""
        views = {"poolCases": "pool", "outreachLists": "outreach"}
        collection, ident = name.split("/")
        self.go(f"{views.get(collection, collection)}/{ident}")
        self.page.locator(".detail .facts").first.wait_for()
        return self

    @property
    def actions(self):
        return {node.get_attribute("data-action") for node in
                self.page.locator("[data-action]").all()}

    def act(self, action, **fields):
        """Presses an action's button, and fills its dialog; `submit` sends it."""
        self.page.locator(f"[data-action={action}]").first.click()
        for path, value in fields.items():
            self.fill(path, value)
        return self

    def fill(self, path, value):
        field = self.page.locator(f"dialog [name='{path}']")
        kind = field.evaluate("node => node.type")
        if kind == "checkbox":
            field.set_checked(value)
        elif kind.startswith("select"):
            field.select_option(value)
        elif kind == "file":
            field.set_input_files(value)
        else:
            field.fill(value)
        return self

    def submit(self):
        self.page.locator("dialog button[type=submit]").last.click()
        return self

    def done(self):
        """Sends the dialog, which closes when it was accepted."""
        self.submit()
        self.page.locator("dialog form").wait_for(state="detached")
        self.settle()
        return self

    def told(self, text):
        """Waits until an upload's result says so."""
        self.page.locator("dialog .results .notice", has_text=text).wait_for()
        return self

    def press(self, button):
        self.page.locator("dialog").get_by_role("button", name=button).click()
        return self

    def error_of(self, path):
        """What the page says beside a field."""
        place = self.page.locator(f"dialog [data-path='{path}'] .error:not(:empty)")
        place.wait_for()
        return place.text_content()

    def _fact(self, label):
        return self.page.locator(
            "main .facts > div", has=self.page.locator("dt", has_text=label)).first.locator("dd")

    def fact(self, label):
        """The value beside a name, in the details."""
        return self._fact(label).text_content().strip()

    def shows(self, label, text):
        """Waits until the value beside a name has a text."""
        self._fact(label).get_by_text(text).wait_for()
        return self
