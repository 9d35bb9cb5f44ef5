"""Texts for systems that show HTML: every word of ours stays readable there, and no tag of ours gets in unescaped."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

_FENCE = re.compile(r"^(?:```|~~~)")
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_BULLET = re.compile(r"^\s*[-*+]\s+(.*)$")
_INLINE: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\[([^\[\]]+)\]\((https?://[^\s()<>*]+)\)"), lambda found: f'<a href="{found[2]}">{found[1]}</a>'),
    (re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*"), lambda found: f"<b>{found[1]}</b>"),
    (re.compile(r"(?<![*\w])\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?![*\w])"), lambda found: f"<i>{found[1]}</i>"),
)
_CODE = re.compile(r"`([^`\n]+)`")


def escaped(text: str) -> str:
    """A text as HTML that shows it as it is, line by line."""
    return "<br>".join(html.escape(line) for line in _lines(text))


def to_html(text: str) -> str:
    """Markdown as HTML: headings, bullets, code, emphasis and links; all else as it was written, escaped."""
    blocks: list[str] = []
    code: list[str] | None = None
    for line in _lines(text):
        if _FENCE.match(line):
            if code is not None:
                blocks.append(_fenced(code))
            code = [] if code is None else None
        elif code is not None:
            code.append(line)
        else:
            blocks.append(_block(line))
    if code is not None:
        blocks.append(_fenced(code))
    return _joined(blocks)


def to_text(markup: str) -> str:
    """The words of a piece of HTML, line by line."""
    lines = re.sub(r"(?i)<br\s*/?>|</(?:p|div|li|h[1-6]|pre)>", "\n", markup)
    return html.unescape(re.sub(r"<[^>]*>", "", lines))


def cut(text: str, most: int) -> str:
    """A text of at most `most` characters; one that had to be cut shows it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _fenced(lines: list[str]) -> str:
    return f"<pre>{html.escape(chr(10).join(lines))}</pre>"


def _block(line: str) -> str:
    if found := _HEADING.match(line):
        level = len(found[1])
        return f"<h{level}>{_inline(found[2])}</h{level}>"
    if found := _BULLET.match(line):
        return f"<ul><li>{_inline(found[1])}</li></ul>"
    return _inline(line)


def _inline(line: str) -> str:
    """A line with its emphasis and links; what stands between backquotes is left alone."""
    parts = _CODE.split(line)
    return "".join(
        f"<code>{html.escape(part)}</code>" if place % 2 else _marked(part) for place, part in enumerate(parts)
    )


def _marked(text: str) -> str:
    shown = html.escape(text)
    for pattern, change in _INLINE:
        shown = pattern.sub(change, shown)
    return shown


def _joined(blocks: list[str]) -> str:
    """The lines below one another; the items of one list in one list."""
    text = "<br>".join(blocks)
    text = re.sub(r"</ul><br><ul>", "", text)
    text = re.sub(r"(</(?:ul|pre|h[1-6])>)<br>", r"\1", text)
    return re.sub(r"<br>(<(?:ul|pre|h[1-6])>)", r"\1", text)
