"""An account moves from Debian's Dovecot to postern and back over IMAP, byte and flag exact."""
import random

import pytest

import unpacked
from dovecot import Dovecot
from mail import lines, message
from mailcopy import Side, copy, picture

pytestmark = pytest.mark.skipif(unpacked.missing("dovecot") is not None, reason=str(unpacked.missing("dovecot")))

# "." stands for the separator
NAMES = ["INBOX", "Work", "Work.2024", "Work.2025", "Work.2025.Q1", "Work.2025.Q1.Invoices.unpaid", "Entwürfe", "Entwürfe.Straße & Brücke",
         "日本語", "日本語.台北", "😀 smile", "R&D", "a  two spaces", 'say "hello"', "back\\slash", "1st + 2nd = 3", "half {", "(paren) {brace}",
         "tilde~in the middle", "Архив.Тест", "Empty"]
FLAGS = [rb"\Seen", rb"\Answered", rb"\Flagged", rb"\Deleted", rb"\Draft", b"$Forwarded", b"$MDNSent", b"NonJunk", b"$label1", b"x+y=z", b"[odd",
         b"label:work/1"]
DATES = [b"01-Jan-1971 00:00:00 +0000", b"31-Dec-1999 23:59:59 -1130", b" 1-Mar-2024 12:00:00 +1400", b"29-Feb-2024 23:30:00 -0800",
         b"19-Jan-2038 03:14:08 +0000", b"20-Nov-2026 10:00:00 +0530"]
PNG = bytes(b for b in range(1, 256) if b not in b"\r\n")
BODIES = {
    "only a line end": b"\r\n",
    "one byte": b"x",
    "a header without an end": b"Subject: no end",
    "a header and nothing": b"Subject: nothing\r\n\r\n",
    "no header": b"\r\nonly a body\r\n",
    "no line end last": message("no line end last", b"last"),
    "8-bit": message("8-bit", "grüße, жук, 日本\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n"),
    "8-bit header": "Subject: grüße\r\nFrom: jürgen@example.test\r\n\r\nx\r\n".encode(),
    "control characters": message("control", PNG + b"\r\n"),
    "long lines": message("long", (b"a" * 60000 + b"\r\n") * 3),
    "dots": message("dots", b".\r\n..\r\n\r\n.\r\n"),
    "what looks like IMAP": message("imap", b"* 1 FETCH (FLAGS ())\r\na1 OK done\r\n{3}\r\n) \"\r\n"),
    "half a CR LF": message("half", b"one\rtwo\r\n"),
    "multipart": message("multi", b"--x\r\n\r\ntext\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nin\r\n--x--\r\n",
                         b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="x"\r\n'),
    "large": message("large", lines(2_000_000)),
}


def some_messages(rng, number):
    """Each body somewhere, the others small."""
    bodies = list(BODIES.values())
    for i in range(number):
        data = bodies[i] if i < len(bodies) else message(f"number {i}", f"{i}\r\n".encode() * rng.randrange(40))
        yield sorted(rng.sample(FLAGS, rng.randrange(5))), rng.choice(DATES), data


def fill(far):
    """Twenty mailboxes; the first has every shape of message, one has none."""
    rng = random.Random(4)
    for name in NAMES:
        if name != "INBOX":
            far.command(b"CREATE " + far.wire(name))
        if rng.random() < 0.7:
            far.command(b"SUBSCRIBE " + far.wire(name))
        messages = list(some_messages(rng, len(BODIES) + 30 if name == "INBOX" else 0 if name == "Empty" else rng.randrange(1, 45)))
        for i in range(0, len(messages), 17):
            far.append(name, messages[i:i + 17])


def here(site, user):
    stream = site.stream()
    return Side(stream, stream, (site.address(user), site.password(user)))


@pytest.fixture
def dovecot():
    server = Dovecot()
    yield server
    server.close()


def test_an_account_moves_here_and_back(make_site, dovecot):
    site = make_site()
    old, new = Side(*dovecot.session("old")), Side(*dovecot.session("new"))
    postern = here(site, "alice")
    assert "MULTIAPPEND" in postern.capabilities and "LITERAL+" in postern.capabilities
    fill(old)
    copy(old, postern)
    was = picture(old)
    assert len(was[0]) == len(NAMES) - 1 and sum(map(len, was[0].values())) > 400
    assert picture(postern) == was
    assert {name.replace(".", "/") for name in NAMES} <= set(postern.mailboxes())
    copy(postern, new)
    assert picture(new) == was
    for side in (old, new, postern):
        side.close()


def test_nul_moves_from_account_to_account(make_site):
    """BODY[] cannot hold a NUL (RFC 9051 9), BINARY[] and an APPEND of a literal8 can: what came in is what is on disk in the end."""
    site = make_site()
    sent = [b"Subject: nul\r\n\r\n\0", b"\0", b"\r\n\r\n" + (b"\0" + PNG) * 50,
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\nSubject: binary\r\n\r\n" + bytes(1000) + b"\r\n"]
    alice, bob = here(site, "alice"), here(site, "bob")
    alice.append("INBOX", [([], DATES[0], data) for data in sent])
    for data, (_, _, shown) in zip(sent, sum(alice.messages("INBOX"), [])):
        assert shown == data.replace(b"\0", b"\x80")
    for batch in alice.messages("INBOX", b"BINARY.PEEK[]"):
        bob.append("INBOX", batch)
    assert [data for _, _, data in sum(bob.messages("INBOX", b"BINARY.PEEK[]"), [])] == sent
    files = [p.read_bytes() for p in (site.state / "mail/example.test/bob/Maildir").glob("*/*") if ",S=" in p.name]
    assert sorted(files) == sorted(sent)
    for side in (alice, bob):
        side.close()
