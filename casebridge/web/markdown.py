"""Markdown as users write it, to HTML that is safe to show: rendered without raw HTML, then cleaned all the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from hashlib import blake2b
from urllib.parse import quote

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from casebridge.domain.mention import PATTERN, mentioned

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}, "code": {"class"}}

_renderer = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True}).enable(
    ["table", "strikethrough"]
)


def _finish(state: StateCore) -> None:
    """Images of elsewhere and `@username`, where the name is known, become links; not within links and code."""
    names = state.env.get("names", ())
    for block in state.tokens:
        if block.type == "inline" and block.children:
            block.children = [part for each in block.children for part in _shown(each)]
        if block.type == "inline" and block.children and "@" in block.content and names:
            block.children = _with_links(block.children, names, state.env["people"])


def _with_links(tokens: list[Token], names: Container[str], people: str) -> list[Token]:
    made: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.type == "link_open") - (token.type == "link_close")
        if token.type != "text" or depth:
            made.append(token)
            continue
        done = 0
        for match in PATTERN.finditer(token.content):
            if match[1] in names:
                opening = Token("link_open", "a", 1, attrs={"href": people + quote(match[1], safe="")})
                made += [_text(token.content[done : match.start()]), opening, _text(match[0])]
                made.append(Token("link_close", "a", -1))
                done = match.end()
        made.append(_text(token.content[done:]))
    return made


def _shown(token: Token) -> list[Token]:
    """An image of this server as it is; one of elsewhere, which a browser may not load from here, as a link to it."""
    source = str(token.attrs.get("src", ""))
    if token.type != "image" or (source.startswith("/") and not source.startswith("//")):
        return [token]
    return [
        Token("link_open", "a", 1, attrs={"href": source}),
        _text(token.content or source),
        Token("link_close", "a", -1),
    ]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


_renderer.core.ruler.push("mentions", _finish)
_cleaner = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)


MOST_KEPT = 1_000
_kept: OrderedDict[bytes, Markup] = OrderedDict()


def render(text: str, names: Container[str] = (), people: str = "") -> Markup:
    """The HTML of a Markdown text; what was rendered lately is kept, by a digest of the text.

    `@username` becomes a link for the known `names`, to the address `people` with the name behind it.

    >>> str(render("**hi** <script>alert(1)</script>"))
    '<p><strong>hi</strong> &lt;script&gt;alert(1)&lt;/script&gt;</p>\\n'
    """
    known = tuple(each for each in mentioned(text) if each in names)
    told = "\0".join((text, people, *known) if known else (text,))
    key = blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    found = _kept.get(key)
    if found is None:
        found = _kept[key] = Markup(_cleaner.clean(_renderer.render(text, {"names": known, "people": people})))  # noqa: S704 - cleaned right here
        if len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    else:
        _kept.move_to_end(key)
    return found
