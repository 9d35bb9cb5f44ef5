"""Forty cases of a security team, as they are told; `scene` plays them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain.space import GENERAL, OBSERVABILITY, SECURITY

DELIVERED, STALE, FAILED, WAITING, UNCERTAIN = "delivered", "stale", "failed", "waiting", "uncertain"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One case. `age` is in days, `hours` how long it was worked on; `seen` holds observables, `push` what came of it.

    `by` and `on` are places in the list of people: who opened it, who works on it.
    """

    age: float
    title: str
    text: str
    category: str
    severity: str
    tags: Sequence[str]
    said: Sequence[str]
    status: str
    seen: str
    by: int
    on: Sequence[int]
    hours: float
    alerts: int
    files: Sequence[str]
    push: str
    owner: str
    asset: str


def _case(
    age: float, status: str, severity: str, category: str, title: str, text: str, *said: str, tags: str = "",
    seen: str = "", push: str = "", alerts: int = 0, files: str = "", owner: str = SECURITY, asset: str = "",
    hours: float = 30.0,
) -> Told:  # fmt: skip
    number = sum(map(ord, title))
    on = () if status == "open" and number % 2 else (number % 8, (number + 3) % 8) if number % 5 == 0 else (number % 8,)
    return Told(
        age=age, title=title, text=text, category=category, severity=severity, tags=tags.split(), said=said,
        status=status, seen=seen, by=(number // 8) % 8, on=on, hours=hours, alerts=alerts, files=files.split(),
        push=push, owner=owner, asset=asset,
    )  # fmt: skip


CASES: tuple[Told, ...] = (
    _case(41.3, "closed", "high", "Phishing", "Payroll phishing aimed at finance",
          "Eleven people in finance got *Your payslip is ready*. Two entered their password.",
          "Both passwords are reset, all sessions revoked. No sign-in from outside since.",
          "The kit posts to `paytrack.example/login.php`; the domain is blocked at resolver and gateway.",
          "Nine mails pulled from mailboxes. Closing; awareness mail goes out on Monday.",
          tags="email credential-theft finance", seen="paytrack.example 203.0.113.77 payroll@paytrack.example",
          push=DELIVERED, alerts=3, files="payslip-source.txt", asset="Finance mailboxes", hours=26),
    _case(40.1, "closed", "low", "Misconfiguration", "Test server answers to the whole internet",
          "`build-112` has port 22 open to everyone since a firewall change on Friday.",
          "Rule is back. Logs show scans only, no successful logon.", tags="network firewall", seen="198.51.100.23",
          asset="build-112", files="auth.log", hours=5),
    _case(38.6, "closed", "medium", "Account takeover", "Impossible travel: Lisbon and Toronto within nine minutes",
          "Sign-ins of `r.moreira` from two continents, the second through a hosting provider.",
          "The user says the one in Toronto was not them. Second factor was approved by habit.",
          "Factor reset, number matching is on for the whole group now.",
          tags="identity mfa-fatigue", seen="192.0.2.146", push=DELIVERED, alerts=2, asset="r.moreira", hours=9),
    _case(37.2, "closed", "critical", "Malware", "Loader on fin-017 calls home every five minutes",
          "The agent saw `rundll32` start a DLL out of the temporary folder; beacons of 412 bytes to one host.",
          "Isolated at 10:42. Memory image is taken, chain of custody sheet attached.",
          "Beacon interval and path match the family of March; same operator is likely.",
          "Searched all hosts for the hash: **two more hits**, lap-204 and lap-219, both isolated.",
          "Reimaged all three. Detection rule now covers the renamed DLL.",
          tags="endpoint beaconing finance", push=DELIVERED, alerts=7, files="traffic.png beacons.csv",
          seen="cdn-update.example 203.0.113.201 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
          asset="fin-017", hours=74),
    _case(36.0, "closed", "low", "Policy violation", "Private cloud drive on a laptop of sales",
          "Proxy shows 1.2 GB to a private storage account.", "Talked to the manager; data was a holiday video.",
          tags="proxy", asset="lap-310", hours=20),
    _case(34.8, "closed", "medium", "Vulnerability", "Unpatched VPN gateway in Pune",
          "The gateway runs a version with a published exploit. No trace of use so far.",
          "Patched in the window of Tuesday night. Integrity check is clean.", tags="vpn patching site-pune",
          push=DELIVERED, asset="vpn-pune-01", hours=60),
    _case(33.4, "closed", "high", "Data loss", "Customer list mailed to a private address",
          "The DLP rule caught 2,300 rows in a spreadsheet to a private mailbox.",
          "HR and the data protection officer are informed.", "Recipient confirmed deletion in writing.",
          tags="dlp insider", push=DELIVERED, alerts=1, files="export.csv", asset="CRM", hours=120),
    _case(31.9, "closed", "low", "Reconnaissance", "Slow scan of the mail relays",
          "One packet an hour to each port, for eleven days.", "Blocked the /24. Nothing answers there anyway.",
          tags="network", seen="198.51.100.77", asset="mail-002", hours=3),
    _case(30.5, "closed", "medium", "Phishing", "QR code on a poster in the Tallinn lobby",
          "The poster promises free parking and leads to a copy of our sign-in page.",
          "Poster is gone. Four devices opened the page, nobody entered anything.", tags="physical site-tallinn",
          seen="parking-tallinn.example", files="poster.png", asset="Lobby", hours=11),
    _case(29.2, "closed", "high", "Account takeover", "Service account signs in interactively",
          "`svc-backup` opened a desktop session on dc-002.", "It was the vendor, with a password from 2019.",
          "Account is limited to batch logon; vendor gets named accounts.", tags="identity third-party",
          push=DELIVERED, alerts=2, asset="dc-002", hours=40),
    _case(27.7, "closed", "medium", "Denial of service", "Login page slow under 40,000 requests a minute",
          "Credential stuffing rather than a flood: each request has another user name.",
          "Challenge is on for the worst networks, rate is back to normal.", tags="web bots", alerts=1,
          files="requests.png", asset="login.soc.example.org", owner=OBSERVABILITY, hours=6),
    _case(26.1, "closed", "low", "Malware", "Adware in a browser extension",
          "An extension with 30 installations was sold and now injects advertisements.",
          "Removed by policy, extension id is on the block list.", tags="browser", asset="30 laptops", hours=18),
    _case(24.9, "closed", "critical", "Malware", "Ransom note on a file share in Lyon",
          "Users see `READ_ME.txt` in every folder of *Projects*.",
          "Share is read-only, the writing host is lap-377 and is off the network.",
          "Snapshots of 06:00 are good. Restoring 41,000 files.",
          "Entry was a macro in an invoice. Timeline is attached.",
          "Restored and checked by two people. Lessons learned on Thursday, 14:00.",
          tags="ransomware endpoint site-lyon", push=DELIVERED, alerts=9, files="timeline.csv note.png",
          seen="invoice-portal.example e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
          asset="files-lyon", hours=96),
    _case(23.3, "closed", "low", "Misconfiguration", "Mail domain without a DMARC policy",
          "The domain of the new subsidiary can be used by anyone.", "Policy is quarantine now, reject in a month.",
          tags="email dns", asset="subsidiary.example", hours=50),
    _case(22.0, "closed", "medium", "Insider", "Leaver copies source code on the last day",
          "Six repositories cloned within an hour, on the day of the exit interview.",
          "Legal has taken over; device is secured.", tags="insider dlp", push=DELIVERED, alerts=1, asset="lap-088",
          hours=70),
    _case(20.6, "closed", "high", "Vulnerability", "Deserialisation flaw in the ticket portal",
          "The vendor's advisory of this morning concerns our version.",
          "Web server is behind a rule that drops the known pattern.", "Updated; logs of 30 days show no attempt.",
          tags="patching web", push=DELIVERED, asset="portal.soc.example.org", hours=30),
    _case(19.4, "closed", "low", "Phishing", "Fake parcel notice to reception",
          "One mail, one click, nothing entered.", "Sender blocked.", tags="email", seen="parcel-track.example",
          hours=2),
    _case(18.1, "in-progress", "medium", "Vulnerability", "Forty printers with factory passwords",
          "A scan of the office networks found the web pages of printers open to all.",
          "Facility has changed 26 of 40; the rest is in Perth.", "Perth waits for a technician until the 28th.",
          tags="patching iot site-perth", push=STALE, files="printers.csv", asset="Printers", hours=260),
    _case(17.0, "closed", "medium", "Account takeover", "Password spray against the old mail protocol",
          "340 accounts, two passwords, one network.", "Old protocol is off for good.", tags="identity", alerts=4,
          seen="203.0.113.9", push=DELIVERED, hours=14),
    _case(15.8, "closed", "low", "Policy violation", "Remote desktop tool without approval",
          "Two laptops of support run a tool that is not on the list.", "Replaced by the approved one.",
          tags="endpoint", hours=25),
    _case(14.9, "closed", "medium", "Data loss", "Public link to a design document",
          "A crawler has the document in its index.", "Link withdrawn, removal from the index asked for.",
          tags="cloud dlp", push=DELIVERED, hours=44),
    _case(13.5, "in-progress", "high", "Insider", "Database dump at night by a contractor",
          "A full dump of *orders* at 02:14, from an address of the contractor's VPN pool.",
          "The contractor says it was a backup test. There is no change for it.",
          "@chiara can you ask the owner of the database whether anyone approved it?",
          tags="dlp third-party", push=STALE, alerts=2, files="queries.csv", seen="10.44.7.19", asset="db-orders-01",
          hours=200),
    _case(12.2, "closed", "low", "Reconnaissance", "Subdomains being enumerated",
          "Resolver sees 12,000 names that do not exist.", "A customer's scanner; agreed with them on a window.",
          tags="dns", hours=8),
    _case(11.4, "closed", "high", "Malware", "Info stealer in a cracked plug-in",
          "The design team installed a plug-in from a forum.",
          "Browser passwords of one user are considered lost; all changed.", tags="endpoint", alerts=5, push=DELIVERED,
          seen="44d88612fea8a8f36de82e1278abb02f", files="strings.log", asset="lap-151", hours=22),
    _case(10.3, "closed", "medium", "Misconfiguration", "Logs of the proxy stopped at midnight",
          "Disk was full, nobody was told.", "Space added, alarm at 80 %.", tags="logging", owner=OBSERVABILITY,
          asset="proxy-003", hours=6),
    _case(9.1, "in-progress", "medium", "Phishing", "Supplier's mailbox sends invoices with new bank details",
          "The thread is real, the account number is not. Accounting stopped the payment.",
          "Supplier confirms that their mailbox was taken over.", "Waiting for their forensics report.",
          tags="email fraud third-party", push=DELIVERED, seen="billing@supplier.example", files="thread-source.txt",
          asset="Accounting", hours=150),
    _case(8.2, "closed", "low", "Denial of service", "Monitoring floods its own gateway",
          "A check runs every second instead of every minute.", "Interval corrected.", tags="monitoring",
          owner=OBSERVABILITY, hours=3),
    _case(7.4, "open", "low", "Policy violation", "Shared account on the shop-floor terminal",
          "Nine people use one name; audit wants it changed by the end of the quarter.",
          tags="identity audit", asset="term-12"),
    _case(6.6, "in-progress", "critical", "Account takeover", "Administrator session from an unknown device",
          "`adm-lefevre` signed in to the directory from a device that is not ours. A new application was consented.",
          "Session is revoked, the application is disabled. It had asked for `Mail.ReadWrite`.",
          "Token theft through a proxy page is likely; the link came by chat.",
          "| Time | What |\n|---|---|\n| 08:51 | Link opened |\n| 08:53 | Sign-in from 203.0.113.58 |\n"
          "| 08:58 | Application consented |\n| 09:20 | We revoke everything |",
          tags="identity cloud vip", alerts=6, push=STALE, files="signins.csv signins.png",
          seen="203.0.113.58 login-check.example https://login-check.example/session", asset="Directory", hours=120),
    _case(5.7, "closed", "medium", "Phishing", "Voice call pretends to be the service desk",
          "Three calls within an hour, asking to approve a prompt.", "Nobody approved. Numbers are blocked.",
          tags="vishing", push=DELIVERED, hours=4),
    _case(4.9, "open", "medium", "Vulnerability", "Certificate of the partner interface expires in nine days",
          "The partner renews by hand and is on holiday.", "Mailed the deputy.", tags="tls third-party", push=FAILED,
          asset="b2b.soc.example.org", owner=OBSERVABILITY, hours=30),
    _case(4.0, "in-progress", "high", "Data loss", "Storage bucket of marketing listed by a search engine",
          "1,140 files, most of them pictures; 12 are lists of event guests.",
          "Bucket is private since 16:05. Access log shows 31 downloads by strangers.",
          "@ines the data protection office wants the number of people concerned by noon.",
          tags="cloud gdpr", push=FAILED, alerts=1, files="downloads.csv downloads.png", seen="198.51.100.204",
          asset="bucket events-2026", hours=70),
    _case(3.1, "in-progress", "medium", "Malware", "USB stick from the car park",
          "Found by a visitor, opened by reception on an isolated machine.",
          "Three shortcuts that start a script. Analysis goes on.", tags="physical endpoint", push=DELIVERED,
          seen="275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f", files="shortcut.log",
          asset="iso-001", hours=40),
    _case(2.3, "open", "high", "Reconnaissance", "New subdomain looks like our customer portal",
          "`portal-soc.example` was registered yesterday and has a certificate since this morning.",
          "Takedown is asked for; page is still empty.", tags="brand dns", seen="portal-soc.example 192.0.2.19",
          alerts=1, push=UNCERTAIN, asset="Customer portal", hours=20),
    _case(1.6, "open", "low", "Misconfiguration", "Backup of the wiki has not run for six days",
          "The job ends without an error and without a file.", tags="backup", owner=GENERAL, asset="wiki"),
    _case(1.1, "in-progress", "high", "Malware", "Encoded command line on three build servers",
          "`powershell -enc` started by the build agent, at the same second on build-110, -111 and -113.",
          "Decoded: it fetches `stage.bin`, which is gone by now. Agents are stopped.",
          "A package of yesterday's build has a post-install step that nobody wrote.",
          "@hugo please freeze releases until we know what it touched.",
          tags="supply-chain endpoint", alerts=4, push=STALE, files="cmdline.log egress.png",
          seen="pkg-mirror.example 203.0.113.131", asset="build-110", hours=18),
    _case(0.7, "open", "medium", "Account takeover", "Twelve failed prompts, then one approved",
          "`k.sato` approved the thirteenth request at 01:12.", "Called back at 07:30: it was an accident, not them.",
          tags="identity mfa-fatigue", alerts=2, push=WAITING, seen="192.0.2.88", asset="k.sato", hours=5),
    _case(0.4, "open", "critical", "Data loss", "Upload of 38 GB from db-104 to an unknown host",
          "The firewall counted 38 GB to one address between 03:00 and 04:10. The server has no business outside.",
          "Traffic is cut. Looks like an archive in parts of 500 MB.",
          "@amara @grace who is on call for databases? I need the process list before anybody restarts it.",
          tags="exfiltration network", alerts=5, push=WAITING, files="flows.csv flows.png", seen="203.0.113.240",
          asset="db-104", hours=4),
    _case(0.15, "open", "high", "Phishing", "Board members get an invitation to a shared document",
          "Five mails within two minutes, from an address that differs by one letter.",
          "Nobody has opened it yet. Pulled from the mailboxes.", tags="email vip", alerts=1,
          seen="board-share.example", asset="Board", hours=2),
    _case(0.03, "open", "medium", "Reconnaissance", "Port scan of the branch in Gdańsk from inside",
          "A meeting-room panel scans its neighbours.", tags="network iot site-gdansk", alerts=1, seen="10.71.0.44",
          asset="room-panel-07", hours=1),
)  # fmt: skip
