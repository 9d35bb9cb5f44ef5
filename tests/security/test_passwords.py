"""Which passwords people may choose."""

from __future__ import annotations

import pytest

from casebridge.domain.errors import InvalidInput
from casebridge.security.passwords import check_new_password, weakness


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("Welcome2026!", "common"),
        ("P@ssw0rd1234", "common"),
        ("passwordpassword", "common"),
        ("changeme-changeme", "common"),
        ("letmeinplease", "common"),
        ("CaseBridge2026", "common"),
        ("Summer-Winter-2026", "common"),
        ("123456789012", "run"),
        ("qwertyuiop123", "run"),
        ("asdfghjkl987", "run"),
        ("aaaaaaaaaaaa", "few"),
        ("abababababab", "few"),
        ("ada.lovelace1", "user name"),
    ],
)
def test_what_anybody_would_try_is_refused_and_not_repeated(password: str, why: str):
    with pytest.raises(InvalidInput) as refused:
        check_new_password(password, username="ada.lovelace")
    assert why in str(refused.value)
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "vNqVZ9r1u0c7hQeJ",
        "Blaue Pferde trinken nie",
        "ключи на столе",
        "password of my own choosing",
    ],
)
def test_long_passwords_of_ones_own_are_taken(password: str):
    check_new_password(password, username="ada.lovelace")


@pytest.mark.parametrize(
    ("password", "least", "is_taken"), [("Ux9!kq2", 6, True), ("Ux9!kq2", 12, False), ("Ux9!k", 6, False)]
)
def test_the_least_length_is_a_choice(password: str, least: int, is_taken: bool):
    if is_taken:
        check_new_password(password, least=least)
    else:
        with pytest.raises(InvalidInput, match=f"at least {least} characters"):
            check_new_password(password, least=least)


def test_digits_alone_are_judged_by_their_order():
    assert weakness("481516234299") is None
    assert weakness("012345678901") is not None
