"""neomutt and mutt on a terminal, with what they know of IMAP switched on: CONDSTORE, QRESYNC, a header cache, COMPRESS."""
import email
import email.policy
import re

import pytest

from conftest import CHEAP_HASHES
from mail import flags_of, message
from programs import in_terminal, run
from tap import Tap

OFFERED = CHEAP_HASHES + "imap { compress = yes }\n"

# neomutt takes the strongest mechanism that is offered, but cannot bind to the channel of TLS 1.3 as SCRAM-SHA-256-PLUS wants
COMMON = """set from = "alice@example.test"
set realname = "Alice"
set use_from = yes
set use_envelope_from = yes
set imap_user = "alice@example.test"
set imap_pass = "{password}"
set smtp_url = "smtp://alice@example.test@127.0.0.1:{submission}/"
set smtp_pass = "{password}"
set ssl_force_tls = yes
set certificate_file = "{certificate}"
set ssl_verify_host = no
set imap_authenticators = "plain"
set smtp_authenticators = "plain"
set imap_check_subscribed = no
set mark_old = no
set folder = "{dir}"
set spoolfile = "{dir}/spool"
set record = "{dir}/sent"
set charset = utf-8
set send_charset = "utf-8"
set hostname = "client.test"
set user_agent = no
set wait_key = no
set confirmappend = no
set confirmcreate = no
set pipe_decode = no
set quit = yes
set delete = yes
set sort = mailbox-order
set sleep_time = 0
"""
EXTENSIONS = {
    "neomutt condstore": ("neomutt", "set imap_condstore = yes\n", ["CONDSTORE"]),
    "neomutt qresync": ("neomutt", "set imap_condstore = yes\nset imap_qresync = yes\n", ["ENABLE QRESYNC"]),
    "mutt all": ("mutt", "set imap_condstore = yes\nset imap_qresync = yes\nset imap_deflate = yes\n", ["ENABLE QRESYNC", "COMPRESS DEFLATE"]),
}


class Reader:
    """alice's program: its screen, its header cache."""

    def __init__(self, site, program, directory, port, more=""):
        self.program, self.dir, self.port = program, directory, port
        self.rc = directory / "muttrc"
        self.env = {"HOME": str(directory), "TERM": "xterm", "LC_ALL": "C.UTF-8", "COLUMNS": "160", "LINES": "50"}
        self.rc.write_text(COMMON.format(password=site.password("alice"), certificate=site.certificate, dir=directory,
                                         submission=site.ports["submission"]) + more)

    def words(self, *more):
        return [self.program, "-n", "-F", str(self.rc), *more]

    def url(self, mailbox="INBOX"):
        return f"imaps://127.0.0.1:{self.port}/{mailbox}"

    def keys(self, keys, mailbox="INBOX"):
        """Opens a mailbox and presses keys."""
        return in_terminal(self.words("-f", self.url(mailbox), "-e", f"push '{keys}'"), self.env)


def test_neomutt_sends_and_reads(make_site, tmp_path):
    site = make_site()
    reader = Reader(site, "neomutt", tmp_path, site.ports["imaps"])
    run(*reader.words("-s", "neomutt grüßt", "bob@example.test", "alice@example.test"), stdin="Grüße\n.\nFrom here\n".encode(), env=reader.env)
    (stored,) = site.inbox("bob", 1)
    body = email.message_from_bytes(stored, policy=email.policy.default)
    assert body["Subject"] == "neomutt grüßt" and body.get_content() == "Grüße\r\n.\r\nFrom here\r\n"

    read = tmp_path / "read"
    reader.keys(f"<pipe-message>cat >{read}<enter><flag-message><copy-message>{reader.url('Archive')}<enter><quit>")
    (mine,) = site.inbox("alice", 1)
    assert read.read_bytes() == mine.replace(b"\r\n", b"\n")
    with site.imap("alice") as client:
        client.select("INBOX")
        assert flags_of(client, "neomutt") >= {b"\\Flagged"}
        client.select("Archive")
        assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == mine


def rows(reader):
    """{subject: flags} as the program sees the mailbox: every message that it lists, piped with its status."""
    out = reader.dir / "rows"
    out.unlink(missing_ok=True)
    each = f"<tag-pattern>~A<enter><tag-prefix><pipe-message>cat >>{out}<enter>"
    marks = {}
    for mark, pattern in (("S", "~R"), ("F", "~F"), ("A", "~Q")):
        some = reader.dir / f"rows-{mark}"
        some.unlink(missing_ok=True)
        each += f"<untag-pattern>~A<enter><tag-pattern>{pattern}<enter><tag-prefix-cond><pipe-message>cat >>{some}<enter><end-cond>"
        marks[mark] = some
    reader.keys(each + "<exit>")
    subjects = {k: re.findall(r"(?m)^Subject: (.*)$", p.read_text()) if p.exists() else [] for k, p in {"all": out, **marks}.items()}
    return {s: "".join(m for m in "SFA" if s in subjects[m]) for s in subjects["all"]}


def seen_by_server(site):
    with site.imap("alice") as client:
        client.select("INBOX", readonly=True)
        _, data = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (Subject)])")
        found = {}
        for head, text in (item for item in data if isinstance(item, tuple)):
            found[text.split(b": ")[1].strip().decode()] = "".join(
                m for m, flag in (("S", b"\\Seen"), ("F", b"\\Flagged"), ("A", b"\\Answered")) if flag in head)
        return found


def change_elsewhere(site, n):
    """What another session does meanwhile: flags, an expunge in the middle, new mail, a mailbox that shrinks and grows."""
    with site.imap("alice") as client:
        client.select("INBOX")
        client.store("2", "+FLAGS", r"(\Flagged)")
        client.store("3,5", "+FLAGS" if n % 2 == 0 else "-FLAGS", r"(\Seen)")
        client.store("4,7:8", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.store("1", "+FLAGS", r"(\Answered \Seen)")
        for i in range(3):
            client.append("INBOX", r"(\Flagged)" if i == 1 else "", None, message(f"later {n}-{i}"))


@pytest.mark.parametrize("case", EXTENSIONS)
def test_changes_of_another_session_are_seen(make_site, tmp_path, case):
    """The header cache is brought up to date by what changed only, and is right."""
    program, settings, used = EXTENSIONS[case]
    site = make_site(extra=OFFERED)
    with site.imap("alice") as client:
        for i in range(12):
            client.append("INBOX", "", None, message(f"first {i}"))
    (tmp_path / "cache").mkdir()
    with Tap(site) as tap:
        reader = Reader(site, program, tmp_path, tap.port, settings + f'set header_cache = "{tmp_path}/cache/"\n')
        assert rows(reader) == seen_by_server(site)
        for n in range(3):
            change_elsewhere(site, n)
            tap.lines.clear()
            assert rows(reader) == seen_by_server(site), f"round {n}"
        for words in used:
            assert any(words.encode() in line for who, line in tap.lines if who == "C"), words
        if "ENABLE QRESYNC" in used:
            assert tap.answered("* VANISHED (EARLIER) ")


def test_changes_go_both_ways_while_the_mailbox_is_open(make_site, tmp_path):
    """With QRESYNC an EXPUNGE of others comes as VANISHED; the program's own changes still hit the messages they were meant for."""
    site = make_site(extra=OFFERED)
    with site.imap("alice") as client:
        for i in range(6):
            client.append("INBOX", "", None, message(f"first {i}"))
    (tmp_path / "cache").mkdir()
    other = tmp_path / "other.py"
    other.write_text(f"import sys\nsys.path[:0] = {[str(p) for p in __import__('sys').path]!r}\nimport imaplib, ssl\n"
                     f"c = ssl.create_default_context(cafile='{site.certificate}')\nc.check_hostname = False\n"
                     f"i = imaplib.IMAP4_SSL('127.0.0.1', {site.ports['imaps']}, ssl_context=c)\n"
                     f"i.login('alice@example.test', '{site.password('alice')}')\ni.select()\n"
                     "i.store('1:2', '+FLAGS', '(\\\\Deleted)')\ni.expunge()\ni.logout()\n")
    with Tap(site) as tap:
        reader = Reader(site, "neomutt", tmp_path, tap.port,
                        f'set imap_condstore = yes\nset imap_qresync = yes\nset header_cache = "{tmp_path}/cache/"\nset timeout = 1\n')
        reader.keys(f"<last-entry><flag-message><sync-mailbox><shell-escape>/usr/bin/python3 {other}<enter><imap-fetch-mail><first-entry><tag-pattern>~A<enter>"
                    "<untag-pattern>~F<enter><tag-prefix><delete-message><quit>")
        assert tap.answered("* VANISHED ")
        assert seen_by_server(site) == {"first 5": "F"}
