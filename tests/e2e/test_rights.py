"""What the rows of calls.def forbid although the message is in order: other people's mailboxes, other signatures, files that are none."""
import fcntl
import os
import select
import socket
import struct
import time
from pathlib import Path

import pytest

import attack
import hostile
import played
import taken
from played import Cast
from test_answers import AUTH, DNS, FETCH, QUEUE, RELAY, SMTP, SMTP_CAST, STORES, written

IMAPS = [("imap", i, False) for i in (0, 1)]
SEALED = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
ROWS = played.ROWS


@pytest.fixture
def site():
    with attack.watched() as site:
        yield site


@pytest.fixture
def cast(site, request):
    """cast(role, peers): a role whose neighbours we are."""
    made = []

    def make(role, peers, *rest, **options):
        made.append(Cast(site, role, peers, *rest, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def said(one, peer, name, **values):
    """What the role answers to a question of ours."""
    call = one.tell(peer, name, **values)
    one.until(lambda asked: asked is None and call in one.answers)
    return one.answers.pop(call)


# --- tickets: store opens what auth said, once


@pytest.fixture
def store(cast):
    return cast("store", [AUTH, QUEUE, *IMAPS], conf="store { processes = 1 }\n")


def knock(store, ticket, user, imap=IMAPS[0]):
    """Does store open that user's mailbox for this ticket?"""
    ours, theirs = socket.socketpair()
    opened = said(store, imap, "open_mail", ticket=ticket, user=user, sid=b"s", client=b"192.0.2.1", tag=b"a", stream=theirs.fileno())
    theirs.close()
    ours.settimeout(10)
    greeted = ours.recv(10) != b""
    assert greeted == (opened["verdict"] == 0)
    ours.close()
    return greeted


def give(store, user=b"alice@example.test"):
    ticket = os.urandom(16)
    store.tell(AUTH, "ticket", ticket=ticket, user=user)
    time.sleep(0.01)
    return ticket


def test_a_ticket_is_good_once(store):
    ticket = give(store)
    assert knock(store, ticket, b"alice@example.test")
    assert not knock(store, ticket, b"alice@example.test")
    assert not knock(store, ticket, b"alice@example.test", IMAPS[1])


@pytest.mark.parametrize("name", [b"bob@example.test", b"ALICE@example.test", b"alice@example.test\0", b"alice@example.tes", b"",
                                  b"alice@example.test\0bob@example.test", b"../alice@example.test"])
def test_a_ticket_is_good_for_its_user(store, name):
    ticket = give(store)
    assert not knock(store, ticket, name)
    assert not knock(store, ticket, b"alice@example.test"), "who guesses with a ticket has used it"


def test_k17_tickets_cannot_be_made(store):
    ticket = give(store)
    for at in range(0, 128, 5):
        assert not knock(store, bytes(b ^ (1 << at % 8 if i == at // 8 else 0) for i, b in enumerate(ticket)), b"alice@example.test")
    assert not knock(store, bytes(16), b"alice@example.test")
    assert knock(store, ticket, b"alice@example.test"), "wrong ones spend nobody else's"


def test_the_second_ticket_of_a_number_is_not_another_user(store):
    """A ticket's number that comes twice stays with the first."""
    ticket = give(store)
    store.tell(AUTH, "ticket", ticket=ticket, user=b"bob@example.test")
    time.sleep(0.05)
    assert not knock(store, ticket, b"bob@example.test")


def test_imap_ends_its_own_sessions_only(store):
    """CLOSE_MAIL with "": all of that front, not the other's."""
    streams = []
    for imap in IMAPS:
        ours, theirs = socket.socketpair()
        assert said(store, imap, "open_mail", ticket=give(store), user=b"alice@example.test", sid=b"same", tag=b"a",
                    stream=theirs.fileno())["verdict"] == 0
        theirs.close()
        ours.settimeout(10)
        assert b"a OK" in ours.recv(1000)
        streams.append(ours)
    store.tell(IMAPS[0], "close_mail", sid=b"same")
    assert b"BYE" in streams[0].recv(1000)
    streams[1].sendall(b"b NOOP\r\n")
    assert streams[1].recv(1000).startswith(b"b OK")
    for stream in streams:
        stream.close()


def test_who_may_send_mail_gets_no_ticket(site, cast):
    """A login at smtp opens no mailbox, whoever else is taken over."""
    auth = cast("auth", [SMTP, *IMAPS, QUEUE, *STORES], conf="store { processes = 2 }\n")
    asked = {"mechanism": b"PLAIN", "has_initial": 1, "initial": b"\0alice@example.test\0alice-secret", "tls": 1, "client": b"192.0.2.1"}
    tickets = lambda: sum(bool(store.recv(1000)) for store in (auth.channels[s] for s in STORES) if readable(store))
    answer = said_alone(auth, SMTP, "sasl_start", service=b"submissions", **asked)
    assert (answer["verdict"], answer["ticket"]) == (played.LOGGED_IN, bytes(16))
    assert tickets() == 0
    answer = said_alone(auth, IMAPS[0], "sasl_start", service=b"imaps", **asked)
    assert answer["verdict"] == played.LOGGED_IN and answer["ticket"] != bytes(16)
    assert tickets() == 1


def readable(sock):
    return bool(select.select([sock], [], [], 0.2)[0])


def said_alone(one, peer, name, **values):
    """The same as said(), and what others are told stays unread."""
    row = ROWS[name]
    return played.unpacked(row.answers, taken.ask(one.channels[peer], row, number=1, **values), [])


def test_an_exchange_belongs_to_its_front(cast):
    """auth: another's exchange cannot be continued, whatever number is guessed."""
    auth = cast("auth", [SMTP, *IMAPS, QUEUE, *STORES])
    begun = said_alone(auth, IMAPS[0], "sasl_start", service=b"imaps", mechanism=b"PLAIN", tls=1, client=b"192.0.2.1")
    assert begun["verdict"] == played.CHALLENGE
    secret = b"\0alice@example.test\0alice-secret"
    for thief in (IMAPS[1], SMTP):
        stolen = said_alone(auth, thief, "sasl_step", exchange=begun["exchange"], data=secret)
        assert stolen["verdict"] not in (played.CHALLENGE, played.LOGGED_IN)
    assert said_alone(auth, IMAPS[0], "sasl_step", exchange=begun["exchange"], data=secret)["verdict"] == played.LOGGED_IN


# --- keys: who may have what signed


def verify_of(side, hash_bytes=32, padding=64):
    return b" " * padding + b"TLS 1.3, %s CertificateVerify\0" % side + os.urandom(hash_bytes)


def key_exchange(group=23, point=65, rest=0):
    return os.urandom(64) + struct.pack(">BHB", 3, group, point) + os.urandom(point + rest)


HANDSHAKES = [verify_of(b"server"), verify_of(b"server", 48), key_exchange(), key_exchange(29, 32)]
OTHER_TEXTS = [b"", os.urandom(32), b"from:alice@example.test\r\nsubject:hello\r\n", verify_of(b"server", 31), verify_of(b"server", 33),
               verify_of(b"server", 64), verify_of(b"server", 32, 63), verify_of(b"Server"), verify_of(b"server")[:-1],
               key_exchange(rest=1), key_exchange(23, 64), key_exchange(22, 65), key_exchange()[:-1]]


@pytest.fixture
def keys(site, request):
    """The role with a key; key_of(peer): the id under which the peer knows it; sign(peer, text)."""
    role = attack.alone(site, "keys", f"relay {{ client_certificate = {request.param} }}")
    attack.hand_keys(role, site)
    peers = {peer: (role.peer(peer), role.peer(peer, use=1)) for peer in ("smtp", "imap", "relay")}
    role.start()
    yield peers
    for pair in peers.values():
        for sock in pair:
            sock.close()
    role.end()


def ids_told_to(peers, peer):
    found = []
    while True:
        data = peers[peer][0].recv(taken.MESSAGE_MAX)
        row = played.BY_NUMBER[hostile.HEAD.unpack_from(data)[2]]
        if row.name == "certificates_end":
            return found
        found.append(played.unpacked(row.fields, data[8:], [])["key"])


def signs(peers, peer, key, text, scheme=0x0403, sign=True):
    return played.unpacked(ROWS["sign"].answers, taken.ask(peers[peer][int(sign)], ROWS["sign"], number=1, key=key, scheme=scheme, data=text),
                           [])["ok"] == 1


@pytest.mark.parametrize("keys", ["no"], indirect=True)
def test_k17_who_may_have_what_signed(keys):
    ids = {peer: ids_told_to(keys, peer) for peer in keys}
    assert len(ids["smtp"]) == 1 and ids["smtp"] == ids["imap"] and ids["relay"] == []
    key = ids["smtp"][0]
    for peer in ("smtp", "imap"):
        assert all(signs(keys, peer, key, text) for text in HANDSHAKES)
        assert not any(signs(keys, peer, key, text) for text in (*OTHER_TEXTS, verify_of(b"client")))
        assert not any(signs(keys, peer, key, HANDSHAKES[0], scheme) for scheme in (0, 0x0401, 0x0804, 0x0807, 2**32 - 1))
        assert not any(signs(keys, peer, other, HANDSHAKES[0]) for other in (b"", key[:-1], key + b"\0", b"default", b"x" * 5000))
    assert not any(signs(keys, "relay", key, text) for text in (*HANDSHAKES, *OTHER_TEXTS, verify_of(b"client")))


@pytest.mark.parametrize("keys", ["yes"], indirect=True)
def test_relay_signs_as_a_client_only(keys):
    ids = {peer: ids_told_to(keys, peer) for peer in keys}
    assert ids["relay"] == ids["smtp"]
    key = ids["relay"][0]
    assert signs(keys, "relay", key, verify_of(b"client"))
    assert not any(signs(keys, "relay", key, text) for text in (*HANDSHAKES, *OTHER_TEXTS))
    for peer in ("smtp", "imap"):
        assert signs(keys, peer, key, HANDSHAKES[0]) and not signs(keys, peer, key, verify_of(b"client"))


# --- queue: which files are messages


@pytest.fixture
def queue(site, cast):
    one = cast("queue", [SMTP, AUTH, DNS, FETCH, RELAY, *STORES], conf="store { processes = 2 }\n")
    one.writer = cast("smtp", *SMTP_CAST)
    return one


def copy_in(make):
    """A message's bytes in a file of another kind."""
    def copied(fd, where):
        copy = make(where)
        os.write(copy, os.pread(fd, 1 << 20, 0))
        return copy
    return copied


def sealed_with(seals):
    def make(_):
        return os.memfd_create("m", os.MFD_ALLOW_SEALING)

    def copied(fd, where):
        copy = copy_in(make)(fd, where)
        fcntl.fcntl(copy, fcntl.F_ADD_SEALS, seals)
        return copy
    return copied


FILES = {
    "a memfd that may change": copy_in(lambda _: os.memfd_create("m")),
    "a memfd that may be written to": sealed_with(fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW),
    "a memfd that may shrink": sealed_with(fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW),
    "a file with a name": copy_in(lambda where: os.open(where / "named", os.O_CREAT | os.O_RDWR, 0o600)),
    "a nameless file elsewhere": copy_in(lambda where: os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR, 0o600)),
    "a file opened for reading": lambda fd, where: os.open("/etc/passwd", os.O_RDONLY),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_message(queue, kind):
    asked = written(queue.writer, [b"bob@example.test"])
    fd = FILES[kind](asked.values["file"], queue.site.dir)
    answer = said(queue, SMTP, "submit", sid=b"s", file=fd)
    assert answer["code"] >= 400, answer
    assert not queue.honest.done
    assert said(queue, SMTP, "submit", sid=b"s", file=asked.values["file"])["code"] == 250
    assert queue.honest.done == {b"bob@example.test"}
    os.close(fd)
    asked.close()


def test_a_message_that_is_submitted_again(queue):
    """The same file, the same id: nothing of the first is lost, and the ledger stays sound."""
    asked = written(queue.writer, [b"y@remote.test"])
    codes = [said(queue, SMTP, "submit", sid=b"s", file=asked.values["file"])["code"] for _ in range(3)]
    assert codes[0] == 250
    rows = [r["address"] for m in queue.site.json("queue", "list") for r in m["recipients"]]
    assert rows and set(rows) == {"y@remote.test"}
    queue.lives()
    asked.close()


def test_no_user_leads_out_of_the_mail_directory(store):
    """queue names users that are paths."""
    def around():
        return {p for p in store.site.dir.rglob("*") if not p.is_relative_to(store.site.state / "mail")}

    writer = Cast(store.site, "smtp", *SMTP_CAST)
    asked = written(writer, [b"bob@example.test"])
    before = around()
    for user in (b"../../../out@example.test", b"/tmp/out@example.test", b"..@..", b".", b"..", b"a/../../../../out@b", b"x@../../../out",
                 b"a@" + b"../" * 20 + b"tmp", b"-@-", b"a\\..\\b@c", b"%2e%2e%2f@x"):
        store.tell(QUEUE, "deliver", delivery=os.urandom(16), users=[user], details=[b"../../../out"], orig_tos=[b""],
                   file=asked.values["file"])
    store.lives()
    time.sleep(0.3)
    assert around() == before
    assert not list(Path("/tmp").glob("out@*"))
    asked.close()
    writer.close()
