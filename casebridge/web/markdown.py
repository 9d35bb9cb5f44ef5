"""Markdown as users write it, to HTML that is safe to show: rendered without raw HTML, then cleaned all the same."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}, "code": {"class"}}

_renderer = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True}).enable(
    ["table", "strikethrough"]
)
_cleaner = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)


MOST_KEPT = 1_000
_kept: OrderedDict[bytes, Markup] = OrderedDict()


def render(text: str) -> Markup:
    """The HTML of a Markdown text; what was rendered lately is kept, by a digest of the text.

    >>> str(render("**hi** <script>alert(1)</script>"))
    '<p><strong>hi</strong> &lt;script&gt;alert(1)&lt;/script&gt;</p>\\n'
    """
    key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    found = _kept.get(key)
    if found is None:
        found = _kept[key] = Markup(_cleaner.clean(_renderer.render(text)))  # noqa: S704 - cleaned right here
        if len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    else:
        _kept.move_to_end(key)
    return found
