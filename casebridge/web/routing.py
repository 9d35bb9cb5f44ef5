"""Pages as values, which of them an address means, and one visit to a page.

An address is `{base path}/s/{space}{path}`, the space left out for the default one. Patterns are written as
`/app/{app:app}/cases/{case_id}`; a slash at the end of an address makes no difference.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from casebridge.domain.errors import Forbidden, InvalidInput
from casebridge.domain.space import APP_ROUTES, DEFAULT_SPACE_ID, SPACE_ID, Space
from casebridge.security.sessions import is_form_token

if TYPE_CHECKING:
    from casebridge.services.ground import Asking, Ground
    from casebridge.web.site import Site

Handler = Callable[["Visit"], Awaitable[Response]]
MOST_FIELDS = 2_000
MOST_QUERY = 16_384
_KINDS = {"app": "|".join(re.escape(each.removeprefix("/app/")) for each in APP_ROUTES.values()), "": "[^/]+"}


@dataclass(frozen=True, slots=True)
class Page:
    """One method of one address. `access`: `open` pages are for everybody, `form` ones check their own token.

    `nav` puts the page into the navigation, under this word, in the order of the table; `icon` names its picture and
    `key` the letter that follows `g` on the keyboard. `needs` is an operation: the navigation leaves the page out for
    whoever may do it with no owner.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    _: KW_ONLY
    access: Literal["session", "open"] = "session"
    nav: str | None = None
    icon: str = ""
    key: str = ""
    upload: bool = False
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The page an address means, with its space and parameters. `page` None: there is none for this method."""

    page: Page | None
    space_id: str
    params: dict[str, str]


class Pages:
    """Finds the page of an address."""

    def __init__(self, pages: Iterable[Page], base_path: str) -> None:
        self._base = base_path
        self._pages = [(re.compile(_pattern(each.path)), each) for each in pages]

    def find(self, method: str, raw_path: str) -> Found | None:
        """The page; None when no page lives at this address, whatever the method."""
        if not raw_path.startswith(self._base):
            return None
        path, space_id = raw_path[len(self._base) :], DEFAULT_SPACE_ID
        if path.startswith("/s/"):
            space_id, _, rest = path[3:].partition("/")
            path = f"/{rest}"
            if not SPACE_ID.fullmatch(space_id):
                return None
        path = path.rstrip("/") or "/"
        method = "GET" if method == "HEAD" else method
        known = None
        for pattern, page in self._pages:
            if match := pattern.fullmatch(path):
                params = {name: unquote(value) for name, value in match.groupdict().items()}
                if page.method == method:
                    return Found(page, space_id, params)
                known = Found(None, space_id, params)
        return known


def _pattern(path: str) -> str:
    pieces = re.split(r"\{(\w+)(?::(\w+))?\}", path)
    made = [re.escape(pieces[0])]
    for name, kind, after in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        made.append(f"(?P<{name}>{_KINDS[kind or '']}){re.escape(after)}")
    return "".join(made)


class Query:
    """A query string, several values of a key kept in order; empty values count as absent."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = [(key, value) for key, value in pairs if value != ""]

    def one(self, key: str, default: str = "") -> str:
        """The last value of a key."""
        return next((value for name, value in reversed(self.pairs) if name == key), default)

    def every(self, key: str) -> list[str]:
        """All values of a key, each once."""
        return list(dict.fromkeys(value for name, value in self.pairs if name == key))

    def but(self, **changes: str | Iterable[str] | None) -> str:
        """This query as text with some keys replaced (None: removed); `from_` stands for `from`."""
        wanted = {name.rstrip("_"): value for name, value in changes.items()}
        kept = [(key, value) for key, value in self.pairs if key not in wanted]
        for key, value in wanted.items():
            values = [] if value is None else [value] if isinstance(value, str) else list(value)
            kept += [(key, each) for each in values if each != ""]
        return urlencode(kept)

    def __str__(self) -> str:
        return urlencode(self.pairs)


def read_query(raw: bytes) -> Query:
    """The query of a request; InvalidInput for one of unreasonable length."""
    if len(raw) > MOST_QUERY:
        raise InvalidInput("", f"The address is too long: at most {MOST_QUERY} bytes may follow the question mark.")
    return Query(parse_qsl(raw.decode("latin-1"), keep_blank_values=False, max_num_fields=MOST_FIELDS))


class Visit:
    """One request for a page, by somebody who is signed in unless the page is open to all."""

    def __init__(self, site: Site, request: Request, found: Found, query: Query) -> None:
        self.site = site
        self.ground: Ground = site.ground
        self.request = request
        self.path = found.params
        self.space_id = found.space_id
        self.query = query
        self.token: str | None = None
        self.caller: Asking | None = None
        self.spaces: list[Space] = []
        self._form: FormData | None = None

    @property
    def asking(self) -> Asking:
        """Who asks, in which space."""
        assert self.caller is not None, "a page that is open to all must look at `caller`"
        return self.caller

    @property
    def is_htmx(self) -> bool:
        """Whether a script of ours asks, to put a part of the answer into the page."""
        return self.request.headers.get("hx-request") == "true"

    # Addresses

    def url(self, path: str, query: str = "", *, space: str | None = None) -> str:
        """The address of a path of this server within the space of this visit, or another one."""
        space_id = self.space_id if space is None else space
        prefix = "" if space_id == DEFAULT_SPACE_ID else f"/s/{space_id}"
        return f"{self.site.base_path}{prefix}{path}{'?' + query if query else ''}"

    def case_url(self, owner: str, case_id: str, more: str = "", query: str = "") -> str:
        """The address of a case's page (push.md 2.1), or of what lies below it."""
        return self.url(f"{APP_ROUTES[owner]}/cases/{quote(case_id, safe='')}{more}", query)

    # What was sent

    async def form(self) -> FormData:
        """The fields of a form of ours; Forbidden unless it came from a page of this session."""
        if self._form is None:
            self._form = await self.site.read_form(self.request)
            given = self.request.headers.get("x-csrf-token") or self._form.get("csrf")
            if self.token is None or not isinstance(given, str) or not is_form_token(given, self.token):
                raise StaleForm
        return self._form

    # Answers

    def render(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """A page of its template."""
        return self.site.render(self, template, status=status, **context)

    def redirect(self, to: str, notice: str = "") -> Response:
        """Send the browser elsewhere, where `notice` is shown once."""
        response = RedirectResponse(to, status_code=303)
        if notice:
            response.headers.append("set-cookie", self.site.cookie(self, "casebridge_notice", quote(notice[:300])))
        return response


class StaleForm(Forbidden):
    """A form that did not come from a page of this session: the page is too old, or not ours."""

    def __init__(self) -> None:
        super().__init__("submit", what="submit this form")
        self.args = ("This page was opened in an earlier session. Load it again, then repeat what you did.",)


def text(form: Mapping[str, Any], name: str) -> str:
    """A text field, line ends as JSON clients send them; empty when it is missing."""
    value = form.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def texts(form: FormData, name: str) -> list[str]:
    """All values of a field."""
    return [each for each in form.getlist(name) if isinstance(each, str)]


def upload(form: FormData, name: str) -> UploadFile | None:
    """A file that was chosen; None when none was."""
    value = form.get(name)
    return value if isinstance(value, UploadFile) and value.filename else None
