"""What a neighbour that was taken over answers: each question that a role asks gets answers that are broken, too many, for others,
never, or well formed lies. The channel ends where the rules are broken; the role lives, keeps no descriptor, and its client is told to
come again, never that all is well.
"""
import base64
import itertools
import os
import socket

import pytest

import attack
import hostile
import played
import taken
from played import Cast, Client, Line

KEYS, SIGN, AUTH, QUEUE = ("keys", 0, False), ("keys", 0, True), ("auth", 0, False), ("queue", 0, False)
STORES, SMTP, DNS, FETCH, RELAY = [("store", i, False) for i in (0, 1)], ("smtp", 0, False), ("dns", 0, False), ("fetch", 0, False), \
    ("relay", 0, False)
IMAP = ("imap", 0, False)
PLAIN = base64.b64encode(b"\0alice@example.test\0alice-secret")
LONG = bool(os.environ.get("POSTERN_LONG"))
BROKEN, NASTY = (100, 100) if LONG else (12, 12)  # answers of each sort to one kind of question
LEFT_MAX = 3
NUMBERS = itertools.count()
STS_RECORD = {"status": 3, "ttl": 60, "records": [b"v=STSv1; id=1"]}
TWICE = "the same answer twice"


@pytest.fixture
def site():
    with attack.watched() as site:
        yield site


# --- clients: each makes the role ask, and returns what it was told in the end


def bring(cast, body=b"Subject: s\r\n\r\ntext\r\n", recipients=(b"bob@example.test",)):
    line = Line(cast, "smtp")
    replies = line.smtp() + line.smtp(b"EHLO c", b"MAIL FROM:<x@remote.test>", *(b"RCPT TO:<%s>" % r for r in recipients))
    if not replies[-1].startswith(b"250"):
        return replies[-1]
    line.smtp(b"DATA")
    line.say(body)
    return line.smtp(b".")[0]


def bring_much(cast):
    return bring(cast, b"Subject: s\r\n\r\n" + (b"y" * 998 + b"\r\n") * 400)


def log_in(cast, *more):
    line = Line(cast, "submissions")
    line.smtp()
    return line.smtp(b"EHLO c", b"AUTH PLAIN " + PLAIN, *more)[-1]


def log_in_slowly(cast):
    line = Line(cast, "submissions")
    line.smtp()
    reply = line.smtp(b"EHLO c", b"AUTH PLAIN")[-1]
    return line.smtp(PLAIN)[0] if reply.startswith(b"334") else reply


def log_in_and_send(cast):
    return log_in(cast, b"MAIL FROM:<alice@example.test>", b"RCPT TO:<bob@example.test>")


def open_mailbox(cast):
    line = Line(cast, "imaps")
    line.hear()
    return line.imap(b"a", b"LOGIN alice@example.test alice-secret")[-1]


def open_mailbox_slowly(cast):
    line = Line(cast, "imaps")
    line.hear()
    reply = line.imap(b"a", b"AUTHENTICATE PLAIN")[-1]
    if not reply.startswith(b"+"):
        return reply
    line.say(PLAIN + b"\r\n")
    return line.hear()


def unauthenticate(cast):
    """Logs in; the store says that the session is over, and waits for the end of what comes through the stream."""
    line = Line(cast, "imaps")
    line.hear()
    line.imap(b"l", b"LOGIN alice@example.test alice-secret")
    sid, stream = cast.honest.opened
    stream.setblocking(True)
    cast.tell(STORES[attack.owner_of("alice@example.test", len(STORES))], "unauthenticated", sid=sid)
    while stream.recv(4096):
        pass
    return line, stream


def leave_mailbox(cast):
    line, stream = unauthenticate(cast)
    stream.shutdown(socket.SHUT_RDWR)
    line.say(b"a NOOP\r\n")
    return line.hear()


class StreamLine(Line):
    """A session as imap hands it to store."""

    def __init__(self, cast, user):
        self.sock, stream = socket.socketpair()
        ticket = os.urandom(16)
        cast.tell(AUTH, "ticket", ticket=ticket, user=user)
        cast.ask(IMAP, "open_mail", ticket=ticket, user=user, sid=b"s", client=b"192.0.2.1", tag=b"l", stream=stream.fileno())
        stream.close()
        self.sock.settimeout(15)
        self.file = self.sock.makefile("rb")
        self.hear()


def visit(cast):
    """A look into the mailbox of another user, who has shared it."""
    host = StreamLine(cast, b"bob@example.test")
    host.imap(b"s", b"SETACL INBOX alice@example.test lr")
    host.close()
    guest = StreamLine(cast, b"alice@example.test")
    told = guest.imap(b"a", b"STATUS Users/bob@example.test/INBOX (MESSAGES)")[-1]
    guest.close()
    return told


class Submission:
    """Mail as smtp hands it to queue, written by the smtp role itself; a client like the others. Every destination is another, so
    that nothing known of the last one counts."""

    def __init__(self, *recipients):
        self.recipients = recipients

    def __call__(self, cast):
        recipients = [r.replace(b"#", b"%d" % next(NUMBERS)) for r in self.recipients]
        asked = written(cast.writer, recipients)
        told = cast.ask(SMTP, "submit", sid=b"s", file=asked.values["file"])
        asked.close()
        assert told["code"] in (250, 451), told
        if told["code"] == 250:
            cast.promised += recipients


def in_both_stores(cast):
    names = [f"user{next(NUMBERS)}@example.test" for _ in range(16)]
    Submission(*(next(n.encode() for n in names if attack.owner_of(n, 2) == store) for store in (0, 1)))(cast)


def written(writer, recipients):
    """A message for these recipients: the question with which the smtp role hands it over."""
    client = Client(bring, writer, b"Subject: s\r\n\r\ntext\r\n", recipients)
    asked = writer.until("submit")
    taken.answer(writer.channels[QUEUE], asked.row, asked.call, **writer.honest.submit(asked))
    writer.play_out(client)
    return asked


def relay_job(cast):
    domain = b"remote%d.test" % next(NUMBERS)
    asked = written(cast.writer, [b"y@" + domain])
    cast.ask(QUEUE, "relay_mail", sid=b"s", destination=domain, sender=b"x@remote.test", addresses=[b"y@" + domain], notifies=b"\0",
             orcpts=[b""], file=asked.values["file"])
    asked.close()


def policy_question(cast):
    cast.ask(QUEUE, "fetch_policy", domain=b"good%d.test" % next(NUMBERS))


class Bounced(played.Neighbours):
    def relay_mail(self, q):
        n = len(q["addresses"])
        self.done.update(q["addresses"])
        return {"verdicts": bytes([played.PERM] * n), "hop_of": b"\xff" * n, "statuses": [b"5.1.1"] * n, "texts": [b"nobody"] * n}


class WithPolicy(played.Neighbours):
    def lookup(self, q):
        return STS_RECORD if q["name"].startswith(b"_mta-sts.") else super().lookup(q)


# --- the table: who asks whom what, and how it comes to that

SMTP_CAST = ([KEYS, SIGN, AUTH, QUEUE], ("smtp", "submissions"))
IMAP_CAST = ([KEYS, SIGN, AUTH, *STORES], ("imaps",))
QUEUE_CAST = ([SMTP, AUTH, DNS, FETCH, RELAY, *STORES], ())
STORE_CAST = ([AUTH, IMAP], ())
CONFS = {"store": "imap { shared = yes }\n"}
QUESTIONS = [
    ("smtp", "rcpt", bring, SMTP_CAST, None),
    ("smtp", "sasl_start", log_in, SMTP_CAST, None),
    ("smtp", "sasl_step", log_in_slowly, SMTP_CAST, None),
    ("smtp", "may_send", log_in_and_send, SMTP_CAST, None),
    ("smtp", "spool_file", bring_much, SMTP_CAST, None),
    ("smtp", "submit", bring, SMTP_CAST, None),
    ("smtp", "sign", log_in, SMTP_CAST, None),
    ("imap", "sasl_start", open_mailbox, IMAP_CAST, None),
    ("imap", "sasl_step", open_mailbox_slowly, IMAP_CAST, None),
    ("imap", "open_mail", open_mailbox, IMAP_CAST, None),
    ("imap", "sign", open_mailbox, IMAP_CAST, None),
    ("imap", "take_back", leave_mailbox, IMAP_CAST, None),
    ("store", "owner", visit, STORE_CAST, None),
    ("queue", "deliver", Submission(b"bob#@example.test"), QUEUE_CAST, None),
    ("queue", "settle", in_both_stores, QUEUE_CAST, None),
    ("queue", "lookup", Submission(b"y@remote#.test"), QUEUE_CAST, None),
    ("queue", "fetch_policy", Submission(b"y@remote#.test"), QUEUE_CAST, WithPolicy),
    ("queue", "relay_mail", Submission(b"y@remote#.test"), QUEUE_CAST, None),
    ("queue", "rcpt", Submission(b"y@remote#.test"), QUEUE_CAST, Bounced),
    ("relay", "lookup", relay_job, ([QUEUE, DNS, KEYS, SIGN], ()), None),
    ("fetch", "lookup", policy_question, ([QUEUE, DNS], ()), None),
]


def test_every_question_of_the_table_is_here():
    """But those of the parent and of the command line; relay signs by the same code, only for those who ask for it."""
    asked = {(sender, row.name) for row in played.ROWS.values() if row.is_call for sender in row.senders} - {
        ("parent", "counters"), ("cli", "admin"), ("relay", "sign")}
    assert asked == {(role, name) for role, name, *_ in QUESTIONS}


@pytest.fixture
def scene(site, request):
    """(cast, client, name of the question)"""
    role, name, client, (peers, doors), neighbours = request.param
    cast = Cast(site, role, peers, doors, CONFS.get(role, "store { processes = 2 }\n"))
    if role in ("queue", "relay"):
        cast.writer, cast.promised = Cast(site, "smtp", *SMTP_CAST), []
    if neighbours:
        cast.honest = neighbours(cast.honest.key)
    yield cast, client, name
    cast.close()
    if role in ("queue", "relay"):
        cast.writer.close()


each_question = pytest.mark.parametrize("scene", QUESTIONS, indirect=True, ids=[f"{role}-asks-{name}" for role, name, *_ in QUESTIONS])


def provoke(cast, client, name):
    """The question, and the client that waits for its outcome."""
    thread = Client(client, cast)
    return cast.until(name), thread


def is_no_success(told):
    return told is None or isinstance(told, Exception) or not told.startswith((b"2", b"a OK"))


def composed(asked, values=None):
    return hostile.Composed(taken.ANSWER, asked.row, asked.row.answers, asked.call, values)


def nothing(_):
    return "no answer, and the end", []


def to_the_next(message):
    return "an answer to the next question", [message.with_head(call=message.call + 1)]


def to_none(message):
    return "an answer to question 0", [message.with_head(call=0)]


def of_another_row(message):
    other = next(row for row in played.ROWS.values() if row.is_call and row.number != message.row.number)
    return "the answer of another row", [hostile.Composed(taken.ANSWER, other, other.answers, message.call).data]


def twice(message):
    return TWICE, [message.data, message.data]


def breakers(rng, asked):
    """Functions from a well-formed answer to what is wrong, the messages and the descriptors that go with each."""
    found = len(list(hostile.all_broken(composed(asked), played.ROWS)))
    for at in rng.sample(range(found), min(found, BROKEN)):
        yield lambda message, at=at: (lambda what, data, fds: (what, [data], fds))(*list(hostile.all_broken(message, played.ROWS))[at])
    for breaker in (nothing, to_the_next, to_none, of_another_row, twice):
        yield lambda message, breaker=breaker: (*breaker(message), message.fds)


@each_question
def test_broken_answers(scene):
    cast, client, name = scene
    first, thread = provoke(cast, client, name)
    todo = list(breakers(hostile.generator(f"{cast.role.role} {name}"), first))
    cast.answer(first)
    cast.play_out(thread)
    before = cast.role.settle()
    for breaker in todo:
        asked, thread = provoke(cast, client, name)
        message = composed(asked)
        what, messages, fds = breaker(message)
        for data in messages:
            hostile.send(cast.channels[asked.peer], data, fds)
        # who waits for a signature alone passes over what is no answer to it
        if messages and name != "sign":
            assert taken.ends(cast.channels[asked.peer]), f"{name}: {what}: the channel goes on\n{cast.site.log_tail(5)}"
        message.close()
        asked.close()
        cast.again(asked.peer)
        told = cast.play_out(thread)
        assert what == TWICE or is_no_success(told), f"{name}: {what}: the client was told {told}"
    cast.lives()
    assert cast.settle(before + LEFT_MAX) <= before + LEFT_MAX, cast.role.list_descriptors()
    if cast.role.role == "queue":
        assert_still_owed(cast)


def assert_still_owed(cast):
    """Whoever was accepted has been told to be delivered, or bounced, or is in the ledger."""
    listed = {r["address"].encode() for m in cast.site.json("queue", "list") for r in m["recipients"]}
    lost = set(cast.promised) - listed - cast.honest.done
    assert cast.promised and not lost, f"lost: {lost}"


def provoke_once(cast, client, name):
    """Honestly, so that what is opened once is open."""
    asked, thread = provoke(cast, client, name)
    cast.answer(asked)
    cast.play_out(thread)


def is_well_formed(told):
    """What the client is told is one reply, whatever words others put in."""
    if told is None or isinstance(told, Exception):
        return True
    return told.endswith(b"\r\n") and all(32 <= byte < 127 for byte in told[:-2]) and len(told) <= 1000


@each_question
def test_answers_that_lie(scene):
    cast, client, name = scene
    rng = hostile.generator(f"{cast.role.role} {name}")
    provoke_once(cast, client, name)
    before = cast.role.settle()
    for _ in range(NASTY):
        asked, thread = provoke(cast, client, name)
        message = hostile.nasty(rng, taken.ANSWER, asked.row, asked.row.answers, asked.call)
        hostile.send(cast.channels[asked.peer], message.data, message.fds)
        message.close()
        asked.close()
        if len(message.data) > taken.MESSAGE_MAX:
            cast.again(asked.peer)
        told = cast.play_out(thread)
        assert is_well_formed(told), f"{name}: the client was told {told}"
    cast.lives()
    assert cast.settle(before + LEFT_MAX) <= before + LEFT_MAX, cast.role.list_descriptors()


def test_a_stream_that_never_ends(site):
    """After UNAUTHENTICATE, as long as a login may take."""
    cast = Cast(site, "imap", *IMAP_CAST, "store { processes = 2 }\nlimits { login = 8s }\n")
    try:
        told = cast.play_out(Client(lambda: unauthenticate(cast)[0].imap(b"a", b"NOOP")))
        assert isinstance(told, EOFError), told
        cast.lives()
    finally:
        cast.close()
