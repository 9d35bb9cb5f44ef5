"""Files and observables of a case."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response, StreamingResponse

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case
from casebridge.domain.errors import InvalidInput, Refused
from casebridge.domain.file import KINDS
from casebridge.domain.observable import is_domain, is_ipv4, is_ipv6
from casebridge.domain.url import is_url
from casebridge.services import files, observables
from casebridge.web import words
from casebridge.web.case import HERE, back, load
from casebridge.web.routing import Page, Visit, text, upload

_PIECE = 65_536
_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_KIND_OF = {owner: kind for kind, owner in KINDS.items()}
_HASH = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F]{128}")
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[A-Za-z]{2,}")
_MOST_WORDS = 2_000


async def _attach(visit: Visit) -> Response:
    form = await visit.form()
    case = await load(visit)
    sent = upload(form, "file")
    is_for_text = visit.request.headers.get("accept") == "application/json"
    if sent is None:
        return back(visit, case, "!Choose a file first.", tab="files")
    try:
        given = files.Upload(filename=sent.filename or "", content=_pieces(sent), given_name=lambda: None)
        done = await files.attach(visit.ground, visit.asking, case.id, given)
    except Refused as fault:
        if is_for_text:
            return JSONResponse({"message": f"{sent.filename}: {fault}"}, 400)
        return back(visit, case, f"!{sent.filename}: {fault}", tab="files")
    if is_for_text:
        return JSONResponse({"markdown": _reference(visit, done.case, done.attachments[-1])})
    return back(visit, case, f"{sent.filename} was attached.", tab="files")


def _reference(visit: Visit, case: Case, attached: Attachment) -> str:
    """What stands for a file in a text: a picture that is safe to show as itself, all else as a link."""
    (entry,) = attached.payload["externalReferenceMetadata"]["files"]
    name = re.sub(r"[\[\]\\\n]", "_", f"{entry['name']}.{entry['extension']}")
    address = visit.case_url(case.owner, case.id, f"/files/{attached.payload['externalReferenceId']}")
    return f"![{name}]({address}?show=yes)" if entry["mimeType"] in _SHOWN else f"[{name}]({address})"


async def _pieces(sent: UploadFile) -> AsyncIterator[bytes]:
    while piece := await sent.read(_PIECE):
        yield piece


async def _content(visit: Visit) -> Response:
    """A file as it was given; it can never act in the name of this server."""
    case = await load(visit)
    file, content = await files.open_content(visit.ground, visit.asking, _KIND_OF[case.owner], visit.path["file_id"])
    shown = file.mime_type in _SHOWN and visit.query.one("show") == "yes"
    name = quote(file.download_name)
    headers = {
        "content-disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{name}",
        "content-security-policy": "default-src 'none'; sandbox",
        "cache-control": "private, max-age=3600",
    }
    return StreamingResponse(
        content, media_type=file.mime_type if shown else "application/octet-stream", headers=headers
    )


async def _delete_file(visit: Visit) -> Response:
    await visit.form()
    case = await load(visit)
    await files.delete_many(visit.ground, visit.asking, case.id, [visit.path["file_id"]])
    return back(visit, case, "The file was deleted.", tab="files")


# Observables


def recognised(given: str) -> list[tuple[str, str]]:
    """Type keys and values of all that looks like an observable in a text, each once.

    >>> recognised("from 10.0.0.8, to hxxp://bad.example/x and evil[.]example (a@b.example)")
    [('observable-type-ipv4', '10.0.0.8'), ('observable-type-url', 'http://bad.example/x'), \
('observable-type-domain', 'evil.example'), ('observable-type-email', 'a@b.example')]
    """
    plain = (
        given.replace("[.]", ".").replace("(.)", ".").replace("hxxp", "http").replace("[:]", ":").replace("[@]", "@")
    )
    found: dict[tuple[str, str], None] = {}
    for word in re.split(r"[\s,;|<>\"'()`]+", plain)[:_MOST_WORDS]:
        value = word.strip(".,;:!?[]{}")
        if kind := _kind(value):
            found[(kind, value)] = None
    return list(found)


def _kind(value: str) -> str | None:
    if is_ipv4(value):
        return "observable-type-ipv4"
    if ":" in value and is_ipv6(value) and not ipaddress.ip_address(value.partition("%")[0]).is_unspecified:
        return "observable-type-ipv6"
    if _HASH.fullmatch(value):
        return "observable-type-file-hash"
    if value.startswith(("http://", "https://")) and is_url(value):
        return "observable-type-url"
    if _EMAIL.fullmatch(value):
        return "observable-type-email"
    return "observable-type-domain" if is_domain(value) else None


async def _add_observable(visit: Visit) -> Response:
    form = await visit.form()
    case = await load(visit)
    value, kind = text(form, "value").strip(), text(form, "type")
    try:
        await observables.add(
            visit.ground,
            visit.asking,
            case.id,
            type_key=kind,
            value=value,
            description=text(form, "description").strip() or None,
        )
    except InvalidInput as fault:
        return back(visit, case, f"!{value}: {fault.reason}", tab="observables")
    return back(visit, case, f"{value} was added.", tab="observables")


async def _paste(visit: Visit) -> Response:
    """Offer what a text holds, or add what was chosen of it."""
    form = await visit.form()
    case = await load(visit)
    known = {each.identity for each in case.observables}
    chosen = [tuple(str(each).split(" ", 1)) for each in form.getlist("chosen")]
    if not chosen:
        found = [each for each in recognised(text(form, "text")) if each not in known]
        return visit.render("observables_found.html", case=case, found=found)
    added, refused = 0, []
    for kind, value in chosen:
        try:
            await observables.add(visit.ground, visit.asking, case.id, type_key=kind, value=value, description=None)
            added += 1
        except InvalidInput as fault:
            refused.append(f"{value}: {fault.reason}")
    notice = f"{words.plural(added, 'observable')} added."
    return back(visit, case, f"!{notice} Not added: {'; '.join(refused)}" if refused else notice, tab="observables")


async def _edit_observable(visit: Visit) -> Response:
    form = await visit.form()
    case = await load(visit)
    value = text(form, "value").strip()
    try:
        await observables.edit(
            visit.ground,
            visit.asking,
            case.id,
            visit.path["observable_id"],
            value=value,
            description=text(form, "description").strip() or None,
        )
    except InvalidInput as fault:
        return back(visit, case, f"!{value}: {fault.reason}", tab="observables")
    return back(visit, case, f"{value} was saved.", tab="observables")


async def _remove_observable(visit: Visit) -> Response:
    await visit.form()
    case = await load(visit)
    await observables.remove(visit.ground, visit.asking, case.id, visit.path["observable_id"])
    return back(visit, case, "The observable was removed.", tab="observables")


PAGES = (
    Page("POST", HERE + "/files", _attach, upload=True),
    Page("GET", HERE + "/files/{file_id}", _content),
    Page("POST", HERE + "/files/{file_id}/delete", _delete_file),
    Page("POST", HERE + "/observables", _add_observable),
    Page("POST", HERE + "/observables/paste", _paste),
    Page("POST", HERE + "/observables/{observable_id}", _edit_observable),
    Page("POST", HERE + "/observables/{observable_id}/delete", _remove_observable),
)
