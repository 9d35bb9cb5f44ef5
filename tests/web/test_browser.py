"""Pages in a real browser: by mouse, by keyboard alone, without scripts, two at once, and as people see them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.blackbox.live import FAST, PASSWORD, Live
from tests.web.browsers import SHOTS, Simulated, chromium

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

NONE = {"id": "none", "name": "none", "type": ".none", "fields": None}
NASTY = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\'"{{7*7}}'
LIST, SECURITY = "/app/cases", "/app/security/cases"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a worker."""
    path = chromium()
    if path is None:
        message = "NO CHROMIUM: pages are not tested in a browser. Install the package chromium, or run as root."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def jira() -> Iterator[Simulated]:
    simulated = Simulated()
    simulated.start()
    yield simulated
    simulated.stop()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    server = Live(folder, "", env={**FAST, "CASEBRIDGE_RETRY_FIRST_S": "600"})
    server.start()
    yield server
    server.stop()


class There:
    """The server as tests prepare it: through the API."""

    def __init__(self, live: Live) -> None:
        self.base = f"http://127.0.0.1:{live.port}"
        self.client = httpx2.Client(
            base_url=self.base, auth=("admin", PASSWORD), headers={"kbn-xsrf": "true"}, timeout=30
        )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None

    def case(self, title: str, **more: Any) -> Any:
        body = {
            "title": title,
            "description": "Seen on **two** hosts.",
            "tags": ["phishing"],
            "connector": NONE,
            "settings": {"syncAlerts": True},
            "owner": "securitySolution",
            **more,
        }
        return self.call("POST", "/api/cases", body)

    def connector(self, jira: Simulated) -> dict[str, Any]:
        body = {
            "name": "Ops Jira",
            "connector_type_id": ".jira",
            "config": {"apiUrl": jira.url, "projectKey": "OPS"},
            "secrets": {"email": "bot@example.org", "apiToken": "sandbox-token"},
        }
        made = self.call("POST", "/api/actions/connector", body)
        fields = {"issueType": "10002", "priority": "High", "parent": None}
        return {"id": made["id"], "name": made["name"], "type": ".jira", "fields": fields}


@pytest.fixture(scope="module")
def there(live: Live) -> Iterator[There]:
    made = There(live)
    yield made
    made.client.close()


@pytest.fixture
def visit(browser: Any, there: There) -> Iterator[Callable[..., Any]]:
    """Opens a signed-in page in a context of its own; at the end nothing may have complained on a console."""
    contexts, complaints = [], []

    def opened(path: str, *, script: bool = True, **more: Any) -> Any:
        context = browser.new_context(base_url=there.base, java_script_enabled=script, **more)
        context.set_default_timeout(8_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{path}")
        page.complaints = complaints
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def said(page: Any, text: str) -> Any:
    """The comment of this text as it is shown."""
    return page.locator(".entry.said .prose:not([data-preview-pane])", has_text=text)


def address(case: Any) -> str:
    return f"{SECURITY}/{case['id']}"


def test_a_case_is_opened_worked_on_and_found_again(visit: Any):
    page = visit(LIST)
    page.get_by_role("link", name="New case").click()
    page.get_by_label("Title").fill("Odd logins at night")
    page.get_by_label("Description").fill("From **two** countries.")
    page.get_by_role("button", name="Preview").click()
    page.locator("[data-preview-pane] strong").wait_for()
    page.get_by_role("button", name="Preview").click()
    page.get_by_label("Tags").fill("identity, vpn")
    page.get_by_role("button", name="Open the case").click()
    page.get_by_role("heading", name="Odd logins at night").wait_for()

    page.locator("#side-severity").select_option("high")
    page.get_by_text("Severity saved.").wait_for()
    page.locator("#comment").fill("Asked the user.")
    page.get_by_role("button", name="Comment", exact=True).click()
    said(page, "Asked the user.").wait_for()
    assert page.locator("#comment").input_value() == ""

    page.goto(LIST)
    page.get_by_role("searchbox").press_sequentially("logi")
    page.wait_for_url(re.compile("search=logi"))
    page.locator("[data-row]").get_by_text("Odd logins at night").wait_for()


def test_everything_of_a_case_goes_by_keyboard_alone(visit: Any, there: There):
    there.case("Keyboard only")
    page = visit(f"{LIST}?search=keyboard")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Tab")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_text("1 selected").wait_for()
    page.keyboard.press("x")
    page.locator("[data-row].current [data-open]").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Keyboard only").wait_for()
    page.locator("#comment").focus()
    page.keyboard.type("Typed, not clicked.")
    page.keyboard.press("Control+Enter")
    said(page, "Typed, not clicked.").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keyboard shortcuts").wait_for()
    page.keyboard.press("Escape")
    page.locator("#keys").wait_for(state="hidden")
    page.keyboard.press("c")
    page.get_by_role("heading", name="New case").wait_for()


def test_without_scripts_one_reads_and_writes_all_the_same(visit: Any, there: There):
    case = there.case("No script at all")
    page = visit(f"{LIST}?search=script", script=False)
    page.get_by_role("link", name="No script at all").click()
    page.locator("#comment").fill("Sent as a plain form.")
    page.get_by_role("button", name="Comment", exact=True).click()
    said(page, "Sent as a plain form.").wait_for()
    page.locator("#side-status").select_option("in-progress")
    page.locator("form:has(#side-status)").get_by_role("button", name="Set").click()
    page.get_by_text("Status saved.").wait_for()
    page.get_by_text("Edit title").click()
    page.get_by_label("Title", exact=True).fill("No script needed")
    page.get_by_role("button", name="Save", exact=True).first.click()
    page.get_by_role("heading", name="No script needed").wait_for()

    stored = there.call("GET", f"/api/cases/{case['id']}")
    assert (stored["status"], stored["title"], stored["totalComment"]) == ("in-progress", "No script needed", 1)


def test_nothing_that_users_write_acts_on_a_page(visit: Any, there: There):
    case = there.case(NASTY, description=NASTY, tags=[NASTY], category=NASTY[:50])
    there.call(
        "POST", f"/api/cases/{case['id']}/comments",
        {"type": "user", "owner": "securitySolution", "comment": NASTY + " [x](javascript:window.hit=1)"},
    )  # fmt: skip
    page = visit(address(case))
    for path in (
        address(case),
        LIST,
        f"{LIST}?view=board",
        f"{LIST}?search=%3Cscript%3E&tags={'%3Cimg%20onerror%3D1%3E'}",
    ):
        page.goto(path)
        assert page.evaluate("window.hit") is None
        assert page.locator("img[src=x]").count() == 0
        assert "49'" not in page.content()
    page.goto(address(case))
    page.locator("#timeline [data-quote]").click()
    assert page.locator("#comment").input_value().startswith("> <img")


def test_two_who_edit_the_same_field_see_both_versions_and_choose(visit: Any, there: There):
    case = there.case("Edited by two")
    first, second = visit(address(case)), visit(address(case))
    for page, title in ((first, "The first was quicker"), (second, "The second was slower")):
        page.get_by_text("Edit title").click()
        page.get_by_label("Title", exact=True).fill(title)
    first.get_by_role("button", name="Save", exact=True).first.click()
    first.get_by_role("heading", name="The first was quicker").wait_for()
    second.get_by_role("button", name="Save", exact=True).first.click()
    second.get_by_text("somebody changed it meanwhile").wait_for()
    assert there.call("GET", f"/api/cases/{case['id']}")["title"] == "The first was quicker"
    second.get_by_text("The first was quicker").wait_for()
    second.get_by_role("button", name="Use mine").click()
    second.get_by_role("heading", name="The second was slower").wait_for()
    second.complaints[:] = [each for each in second.complaints if "409" not in each]


def test_changes_of_others_appear_while_one_writes_and_the_text_stays(visit: Any, there: There):
    case = there.case("Watched by two")
    page = visit(address(case))
    page.locator("#comment").fill("Not finished yet")
    body = {"type": "user", "owner": "securitySolution", "comment": "From somebody else."}
    there.call("POST", f"/api/cases/{case['id']}/comments", body)
    said(page, "From somebody else.").wait_for()
    assert page.locator("#comment").input_value() == "Not finished yet"
    page.reload()
    assert page.locator("#comment").input_value() == "Not finished yet"
    page.get_by_text("Your unsaved text was restored.").wait_for()


def test_a_push_fails_is_tried_again_and_links_to_the_record(visit: Any, there: There, jira: Simulated):
    case = there.case("Pushed from its page", connector=there.connector(jira))
    page = visit(address(case))
    page.get_by_role("link", name="Preview").click()
    page.get_by_text("A new record is made over there.").wait_for()
    page.get_by_role("link", name="Back to the case").click()
    jira.fault("create=status:503")
    page.get_by_role("button", name="Push").click()
    page.locator("#flash .notice.bad").wait_for()
    page.locator(".push").get_by_text("Failed").first.wait_for()
    page.locator(".push").get_by_role("button", name="Retry").click()
    page.locator(".push").get_by_role("link", name=re.compile("OPS-[0-9]+")).wait_for(timeout=15_000)
    page.locator(".push").get_by_text("In step").wait_for()


def test_many_cases_change_at_once_and_deleting_asks_for_the_words(visit: Any, there: There):
    for number in range(3):
        there.case(f"Bulk number {number}")
    page = visit(f"{LIST}?search=bulk")
    page.get_by_label("Select all on this page").check()
    page.get_by_label("Set severity").select_option("critical")
    page.get_by_label("Add tags").fill("mass")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("3 cases changed.").wait_for()
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Delete 3 cases").wait_for()
    page.get_by_label("Type “delete 3 cases” to go on").fill("yes")
    page.get_by_role("button", name="Delete 3 cases").click()
    page.get_by_text("Type “delete 3 cases”.").wait_for()
    page.get_by_label("Type “delete 3 cases” to go on").fill("delete 3 cases")
    page.complaints[:] = []
    page.get_by_role("button", name="Delete 3 cases").click()
    page.get_by_text("3 cases deleted.").wait_for()


def test_a_card_is_moved_by_keyboard_and_by_hand(visit: Any, there: There):
    case = there.case("Moved on the board")
    page = visit(f"{LIST}?view=board&search=board")
    page.locator("[data-open]").first.focus()
    page.keyboard.press("]")
    page.get_by_text("is in progress now").wait_for()
    page.locator("[data-case]").drag_to(page.locator('[data-lane="closed"]'))
    page.get_by_text("is closed now").wait_for()
    assert there.call("GET", f"/api/cases/{case['id']}")["status"] == "closed"


def test_files_are_attached_with_a_preview_and_taken_away(visit: Any, there: There, tmp_path: Path):
    case = there.case("With a file")
    picture = tmp_path / "screen.png"
    picture.write_bytes(bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    ))  # fmt: skip
    page = visit(f"{address(case)}?tabId=files")
    page.locator("#file").set_input_files(picture)
    page.get_by_role("button", name="Attach", exact=True).click()
    page.get_by_role("link", name="screen.png").wait_for()
    page.get_by_alt_text("Preview of screen").wait_for()
    page.get_by_label("Delete screen").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("The file was deleted.").wait_for()


PLACES = {"cases": LIST, "board": f"{LIST}?view=board", "new": f"{LIST}/new", "components": "/dev/components"}


MODES = (("light", 1360, "light"), ("dark", 1360, "dark"), ("phone", 360, "light"), ("wide", 2560, "light"))


def test_every_page_is_accessible_and_fits_its_screen(visit: Any, there: There, jira: Simulated):
    from axe_playwright_python.sync_playwright import Axe

    case = there.case("Looked at", severity="high", connector=there.connector(jira), assignees=[{"uid": "admin"}])
    body = {"type": "user", "owner": "securitySolution", "comment": "A comment with `code`."}
    there.call("POST", f"/api/cases/{case['id']}/comments", body)
    there.call("POST", f"/api/cases/{case['id']}/connector/{case['connector']['id']}/_push")
    tabs = {
        f"case-{tab}": f"{address(case)}?tabId={tab}"
        for tab in ("activity", "files", "observables", "similar", "alerts")
    }
    places = {**PLACES, **tabs, "push": f"{address(case)}/push", "connector": f"{address(case)}/connector"}
    SHOTS.mkdir(exist_ok=True)
    axe, found = Axe(), []
    for mode, width, scheme in (
        ("light", 1360, "light"),
        ("dark", 1360, "dark"),
        ("phone", 360, "light"),
        ("wide", 2560, "light"),
    ):
        page = visit(LIST, viewport={"width": width, "height": 900}, color_scheme=scheme)
        for name, path in places.items():
            page.goto(path)
            page.screenshot(path=SHOTS / f"{name}-{mode}.png", full_page=True)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{name} in {mode}: wider than the screen")
            if mode in ("light", "dark"):
                answer = axe.run(page)
                found += [
                    f"{name} in {mode}: {each['id']}: {each['nodes'][0]['html'][:200]}"
                    for each in answer.response["violations"]
                    if each["impact"] in ("serious", "critical")
                ]
    assert not found, "\n".join(found)
