"""mail.py - messages to send and what must have become of them: the message byte for byte after the trace fields."""
import hashlib
import imaplib
import re

HEAD = ("From: Alice <alice@example.test>\r\nTo: Bob <bob@example.test>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        "Message-ID: <{id}@example.test>\r\nSubject: {subject}\r\n\r\n")
TRACE = re.compile(rb"(?:(?:Return-Path|Delivered-To|Received): [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+")


def message(subject, body=b"hello\r\n", head=b""):
    """A message from alice to bob that submission has nothing to add to. head: more fields."""
    if isinstance(body, str):
        body = body.encode()
    fields = HEAD.format(id=re.sub(r"[^a-z0-9]+", "-", subject.lower()), subject=subject).encode()
    return head + fields + body


def lines(size, width=76):
    """Exactly size bytes of lines that are not all the same, with dots first in some and no line end inside the last bytes."""
    out = bytearray()
    n = 0
    while len(out) < size:
        start = b"." if n % 7 == 0 else b"%x " % n
        out += (start + b"abcdefghijklmnopqrstuvwxyz0123456789" * (width // 36 + 1))[:width] + b"\r\n"
        n += 1
    return bytes(out[:size - 2].replace(b"\r", b"x").replace(b"\n", b"y") if size < 3 else out[:size - 2].rstrip(b"\r") + b"\r\n")


def digest(data):
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}"


def check_arrived(stored, sent):
    """The stored message is trace fields and then what was sent, byte for byte."""
    trace = TRACE.match(stored)
    assert trace, f"no trace fields in {stored[:200]!r}"
    assert stored.startswith(b"Return-Path: <")
    assert stored.endswith(sent), f"sent {digest(sent)}, stored {digest(stored)} beginning {stored[:400]!r}"
    assert stored[:len(stored) - len(sent)] == trace.group()[:len(stored) - len(sent)]


def find(messages, sent):
    """The one of the stored messages that is the sent one."""
    found = [m for m in messages if m.endswith(sent)]
    assert len(found) == 1, f"{len(found)} of {len(messages)} messages are the one that was sent ({digest(sent)})"
    check_arrived(found[0], sent)
    return found[0]


def flags_of(client, subject):
    """Of the one message with these words in its subject; None: there is no such message."""
    _, data = client.search(None, "SUBJECT", f'"{subject}"')
    if not data[0]:
        return None
    assert len(data[0].split()) == 1
    _, data = client.fetch(data[0].decode(), "(FLAGS)")
    return set(imaplib.ParseFlags(data[0])) - {b"\\Recent"}
