"""A real browser: Debian's chromium, driven by Playwright."""

import re
import shutil
import urllib.parse

from playwright.sync_api import sync_playwright

from processes import wait_until

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
TIMEOUT_MS = 15_000


class Browser:
    """Opens tabs of their own storage at one address, and notes whatever goes wrong in them.

    Problems are messages of the console, with the violations of the content security policy among
    them, exceptions, and requests to any other place.
    """

    def __init__(self, address):
        self.address = address
        self.problems = []
        self._driver = sync_playwright().start()
        path = shutil.which("chromium")
        assert path, "no chromium here: run make deps"
        self._browser = self._driver.chromium.launch(executable_path=path, args=ARGUMENTS)

    def tab(self, path, width=375, height=740, locale="zh-CN", **options):
        """A new tab with a session of its own."""
        # The authority of a test's certificates is in no browser's store.
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, locale=locale, ignore_https_errors=True,
            **options)
        context.set_default_timeout(TIMEOUT_MS)
        tab = context.new_page()
        tab.on("console", self._note_message)
        tab.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        tab.on("request", self._note_request)
        tab.goto(self.address + path)
        return tab

    def _note_message(self, message):
        place = urllib.parse.urlparse(message.location.get("url", "")).path
        # The browser itself reports each response with an error, which a page expects of calls.
        is_refused_call = message.text.startswith("Failed to load resource") and (
            place.startswith(("/v1/", "/yijia.")))
        if message.type in ("error", "warning") and not is_refused_call:
            self.problems.append(f"{message.type}: {message.text} ({place})")

    def _note_request(self, request):
        if not request.url.startswith((self.address + "/", "data:", f"blob:{self.address}/")):
            self.problems.append(f"request to {request.url}")

    def close(self):
        self._browser.close()
        self._driver.stop()


def one_time_code(suite, phone, after=0):
    """The code last sent to a phone, and how many there were; `after` that many."""
    log = suite.folder / "logs" / "gateway.log"

    def sent():
        lines = [line for line in log.read_text(errors="replace").splitlines()
                 if line.endswith("member code") and f"phone=*{phone[-4:]} " in line]
        return lines if len(lines) > after else None

    lines = wait_until(sent, 10, f"a code to {phone}")
    return re.search(r"code=(\d{6})", lines[-1])[1], len(lines)
