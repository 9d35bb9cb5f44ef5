"""Texts as Jira takes them: one line, no longer than allowed, escaped for a search, and wiki markup if wanted."""

from __future__ import annotations

import re
from collections.abc import Callable

SUMMARY = 255
TEXT = 32_767
LABEL = 255


def one_line(text: str) -> str:
    """The lines of a text joined by commas: a summary must not have a line break."""
    return ", ".join(each for each in (line.strip() for line in re.split(r"[\r\n]+", text)) if each)


def cut(text: str, most: int, mark: str = " […]") -> str:
    """A text of at most `most` characters; one that had to be cut says so at its end."""
    return text if len(text) <= most else text[: most - len(mark)] + mark


_ESCAPED = {'"': "", "\\": "\\\\", "'": "\\\\", **{each: f"\\\\{each}" for each in "-!^+&*()[]/{}|:?~"}}


def search_words(text: str) -> str:
    """A text to be searched for with `~`, its operators taken as plain characters (contract external/jira.md)."""
    return "".join(_ESCAPED.get(each, each) for each in text)


def quoted(text: str) -> str:
    """A text as a string of JQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_FENCE = re.compile(r"^(```|~~~)[ \t]*([\w+#.-]*)[^\n]*\n(.*?)(?:^\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_LINES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"^(#{1,6})\s+(.*?)\s*#*$"), lambda found: f"h{len(found[1])}. {found[2]}"),
    (re.compile(r"^\s*[-*+]\s+(.*)$"), lambda found: f"* {found[1]}"),
    (re.compile(r"^\s*\d+[.)]\s+(.*)$"), lambda found: f"# {found[1]}"),
    (re.compile(r"^>\s?(.*)$"), lambda found: f"bq. {found[1]}"),
)
_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|\*\*(?P<bold>\S(?:.*?\S)?)\*\*"
    r"|(?<![\w*])\*(?P<slant>[^\s*](?:[^*]*[^\s*])?)\*(?![\w*])"
    r"|\[(?P<text>[^\]\n]+)\]\((?P<url>[^)\s]+)\)"
    r"|(?P<address>https?://[^\s<>()\[\]]+)"
    r"|(?P<special>[\[{*_|])"
)


def to_wiki(markdown: str) -> str:
    """Markdown as Jira's wiki markup; what has no counterpart stays as it is, special characters escaped."""
    parts, at = [], 0
    for fence in _FENCE.finditer(markdown):
        parts.append(_converted_lines(markdown[at : fence.start()]))
        language = f":{fence[2]}" if fence[2] else ""
        parts.append(f"{{code{language}}}\n{fence[3]}{{code}}")
        at = fence.end()
    return "".join([*parts, _converted_lines(markdown[at:])])


def _converted_lines(text: str) -> str:
    return "\n".join(_converted_line(line) for line in text.split("\n"))


def _converted_line(line: str) -> str:
    for pattern, convert in _LINES:
        found = pattern.match(line)
        if found is not None:
            mark, blank, rest = convert(found).partition(" ")
            return mark + blank + _INLINE.sub(_converted_inline, rest)
    return _INLINE.sub(_converted_inline, line)


def _converted_inline(found: re.Match[str]) -> str:
    if found["code"] is not None:
        return f"{{{{{found['code']}}}}}"
    if found["bold"] is not None:
        return f"*{_escaped(found['bold'])}*"
    if found["slant"] is not None:
        return f"_{_escaped(found['slant'])}_"
    if found["url"] is not None:
        return f"[{_escaped(found['text'])}|{found['url']}]"
    if found["address"] is not None:
        return str(found["address"])
    return f"\\{found['special']}"


def _escaped(text: str) -> str:
    return re.sub(r"[\[{*_|]", lambda found: f"\\{found[0]}", text)
