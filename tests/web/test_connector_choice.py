"""The connector of a case: choices of its fields, fetched from the external system."""

from __future__ import annotations

import httpx2
import pytest

from casebridge.sandbox.fleet import MEMBERS
from casebridge.sandbox.server import serving
from tests.web.test_cases import opened

CHOICES = {
    "sandbox-servicenow": ('id="urgency"', 'id="subcategory"'),
    "sandbox-secops": ('id="priority"', 'id="category"'),
    "sandbox-resilient": ('id="severityCode"',),
}


async def page_of(client: httpx2.AsyncClient, connector_id: str, *, is_away: bool = False) -> str:
    """The form for a case with that connector of the sandbox, which may be gone by then."""
    case = await opened(client, "Through a connector")
    (member,) = [each for each in MEMBERS if any(one.id == connector_id for one in each.connectors("x"))]

    async def shown() -> str:
        return (await client.get(f"/app/security/cases/{case['id']}/connector?connector={connector_id}")).text

    async with serving(member.make()) as url:
        (made,) = [each for each in member.connectors(url) if each.id == connector_id]
        answer = await client.post(f"/api/actions/connector/{made.id}", json=made.body, headers={"kbn-xsrf": "true"})
        assert answer.status_code == 200, answer.text
        if not is_away:
            return await shown()
    return await shown()


@pytest.mark.parametrize("connector_id", CHOICES)
async def test_fields_are_chosen_from_what_the_external_system_offers(signed_in: httpx2.AsyncClient, connector_id: str):
    page = await page_of(signed_in, connector_id)

    for control in CHOICES[connector_id]:
        select = page.split(f'<select class="select" {control}')[1].split("</select>")[0]
        assert select.count("<option") > 2


async def test_values_are_typed_where_the_external_system_is_away(signed_in: httpx2.AsyncClient):
    page = await page_of(signed_in, "sandbox-resilient", is_away=True)

    assert "could not be fetched" in page
    assert '<input class="input" id="severityCode"' in page
