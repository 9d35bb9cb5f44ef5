"""A preview asks for all that a push asks for: it shows the case and what the connector reads over there."""

from __future__ import annotations

import msgspec
import pytest

from casebridge.domain.errors import Forbidden
from casebridge.domain.grants import EVERYWHERE, Grants, Layer
from casebridge.domain.user import Actor
from casebridge.services import connector_care
from tests.push.conftest import ANNA, CONNECTOR, World

NEEDED = frozenset({("useConnectors", None), ("getCase", "cases"), ("getUserActions", "cases"), ("pushCase", "cases")})


async def preview(world: World, case_id: str, rights: frozenset[tuple[str, str | None]]) -> str:
    actor = Actor(ANNA, (), grants=Grants(Layer.of([((EVERYWHERE,), rights)])))
    asking = msgspec.structs.replace(world.asking, actor=actor)
    return (await connector_care.preview(world.ground, asking, case_id, CONNECTOR)).action


async def test_who_may_push_may_preview(world: World):
    case = await world.case()
    assert await preview(world, case.id, NEEDED) == "create"


@pytest.mark.parametrize("missing", sorted(NEEDED, key=str))
async def test_without_any_one_right_of_a_push_there_is_no_preview(world: World, missing: tuple[str, str | None]):
    case = await world.case()
    with pytest.raises(Forbidden):
        await preview(world, case.id, NEEDED - {missing})
    assert world.issues == []
