"""Which passwords people may choose: long enough, and not among the first that anybody would try.

Lists of stolen passwords that are long are mostly short ones with something added. So what is added is taken off, and
what remains is looked up: `Welcome2026!` and `P@ssw0rd-P@ssw0rd` are found, though they stand in no list.
"""

from __future__ import annotations

import re

from casebridge.domain.errors import InvalidInput
from casebridge.domain.user import check_password

LEAST = 12
"""Characters of a password chosen on our pages or by our commands, unless the settings say otherwise."""
_OWN = 6
_RUN = 3

_WORDS = """
abc abcd abcdef access account admin administrator alexander amanda america andrea andrew angel angela anthony apple
ashley asdf asdfgh asdfghjkl austin autumn azerty bailey banana baseball basketball batman beautiful blink bond
buster butterfly carlos case casebridge cases cat changeit changeme change charlie cheese chelsea chicken chocolate
chris cisco computer cookie corona country cowboy daniel david default demo diamond dog dragon elastic elasticsearch
eminem enter family february flower football forever freedom friday friend friends fuck fuckyou garfield george
ginger god google guest hacker hannah happy harley hello hockey home house hunter ilove iloveyou incident internet
jackson james january jasmine jennifer jessica jesus jordan joshua july june justin kibana killer kitty lakers let
letme letmein liverpool log login logmein london love lovely loveme lucky maggie manager march martin master matrix
matthew me merlin michael michelle mickey mike mine monday money monkey monster morgan mother music mustang my myspace
naruto nicole nothing november october of office oracle orange pass passe passphrase passw passwd password passwort
patrick peanut pepper phoenix please pokemon power princess purple qaz qazwsx qwe qwer qwert qwerty qwertyuiop
qwertz rainbow ranger robert root samantha samsung secret security senha september server shadow siem silver snoopy
soc soccer spring starwars start steven strong summer sunday sunshine super superman superuser support sweet sysadmin
system taylor temp temporary test tester testing the this thomas thunder tigger tinkle toor trustno tuesday tweety
unknown user username victoria wednesday welcome whatever william winner winter with wizard work yellow you your
zaq zxcvbn zxcvbnm
"""
_COMMON = frozenset(_WORDS.split())
_LEET = str.maketrans("04@3157$!+", "oaaeiststt")
_ORDERS = ("abcdefghijklmnopqrstuvwxyz", "012345678901", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")
_RUNS = tuple(order[at : at + _RUN] for each in _ORDERS for order in (each, each[::-1]) for at in range(len(each) - 2))


def check_new_password(password: str, *, least: int = LEAST, username: str = "") -> None:
    """InvalidInput unless people may choose this password; the text says why and never holds it."""
    check_password(password, least)
    if (why := weakness(password, username)) is not None:
        raise InvalidInput("password", f"{why} Choose several unrelated words, or have one made up.")


def weakness(password: str, username: str = "") -> str | None:
    """Why a password would be guessed soon; None when nothing speaks against it.

    >>> weakness("Welcome2026!"), weakness("correct horse battery")
    ('it is a common password with something added.', None)
    """
    plain = password.lower()
    if len(set(plain)) < 5:
        return "it has too few different characters."
    if _is_of_runs(plain):
        return "it is a run of neighbouring keys, letters or digits."
    name = username.lower()
    if len(name) >= 3 and name in plain and len(plain.replace(name, "")) < _OWN:
        return "it is hardly more than the user name."
    # Without what is added at the ends first: in the middle a digit may stand for a letter.
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)
    if any(_is_of_common(_letters(each)) for each in (plain, core.translate(_LEET), plain.translate(_LEET))):
        return "it is a common password with something added."
    return None


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]", "", text)


def _is_of_runs(text: str) -> bool:
    """Whether a text is put together of runs alone, such as `123456789abc` or `qwerty654321`."""
    covered = [False] * len(text)
    for run in _RUNS:
        at = text.find(run)
        while at >= 0:
            covered[at : at + _RUN] = [True] * _RUN
            at = text.find(run, at + 1)
    return all(is_covered or text[at] == text[at - 1] for at, is_covered in enumerate(covered))


def _is_of_common(letters: str) -> bool:
    """Whether letters are one to three common words; of none, the rest is left to chance."""
    if not letters:
        return False
    # For each number of letters, the fewest words that make up the beginning of that length.
    fewest: list[int | None] = [0, *[None] * len(letters)]
    for end in range(1, len(letters) + 1):
        counts = [
            before + 1
            for start in range(max(0, end - 20), end)
            if (before := fewest[start]) is not None and letters[start:end] in _COMMON
        ]
        fewest[end] = min(counts, default=None)
    words = fewest[-1]
    return words is not None and words <= 3
