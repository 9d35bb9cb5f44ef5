"""The pages of the simulated Jira: what arrived, for somebody who watches. They change nothing."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from casebridge.sandbox import jira_catalogue as catalogue
from casebridge.sandbox.faults import Faults
from casebridge.sandbox.jira_call import Desk
from casebridge.sandbox.jira_gate import Gate
from casebridge.sandbox.jira_state import Issue
from casebridge.sandbox.journal import Entry
from casebridge.sandbox.pages import HEADERS, REFRESH_S, SHOWN_REQUESTS, templates

MODE_NAMES = {"cloud": "Jira Cloud", "datacenter": "Jira Data Center"}


class JiraPages:
    """The list of issues, and one issue with its requests."""

    def __init__(self, desk: Desk, gate: Gate, faults: Faults) -> None:
        self.desk, self.gate, self.faults = desk, gate, faults
        self.templates = templates()

    def routes(self) -> list[Route]:
        """The two pages."""
        return [
            Route("/", self.issues, methods=["GET"], name="issues"),
            Route("/browse/{key}", self.issue, methods=["GET"], name="issue"),
        ]

    async def issues(self, request: Request) -> Response:
        """All issues, newest first, and how to connect."""
        rows = [self._row(issue) for issue in reversed(self.desk.book.issues.values())]
        journal = self.desk.book.journal
        return self._page(
            request,
            "issues.html",
            rows=rows,
            faults=self.faults.all,
            requests=journal.entries[: -SHOWN_REQUESTS - 1 : -1],
            comments=sum(len(issue.comments) for issue in self.desk.book.issues.values()),
            asked=len(journal.entries),
        )

    async def issue(self, request: Request) -> Response:
        """One issue: text, comments, and every request about it."""
        key = request.path_params["key"]
        issue = self.desk.book.find(key)
        if issue is None:
            return self._page(request, "missing.html", 404, key=key)
        kind = catalogue.issue_type(issue.type_id)
        requests: list[Entry] = list(reversed(self.desk.book.journal.of(issue.key)))
        return self._page(
            request,
            "issue.html",
            row=self._row(issue),
            issue=issue,
            kind=kind.name if kind else issue.type_id,
            details=details(issue),
            requests=requests,
        )

    def _row(self, issue: Issue) -> dict[str, Any]:
        status = catalogue.status(issue.status_id)
        return {"issue": issue, "key": issue.key, "status": status.name, "category": status.category}

    def _page(self, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
        page = self.templates.get_template(template).render(
            mode=MODE_NAMES[self.desk.mode],
            system="Jira",
            link="/browse/{}".format,
            base=f"{request.url.scheme}://{request.url.netloc}",
            desk=self.desk,
            refresh_s=REFRESH_S,
            paused="paused" in request.query_params,
            **shown,
        )
        return HTMLResponse(page, status, HEADERS)


def details(issue: Issue) -> list[tuple[str, str]]:
    """The fields beside the text that are set: name and value."""
    names = {known.id: known.name for known in catalogue.FIELDS}
    rows = [("Parent", issue.parent or ""), ("Resolution", issue.resolution or "")]
    for name, value in issue.extra.items():
        rows.append((names[name], str(value["value"] if isinstance(value, dict) else value)))
    return [(name, value) for name, value in rows if value]
