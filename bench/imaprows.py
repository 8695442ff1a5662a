"""The rows of one large mailbox: what is done before, what is timed, what makes it undone."""

import os
import statistics
import sys
import time
from collections import namedtuple

from client import Session
from letters import COMMON, RARE, fill, link_as_new

STORE_AT_ONCE = 4000  # sequence numbers in one line
VIEWERS = 20

# wanted: so many times Dovecot's speed; limit: milliseconds it may never take; rounds: no more than so many
Row = namedtuple("Row", "key words command wanted user before after limit rounds", defaults=(None, "m", None, None, None, 99))


class Mailbox:
    """One server's side of it: who is logged in, and what became of it."""

    def __init__(self, server, count):
        self.server = server
        self.count = count
        self.sessions = {}

    def user(self, letter):
        return f"{letter}{self.count}"

    def open(self, letter, select=True):
        session = Session(self.server, self.user(letter))
        self.sessions[letter] = session
        if select:
            session.command("SELECT INBOX")
        return session

    def session(self, letter):
        return self.sessions.get(letter) or self.open(letter)

    def close(self):
        for session in self.sessions.values():
            session.close()
        self.sessions = {}

    def run(self, row):
        """{ms, CPU ms} of the row's command."""
        if row.before is not None:
            row.before(self)
        session = self.session(row.user)
        self.server.settle()
        cpu, began = self.server.group.cpu_seconds(), time.monotonic()
        session.command(row.command)
        took = (time.monotonic() - began) * 1000
        cpu = (self.server.group.cpu_seconds() - cpu) * 1000
        if row.after is not None:
            row.after(self, session)
        return {"ms": took, "cpu": cpu}


def delivered_again(box):
    box.close()
    box.server.deliver_again(box.user("f"), box.server.place(box.user("m"))[0])
    box.open("f", select=False)


def selected_anew(box):
    box.close()
    box.open("m", select=False)


def forgotten(box):
    box.close()
    box.server.forget(box.user("m"))


def unindexed(box):
    box.close()
    box.server.unindex(box.user("m"))
    box.session("m")
    box.server.settle()


def half_deleted(box):
    """A copy of the mailbox; every second message is marked, so that what is left has no two numbers in a row."""
    session = box.session("m")
    session.command("CREATE Half")
    session.command("COPY 1:* Half")
    session.command("SELECT Half")
    for first in range(1, box.count + 1, STORE_AT_ONCE * 2):
        numbers = ",".join(map(str, range(first, min(first + STORE_AT_ONCE * 2, box.count + 1), 2)))
        session.command(f"STORE {numbers} +FLAGS.SILENT (\\Deleted)")


def half_gone(box, session):
    session.command("SELECT INBOX")
    session.command("DELETE Half")


def target_made(box):
    box.session("m").command("CREATE Copies")


def target_gone(box, session):
    session.command("DELETE Copies")


def unflagged(box, session):
    session.command("STORE 1:* -FLAGS.SILENT (\\Flagged)")


STRUCTURE = "FETCH 1:* (ENVELOPE BODYSTRUCTURE)"
FIELDS = "FETCH 1:* (BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])"
SORT = "SORT (SUBJECT) UTF-8 ALL"
THREAD = "THREAD REFERENCES UTF-8 ALL"
ROWS = (
    Row("select-first", "SELECT, first after delivery", "SELECT INBOX", 50, user="f", before=delivered_again, rounds=3),
    Row("select", "SELECT, later", "SELECT INBOX", 10, before=selected_anew, limit=3),
    Row("flags", "FETCH 1:* (UID FLAGS)", "FETCH 1:* (UID FLAGS)", 1.3),
    Row("structure-first", "FETCH 1:* (ENVELOPE BODYSTRUCTURE), first", STRUCTURE, 10, before=forgotten, rounds=3),
    Row("structure", "FETCH 1:* (ENVELOPE BODYSTRUCTURE), later", STRUCTURE, 2),
    Row("fields-first", "FETCH 1:* (header fields), first", FIELDS, before=forgotten, rounds=3),
    Row("fields", "FETCH 1:* (header fields), later", FIELDS, 2),
    Row("sort-first", "SORT (SUBJECT), first", SORT, 20, before=forgotten, rounds=3),
    Row("sort", "SORT (SUBJECT), later", SORT, 2.5),
    Row("thread-first", "THREAD REFERENCES, first", THREAD, 20, before=forgotten, rounds=3),
    Row("thread", "THREAD REFERENCES, later", THREAD, 2.5),
    Row("subject", "SEARCH SUBJECT", f"SEARCH SUBJECT {COMMON}", 5),
    Row("text-first", "SEARCH TEXT of a rare word, first (no search index)", f"SEARCH TEXT {RARE}", 1.5, before=unindexed, rounds=3),
    Row("text", "SEARCH TEXT of a rare word, later", f"SEARCH TEXT {RARE}", 20),
    Row("store", "STORE 1:* +FLAGS", "STORE 1:* +FLAGS (\\Flagged)", 15, after=unflagged),
    Row("expunge", "EXPUNGE of every second message", "EXPUNGE", 5, before=half_deleted, after=half_gone, rounds=3),
    Row("copy", "COPY of 1000", "COPY 1001:2000 Copies", 1, before=target_made, after=target_gone),
)
VIEW = Row("view", "KiB PSS of a further session that has it selected, over TLS", None, limit=100)
TAKEN_IN = Row("taken in", "login and SELECT of a Maildir never seen; CPU with all that follows", None)


def make(servers, count, largest):
    """The mailbox for everybody: INBOX of m and, as just delivered, of f."""
    began = time.monotonic()
    fill([s.place(f"m{count}") for s in servers], count, largest=largest)
    for s in servers:
        link_as_new(s.place(f"m{count}")[0], *s.place(f"f{count}"))
    os.sync()  # who makes them durable when they come is not to pay for the writing, too
    print(f"-- {count} messages written: {time.monotonic() - began:.0f} s", file=sys.stderr)


def take_in(box):
    """The first look at a Maildir that no server has seen; then what is done in the background."""
    cpu, began = box.server.group.cpu_seconds(), time.monotonic()
    box.open("m")
    seconds = time.monotonic() - began
    box.server.settle()
    cpu = box.server.group.cpu_seconds() - cpu
    box.open("f")
    box.server.settle()
    return {"ms": seconds * 1000, "cpu": cpu * 1000}


def in_memory(box):
    """KiB of each further session that has the mailbox selected."""
    before = box.server.group.pss_kib()
    more = []
    for _ in range(VIEWERS):
        more.append(Session(box.server, box.user("m")))
        more[-1].command("SELECT INBOX")
    box.server.settle()
    each = (box.server.group.pss_kib() - before) / VIEWERS
    for session in more:
        session.close()
    return each


def measure(servers, count, keys, rounds, told, largest):
    """told(row, {server name: {ms, cpu}}) for each row, as soon as it is known."""
    make(servers, count, largest)
    boxes = [Mailbox(s, count) for s in servers]
    told(TAKEN_IN, {b.server.name: take_in(b) for b in boxes})
    for row in ROWS:
        if row.key not in keys:
            continue
        if row.before is not forgotten:
            for box in boxes:
                box.run(row)  # not counted
        results = {b.server.name: [] for b in boxes}
        for _ in range(min(rounds, row.rounds)):
            for box in boxes:
                results[box.server.name].append(box.run(row))
        told(row, {name: {key: statistics.median(r[key] for r in runs) for key in ("ms", "cpu")} for name, runs in results.items()})
    if "view" in keys:
        told(VIEW, {b.server.name: {"ms": in_memory(b)} for b in boxes})
    for box in boxes:
        box.close()
