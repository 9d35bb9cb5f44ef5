"""The privilege table, against the tables of access.md written out, and how roles add up."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebridge.domain.errors import Forbidden, InvalidInput
from casebridge.domain.grants import Grants, Layer
from casebridge.domain.role import Role, RoleEntry, check_entries
from casebridge.domain.space import OWNERS, Space
from casebridge.domain.user import Actor, User
from casebridge.security.features import FEATURES, OPERATIONS, OWNED_OPERATIONS, grants_of, layer_of
from casebridge.security.privileges import allowed, may_use, permitted_owners, require

OPS = Space("ops", "Ops")
STEMS = {
    "cases": "generalCases", "observability": "observabilityCases", "securitySolution": "securitySolutionCases",
}  # fmt: skip

# Written out from access.md 2 and 3, not taken from the program.
TAGS = {"suggestUserProfiles", "bulkGetUserProfiles", "getConnectorsConfigure", "readFiles"}
GROUPS = {
    "read": {"getCase", "getComment", "getTags", "getReporters", "getUserActions", "findConfigurations"} | TAGS,
    "create": {"createCase"},
    "update": {"updateCase", "updateComment"},
    "push": {"pushCase"},
    "createComment": {"createComment", "createFiles"},
    "delete": {"deleteCase", "deleteComment", "deleteFiles"},
    "settings": {"createConfiguration", "updateConfiguration"},
    "reopen": {"reopenCase"},
    "assign": {"assignCase"},
}
MINIMAL_ALL = {
    "": "create read update push createComment reopen assign",
    "V2": "create read update push assign",
    "V3": "create read update push",
}
SWITCHES = {
    "cases_delete": "delete",
    "cases_settings": "settings",
    "create_comment": "createComment",
    "case_reopen": "reopen",
    "cases_assign": "assign",
}
HAS = {
    "": ["cases_delete", "cases_settings"],
    "V2": ["cases_delete", "cases_settings", "create_comment", "case_reopen"],
    "V3": list(SWITCHES),
}


def operations(version: str, privilege: str) -> set[str]:
    """What a privilege of a version grants, by the tables above."""
    if privilege in SWITCHES:
        return GROUPS[SWITCHES[privilege]]
    if privilege in ("read", "minimal_read"):
        return GROUPS["read"]
    if privilege == "all":
        return set().union(*GROUPS.values())
    return set().union(*(GROUPS[each] for each in MINIMAL_ALL[version].split()))


def actor(*entries: RoleEntry) -> Actor:
    return Actor(User("ada", None, None), ("r",), grants=grants_of(("r",), [Role("r", entries)]))


def feature(id_: str, *privileges: str, spaces: tuple[str, ...] = ("*",)) -> RoleEntry:
    return RoleEntry(spaces, feature={id_: privileges})


def everything_owned(who: Actor, space: Space = OPS) -> set[tuple[str, str]]:
    return {(op, owner) for op in OWNED_OPERATIONS for owner in OWNERS if allowed(who, op, owner, space)}


@pytest.mark.parametrize("version", ["", "V2", "V3"])
@pytest.mark.parametrize("owner", OWNERS)
def test_each_privilege_grants_what_the_table_says_and_of_its_owner_alone(owner: str, version: str):
    id_ = STEMS[owner] + version
    assert set(FEATURES[id_]) == {"all", "read", "minimal_all", "minimal_read", *HAS[version]}
    for privilege in FEATURES[id_]:
        wanted = {(op, owner) for op in operations(version, privilege)}
        assert everything_owned(actor(feature(id_, privilege))) == wanted


def test_switches_add_to_what_they_stand_beside():
    who = actor(feature("generalCasesV3", "minimal_read", "create_comment"))
    assert allowed(who, "getCase", "cases", OPS)
    assert allowed(who, "createComment", "cases", OPS)
    assert not allowed(who, "updateCase", "cases", OPS)


def test_a_switch_alone_grants_no_reading():
    who = actor(feature("generalCasesV3", "cases_delete"))
    assert everything_owned(who) == {(op, "cases") for op in GROUPS["delete"]}
    assert may_use(who, OPS)


@pytest.mark.parametrize(
    ("privilege", "granted"),
    [
        ("all", {"useConnectors", "executeConnectors", "manageConnectors"}),
        ("read", {"useConnectors", "executeConnectors"}),
    ],
)
def test_the_feature_of_connectors_belongs_to_no_owner(privilege: str, granted: set[str]):
    who = actor(feature("actions", privilege))
    assert {op for op in OPERATIONS if allowed(who, op, None, OPS)} == granted
    assert everything_owned(who) == set()


def test_base_all_everywhere_is_every_feature_and_the_care_of_spaces_but_not_of_users():
    who = actor(RoleEntry(base=("all",)))
    assert everything_owned(who) == set(itertools.product(OWNED_OPERATIONS, OWNERS))
    owned_by_nobody = {op for op in OPERATIONS if allowed(who, op, None, OPS)}
    assert owned_by_nobody == {"useConnectors", "executeConnectors", "manageConnectors", "manageSpaces"}


def test_base_all_in_some_spaces_does_not_make_spaces():
    who = actor(RoleEntry(("ops",), base=("all",)))
    assert not allowed(who, "manageSpaces", None, OPS)
    assert allowed(who, "deleteCase", "cases", OPS)


def test_base_read_reads_every_feature():
    who = actor(RoleEntry(base=("read",)))
    assert everything_owned(who) == set(itertools.product(GROUPS["read"], OWNERS))
    assert {op for op in OPERATIONS if allowed(who, op, None, OPS)} == {"useConnectors", "executeConnectors"}


def test_entries_of_one_space_and_of_all_spaces_add_up():
    who = actor(feature("generalCasesV3", "minimal_all", spaces=("ops",)), RoleEntry(base=("read",)))
    assert allowed(who, "createCase", "cases", OPS)
    assert allowed(who, "getCase", "observability", OPS)
    assert not allowed(who, "createCase", "cases", Space("fin", "Finance"))
    assert allowed(who, "getCase", "cases", Space("fin", "Finance"))


def test_several_roles_add_up():
    roles = [Role("a", (feature("generalCases", "read"),)), Role("b", (feature("generalCases", "cases_delete"),))]
    who = Actor(User("ada", None, None), ("a", "b"), grants=grants_of(("a", "b"), roles))
    assert allowed(who, "getCase", "cases", OPS)
    assert allowed(who, "deleteCase", "cases", OPS)


@pytest.mark.parametrize("disabled", ["generalCases", "generalCasesV2", "generalCasesV3"])
def test_a_disabled_feature_makes_its_owner_unavailable_to_everybody(disabled: str):
    space = Space("ops", "Ops", disabled_features=(disabled, "dashboard"))
    admin = Actor(User("admin", None, None), ("superuser",))
    for who in (actor(RoleEntry(base=("all",))), admin):
        assert {owner for _, owner in everything_owned(who, space)} == {"observability", "securitySolution"}
        assert permitted_owners(who, "getCase", space) == ("observability", "securitySolution")
        assert permitted_owners(who, "getCase", space, ["cases"]) == ()


def test_an_unknown_owner_is_allowed_to_nobody():
    admin = Actor(User("admin", None, None), ("superuser",))
    with pytest.raises(Forbidden, match="lunch"):
        require(admin, "getCase", ["cases", "lunch"], OPS)


def test_a_superuser_has_everything_and_nobody_else_has_the_care_of_users():
    assert allowed(Actor(User("admin", None, None), ("superuser",)), "manageSecurity", None, OPS)
    assert not allowed(actor(RoleEntry(base=("all",))), "manageSecurity", None, OPS)


def test_a_layer_narrows_what_the_other_grants():
    wide, narrow = layer_of([RoleEntry(base=("all",))]), layer_of([feature("generalCases", "read", spaces=("ops",))])
    grants = Grants(wide, narrow)
    assert grants.rights(OPS) == FEATURES["generalCases"]["read"]
    assert grants.rights(Space("fin", "Finance")) == frozenset()
    assert Grants().rights(OPS) == frozenset()


def test_an_operation_that_is_not_in_the_table_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="fly"):
        allowed(actor(), "fly", "cases", OPS)


ENTRIES = st.builds(
    lambda spaces, id_, privileges: RoleEntry(spaces, feature={id_: tuple(privileges)}),
    st.sampled_from([("*",), ("ops",), ("fin",), ("ops", "fin")]),
    st.sampled_from([f"{stem}{version}" for stem in STEMS.values() for version in MINIMAL_ALL]),
    st.sets(st.sampled_from(["all", "read", "minimal_all", "minimal_read", *SWITCHES])),
)


@given(st.lists(st.lists(ENTRIES, max_size=3), max_size=3), st.sampled_from(["ops", "fin", "hr"]))
def test_random_roles_grant_exactly_what_a_plain_reading_of_the_tables_grants(
    roles: list[list[RoleEntry]], space_id: str
):
    expected = set()
    for entry in itertools.chain.from_iterable(roles):
        if space_id not in entry.spaces and "*" not in entry.spaces:
            continue
        for id_, privileges in entry.feature.items():
            [(owner, version)] = [
                (owner, id_.removeprefix(stem)) for owner, stem in STEMS.items() if id_.removeprefix(stem) in HAS
            ]
            for privilege in privileges:
                if privilege not in SWITCHES or privilege in HAS[version]:
                    expected |= {(op, owner) for op in operations(version, privilege)}
    stored = [Role(str(number), tuple(entries)) for number, entries in enumerate(roles)]
    names = tuple(role.name for role in stored)
    who = Actor(User("ada", None, None), names, grants=grants_of(names, stored))
    assert everything_owned(who, Space(space_id, space_id)) == expected


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ((RoleEntry(),), "kibana[0]: expected either base or feature"),
        ((RoleEntry(base=("all",), feature={"actions": ("read",)}),), "kibana[0]: expected either base or feature"),
        ((RoleEntry(base=("write",)),), "kibana[0].base: expected all or read, given 'write'"),
        ((feature("lunch", "all"),), "kibana[0].feature: 'lunch' is no feature"),
        ((feature("generalCases", "cases_assign"),), "kibana[0].feature.generalCases: 'cases_assign' is no privilege"),
        ((feature("actions", "read", spaces=("*", "ops")),), "kibana[0].spaces: *"),
        ((feature("actions", "read", spaces=()),), "kibana[0].spaces: expected at least one"),
        ((feature("actions", "read", spaces=("Ops",)),), "kibana[0].spaces: 'Ops'"),
        (
            (RoleEntry(("a", "b"), base=("read",)), RoleEntry(("b",), base=("all",))),
            "kibana[1].spaces: 'b' occurs in another entry",
        ),
        ((RoleEntry(base=("read",)), RoleEntry(base=("all",))), "kibana[1].spaces: '*' occurs in another entry"),
    ],
)
def test_an_entry_that_breaks_a_rule_is_named(entries: tuple[RoleEntry, ...], message: str):
    with pytest.raises(InvalidInput) as refused:
        check_entries(entries, FEATURES, "kibana")
    assert str(refused.value).startswith(message)


def test_an_entry_of_all_spaces_may_stand_beside_one_of_some():
    check_entries((RoleEntry(base=("read",)), feature("actions", "all", spaces=("ops",))), FEATURES, "kibana")


def test_a_layer_of_nothing_grants_nothing():
    assert Layer.of([]).rights("ops") == frozenset()
