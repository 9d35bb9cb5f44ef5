"""What security teams write about: the texts, tags and people of made-up cases. Pure chance from one generator."""

from __future__ import annotations

from random import Random

import msgspec

from casebridge.domain.case import CLOSED, IN_PROGRESS, OPEN
from casebridge.domain.space import GENERAL, OBSERVABILITY, SECURITY
from casebridge.domain.user import User

_PEOPLE = (
    ("amara", "Amara Okafor"), ("bjorn", "Björn Lund"), ("chiara", "Chiara Rossi"), ("dmitri", "Dmitri Volkov"),
    ("elena", "Elena García"), ("farid", "Farid Haddad"), ("grace", "Grace Kim"), ("hugo", "Hugo Lefèvre"),
    ("ines", "Inês Duarte"), ("jonas", "Jonas Weber"), ("keiko", "Keiko Tanaka"), ("liam", "Liam Murphy"),
)  # fmt: skip
ANALYSTS = tuple(User(name, full, f"{name}@soc.example.org", f"u_{name}_0") for name, full in _PEOPLE)

_OWNERS = (SECURITY, OBSERVABILITY, GENERAL)
_STATUSES = (OPEN, IN_PROGRESS, CLOSED)
_SEVERITIES = ("low", "medium", "high", "critical")
_CATEGORIES = (
    "Phishing", "Malware", "Account takeover", "Data loss", "Denial of service", "Insider", "Misconfiguration",
    "Policy violation", "Reconnaissance", "Vulnerability",
)  # fmt: skip
_TAGS = (
    "vpn", "identity", "endpoint", "email", "cloud", "network", "ransomware", "lateral-movement", "exfiltration",
    "night-shift", "vip", "site-a", "site-b", "site-c", "false-positive-suspect", "needs-forensics", "third-party",
)  # fmt: skip
_RARE_TAGS = 400

_TITLES = (
    "Impossible travel of {user} between {city} and {other}",
    "Phishing mail '{subject}' reported by {user}",
    "Beaconing from {host} to {domain}",
    "Malware {family} found on {host}",
    "Brute force against {host} from {ip}",
    "Odd logons of {user} on {host} outside business hours",
    "Large upload from {host} to {domain}",
    "Privilege escalation on {host} by {user}",
    "Port scan of {net} from {ip}",
    "New administrator {user} created on {host}",
    "Certificate of {domain} about to expire",
    "Disk of {host} nearly full, logs are being dropped",
)
_SENTENCES = (
    "The detection rule fired {count} times within {minutes} minutes for {host}.",
    "Source address {ip} belongs to a hosting provider in {city}.",
    "The account {user} signed in from {city} and, {minutes} minutes later, from {other}.",
    "Hash {hash} is unknown to the reputation service.",
    "The process {program} started {child} with an encoded command line.",
    "Traffic to {domain} was blocked by the proxy after {count} requests.",
    "The mailbox rule moved everything from finance into the archive.",
    "The user says the link looked like the usual login page of {domain}.",
    "The endpoint agent on {host} reported the file {program} in the temporary folder.",
    "Credentials of {user} turned up in a public dump under the handle {handle}.",
    "The firewall saw connections from {net} on port {port}.",
    "Containment was requested from the on-call engineer of {city}.",
)
_COMMENTS = (
    "Checked the proxy logs: {count} requests to {domain} since {hour}:00, all from {host}.",
    "{host} is isolated. Memory image taken, evidence under {handle}.",
    "Asked {user} by phone; the logon from {city} was not them. Password reset, sessions revoked.",
    "Sandbox verdict for {hash}: suspicious, drops {program}.",
    "No further hits for {ip} in the last {minutes} days. Lowering the noise of the rule.",
    "Blocked {domain} at the DNS resolver and the mail gateway.",
    "Handing over to the next shift. Open question: how did {program} get on {host}?",
    "Forensics confirm: first execution at {hour}:{minutes}, persistence by a scheduled task.",
    "Reimaged {host}, returned to {user}. Watching for a week.",
    "Same pattern as last month in {city}; see the notes of {other}.",
)
_CITIES = ("Lisbon", "Osaka", "Nairobi", "Toronto", "Gdańsk", "Lima", "Perth", "Tallinn", "Austin", "Lyon", "Pune")
_SUBJECTS = ("Invoice overdue", "Your parcel", "Password expires today", "Shared document", "Payroll update")
_FAMILIES = ("Emotet", "Qakbot", "Lumma", "AgentTesla", "RedLine", "Gootloader", "IcedID", "Remcos")
_PROGRAMS = ("powershell.exe", "rundll32.exe", "update_helper.dll", "mshta.exe", "svchost.exe", "invoice.js", "run.sh")
_ROLES = ("web", "db", "vpn", "mail", "build", "dc", "lap", "fin")
_SYLLABLES = ("ba", "co", "du", "fe", "gi", "ka", "lo", "mu", "ne", "pi", "ra", "so", "tu", "ve", "xi", "za")


class CaseTexts(msgspec.Struct, frozen=True, kw_only=True):
    """What one made-up case says, before it has numbers and times."""

    owner: str
    title: str
    description: str
    tags: tuple[str, ...]
    severity: str
    status: str
    category: str | None
    assignees: tuple[str, ...]
    by: User


def case_texts(dice: Random) -> CaseTexts:
    """One case: most are closed and of security, a third has a category, some have nobody working on them."""
    words = _words(dice)
    status = dice.choices(_STATUSES, (25, 15, 60))[0]
    return CaseTexts(
        owner=dice.choices(_OWNERS, (70, 20, 10))[0],
        title=dice.choice(_TITLES).format_map(words),
        description=" ".join(each.format_map(words) for each in dice.sample(_SENTENCES, dice.randint(3, 6))),
        tags=_tags(dice),
        severity=dice.choices(_SEVERITIES, (40, 35, 18, 7))[0],
        status=status,
        category=dice.choice(_CATEGORIES) if dice.random() < 0.6 else None,
        assignees=_assignees(dice, status),
        by=dice.choice(ANALYSTS),
    )


def comment_text(dice: Random) -> str:
    """What an analyst notes down."""
    return " ".join(each.format_map(_words(dice)) for each in dice.sample(_COMMENTS, dice.randint(1, 2)))


def _tags(dice: Random) -> tuple[str, ...]:
    """One to four common tags, and now and then one that hardly any other case has."""
    tags = dice.sample(_TAGS, dice.randint(1, 4))
    if dice.random() < 0.1:
        tags.append(f"campaign-{dice.randrange(_RARE_TAGS):03}")
    return tuple(tags)


def _assignees(dice: Random, status: str) -> tuple[str, ...]:
    number = dice.choices((0, 1, 2), (50, 40, 10) if status == OPEN else (5, 75, 20))[0]
    return tuple(each.profile_uid for each in dice.sample(ANALYSTS, number) if each.profile_uid)


def _words(dice: Random) -> dict[str, object]:
    """Values for every gap of the texts. Names of people and machines are drawn from thousands, hashes from all."""
    cities = dice.sample(_CITIES, 2)
    return {
        "user": f"{_name(dice, 2)}.{_name(dice, 2)}",
        "host": f"{dice.choice(_ROLES)}-{dice.randrange(1, 900):03}",
        "ip": f"{dice.randrange(11, 220)}.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(1, 255)}",
        "net": f"10.{dice.randrange(64)}.{dice.randrange(256)}.0",
        "domain": f"{_name(dice, 3)}.example.{dice.choice(('com', 'net', 'org'))}",
        "hash": f"{dice.getrandbits(64):016x}",
        "handle": _name(dice, 4),
        "city": cities[0],
        "other": cities[1],
        "subject": dice.choice(_SUBJECTS),
        "family": dice.choice(_FAMILIES),
        "program": dice.choice(_PROGRAMS),
        "child": dice.choice(_PROGRAMS),
        "count": dice.randrange(2, 500),
        "minutes": dice.randrange(10, 60),
        "hour": dice.randrange(10, 24),
        "port": dice.choice((22, 445, 3389, 5985, 8443)),
    }


def _name(dice: Random, syllables: int) -> str:
    return "".join(dice.choices(_SYLLABLES, k=syllables))
