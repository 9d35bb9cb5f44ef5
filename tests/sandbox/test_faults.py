"""Faults as text and as objects: how they are read, and which request they strike."""

import pytest

from casebridge.sandbox.faults import KINDS, BadFault, Fault, Faults, Match
from casebridge.sandbox.faulty import ACTS

STEPS = ("create", "comment", "search")


def read(given: object) -> Fault:
    return Faults(STEPS).add_json(given)


@pytest.mark.parametrize(
    ("spec", "match", "name", "times", "after"),
    [
        ("create=drop-after", Match(step="create"), "drop-after", 1, 0),
        ("comment=status:503*2", Match(step="comment"), "status:503", 2, 0),
        ("comment=drop-before*2@3", Match(step="comment"), "drop-before", 2, 3),
        ("comment=hang@1", Match(step="comment"), "hang", 1, 1),
        ("any=delay:2.5**", Match(step="any"), "delay:2.5", None, 0),
        ("any=delay:2.5*", Match(step="any"), "delay:2.5", None, 0),
        ("search=search-lag:5", Match(step="search"), "search-lag:5", None, 0),
        ("search=search-lag:5*1", Match(step="search"), "search-lag:5", 1, 0),
        ("PUT /issue/[0-9]+$=html-after", Match(method="PUT", path="/issue/[0-9]+$"), "html-after", 1, 0),
        ("/comment(?=/)=no-id", Match(path="/comment(?=/)"), "no-id", 1, 0),
    ],
)
def test_a_text_says_where_what_how_often_and_after_how_many(spec, match, name, times, after):
    fault = read(spec)
    assert (fault.match, fault.name, fault.times, fault.after) == (match, name, times, after)


def test_a_status_can_bring_its_own_body():
    fault = read('create=status:400:{"errorMessages":["no = no*2"]}*3')
    assert (fault.value, fault.body, fault.times) == ("400", '{"errorMessages":["no = no*2"]}', 3)


def test_an_object_says_the_same():
    given = {"match": {"method": "POST", "path": "/comment$"}, "kind": "rate-limit:7", "times": "*", "after": 2}
    fault = read(given)
    assert (fault.match, fault.name) == (Match(method="POST", path="/comment$"), "rate-limit:7")
    assert (fault.times, fault.after) == (None, 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("drop-after", "is not of the form STEP=KIND[:VALUE][*TIMES][@AFTER]"),
        ("=drop-after", "is not of the form"),
        ("create=explode", "there is no kind 'explode'. Expected one of status, delay"),
        ("create=drop-afterwards", "there is no kind 'drop-afterwards'"),
        ("creat=drop-after", "there is no step 'creat'. Expected one of create, comment, search, any"),
        ("create=status", "status needs a status from 200 to 599, such as status:503; got ''"),
        ("create=status:99", "got '99'"),
        ("create=delay:soon", "delay needs seconds, such as delay:2.5; got 'soon'"),
        ("create=hang:3", "hang takes no value, '3' was given"),
        ("create=hang*0", "times is a number from 1, or * for always; got '0'"),
        ("create=hang*two", "'*two' after 'hang' is not [:VALUE][*TIMES][@AFTER]"),
        ("POST /(=hang", "'/(' is not a regular expression"),
        ({"match": {"step": "create"}}, "expected a text of the form"),
        ({"match": {"step": 5}, "kind": "hang"}, "Expected `str | null`, got `int`"),
        ({"match": {"path": "("}, "kind": "hang"}, "is not a regular expression"),
        ({"kind": "hang", "times": True}, "times is a number"),
        ({"kind": "hang", "after": -1}, "after is a number from 0; got -1"),
        ({"kind": "hang", "often": 3}, "unknown keys often"),
        ({"kind": "sulk"}, "there is no kind 'sulk'"),
        (5, "expected a text of the form"),
    ],
)
def test_a_fault_that_is_not_understood_says_what_was_given_and_expected(given, said):
    with pytest.raises(BadFault) as refused:
        read(given)
    assert said in str(refused.value)
    assert str(given) in str(refused.value) or not isinstance(given, str)


def test_every_kind_is_carried_out():
    assert set(ACTS) | {"search-lag"} == set(KINDS)


def names(faults: Faults, step: str, rounds: int) -> list[str | None]:
    struck = [faults.strike(step, "POST", "/x")[0] for _ in range(rounds)]
    return [fault and fault.name for fault in struck]


def test_a_fault_skips_some_requests_then_fires_as_often_as_it_may():
    faults = Faults(STEPS)
    faults.add("create=hang*2@1")
    assert names(faults, "comment", 2) == [None, None]
    assert names(faults, "create", 4) == [None, "hang", "hang", None]


def test_the_oldest_fault_that_is_due_goes_first():
    faults = Faults(STEPS)
    faults.add("create=drop-before")
    faults.add("any=hang**")
    assert names(faults, "create", 3) == ["drop-before", "hang", "hang"]


def test_a_search_lag_goes_together_with_another_fault():
    faults = Faults(STEPS)
    faults.add("search=search-lag:5")
    faults.add("search=drop-after")
    fault, lag_s = faults.strike("search", "GET", "/search")
    assert (fault and fault.name, lag_s) == ("drop-after", 5.0)


def test_a_removed_fault_no_longer_fires():
    faults = Faults(STEPS)
    fault = faults.add("create=hang**")
    assert faults.remove(fault.id)
    assert not faults.remove(fault.id)
    assert names(faults, "create", 1) == [None]
