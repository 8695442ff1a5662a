"""What must not be possible, tried over real sockets: secrets in the clear, relaying, smuggling, injection, other protocols, weak TLS."""
import base64
import re
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from mail import message
from postern_site import CHEAP_HASHES, NOWHERE
from wire import Wire

MX = {"users": ("alice", "bob"), "extra": CHEAP_HASHES + NOWHERE}
CLEAR = ("smtp", "submission", "imap")
EVERY = ("smtp", "submission", "submissions", "imap", "imaps")
SMTP = ("smtp", "submission", "submissions")


@pytest.fixture(autouse=True)
def nothing_is_queued(mx, request):
    """No test here makes the server owe mail to anybody else's host, unless it says so."""
    yield
    if "queues" not in request.keywords:
        assert mx.json("queue", "list") == []


def mailboxes(mx):
    return sorted(p for p in (mx.state / "mail").glob("**/Maildir/**/*") if p.parent.name in ("new", "cur") and p.is_file())


def b64(text):
    return base64.b64encode(text.encode()).decode()


def plain(user, password):
    return b64(f"\0{user}\0{password}")


# --- C07, RFC 8314: no secret before TLS

CANARY = "Canary7u3xQ9pLw2Zk"


def hides_canary(mx):
    """The password is nowhere: not in the log, not in a file, not in what the kernel shows of the processes; in no usual encoding."""
    needles = [CANARY.encode(), CANARY.encode("utf-16-le")]
    for shift in range(3):
        needles.append(base64.b64encode(b"\0" * shift + CANARY.encode())[4 if shift else 0:-4])
    mx.settle_log()
    places = [p for p in mx.dir.rglob("*") if p.is_file() and not p.is_symlink()]
    for _, _, pid in [*mx.processes(), ("parent", 0, mx.process.pid)]:
        places += [Path(f"/proc/{pid}/cmdline"), Path(f"/proc/{pid}/environ")]
    for place in places:
        data = place.read_bytes()
        for needle in needles:
            assert needle not in data, f"the password is in {place}"


@pytest.fixture(scope="module")
def canary(mx):
    mx.postern("user", "add", "canary@example.test", "--password-stdin", stdin=CANARY + "\n")
    return "canary@example.test"


@pytest.mark.parametrize("service", ["smtp", "submission"])
def test_c07_no_auth_in_clear_smtp(mx, canary, service):
    for attempt in (f"AUTH PLAIN {plain(canary, CANARY)}", "AUTH PLAIN", f"AUTH LOGIN {b64(canary)}", "AUTH LOGIN",
                    f"AUTH SCRAM-SHA-256 {b64('n,,n=canary@example.test,r=abc')}", f"auth plain {plain(canary, CANARY)}",
                    f"AUTH CRAM-MD5 {CANARY}", f"AUTH  PLAIN  {CANARY}"):
        with Wire(mx, service) as wire:
            assert not [word for word in wire.hello() if "AUTH" in word.upper()]
            code, text = wire.smtp(attempt)
            assert code in (501, 502, 503, 504, 530, 538), f"{attempt}: {code} {text}"
            assert CANARY not in text and plain(canary, CANARY) not in text
            if wire.service == "submission":
                assert wire.code("MAIL FROM:<canary@example.test>") in (0, 530)
    before = mx.events("login", user=canary)
    assert before == [], "auth was asked"
    hides_canary(mx)


def test_no_auth_at_all_on_the_port_of_other_servers(mx, canary):
    with Wire(mx, "smtp") as wire:
        wire.hello()
        wire.starttls()
        assert not [word for word in wire.ehlo() if "AUTH" in word.upper()]
        assert wire.auth_plain("alice")[0] in (500, 502, 503, 530)
    hides_canary(mx)


def test_c07_no_login_in_clear_imap(mx, canary):
    with Wire(mx, "imap") as wire:
        greeting = wire.line().decode()
        _, lines = wire.imap("CAPABILITY")
        for words in (greeting, lines[0]):
            if "CAPABILITY" in words:
                assert "LOGINDISABLED" in words and "STARTTLS" in words and "AUTH=" not in words
    for attempt in (f"LOGIN {canary} {CANARY}", f'LOGIN "{canary}" "{CANARY}"', f"AUTHENTICATE PLAIN {plain(canary, CANARY)}",
                    "AUTHENTICATE PLAIN", "AUTHENTICATE LOGIN", "AUTHENTICATE SCRAM-SHA-256",
                    f"LOGIN {{{len(canary)}+}}\r\n{canary} {{{len(CANARY)}+}}\r\n{CANARY}"):
        with Wire(mx, "imap") as wire:
            wire.line()
            status, lines = wire.imap(attempt)
            assert status in ("NO", "BAD", ""), lines
            assert not [line for line in lines if CANARY in line or line.startswith("+")]
            if status == "NO":
                assert "PRIVACYREQUIRED" in lines[-1], lines
            assert wire.imap("SELECT INBOX")[0] in ("NO", "BAD", "")
    assert mx.events("login", user=canary, ok="yes") == []
    hides_canary(mx)


def test_d17_a_password_leaves_no_trace(mx, canary):
    """Right and wrong, by every mechanism, inside TLS (D17)."""
    for service in ("submission", "submissions"):
        for command in (f"AUTH PLAIN {plain(canary, CANARY)}", f"AUTH PLAIN {plain('nobody@example.test', CANARY)}",
                        f"AUTH PLAIN {CANARY}", f"AUTH {CANARY}", f"AUTH PLAIN {plain(canary, CANARY)} extra", CANARY):
            with Wire(mx, service) as wire:
                wire.hello()
                if service == "submission":
                    wire.starttls().ehlo()
                wire.smtp(command)
        with Wire(mx, service) as wire:
            wire.hello()
            if service == "submission":
                wire.starttls().ehlo()
            assert wire.code("AUTH LOGIN") == 334
            assert wire.code(b64(canary)) == 334
            assert wire.code(b64(CANARY)) == 235
    for words in (f"LOGIN {canary} {CANARY}", f"LOGIN {CANARY} {CANARY}", f"AUTHENTICATE PLAIN {plain(canary, CANARY)}",
                  f"AUTHENTICATE {CANARY}", f"LOGIN {CANARY}", f"{CANARY} {CANARY}"):
        with Wire(mx, "imaps") as wire:
            wire.line()
            wire.imap(words)
    assert mx.events("login", user=canary, ok="yes")
    hides_canary(mx)
    mx.postern("user", "passwd", canary, "--password-stdin", stdin=CANARY + "\n")
    hides_canary(mx)


# --- group E: no relay

FOREIGN = [
    "<x@remote.test>", "<x@REMOTE.test>", "<x@remote.test.>", "<x@[127.0.0.1]>", "<x@[192.0.2.1]>", "<x@[IPv6:::1]>",
    "<x%remote.test@example.test>", "<remote.test!x@example.test>", "<@example.test:x@remote.test>",
    "<@example.test,@other.test:x@remote.test>", "<\"x@remote.test\"@example.test>", "<x@remote.test@example.test>",
    "<x@remote.test%example.test>", "<x%remote.test@mx.example.test>", "<x%remote.test%example.test@example.test>",
    "<x@example.test@remote.test>", "<x@sub.example.test>", "<x@example.test.remote.test>", "<\"x\"@remote.test>",
    "<x@xample.test>", "<x@localhost>", "<x@mx.example.test>", "<remote.test!x>", "<x%remote.test>",
    "<|id@example.test>", "</etc/passwd@example.test>", "<:include:/etc/passwd@example.test>",
    "<\"|/bin/sh -c id\"@example.test>", "<\"$(touch${IFS}/tmp/p)\"@example.test>", "<`id`@example.test>",
    "<\"\"@example.test>", "<\" \"@example.test>", "<nobody@example.test>", "<root@remote.test>", "<postmaster@remote.test>",
    "<alice@remote.test>", "<alice@example.test@remote.test>", "x@remote.test", "<bob@example.test >, <x@remote.test>",
    "<bob@example.test>,<x@remote.test>", "<bob@example.test><x@remote.test>", "<bob@example.test> <x@remote.test>",
    "<bob+x@remote.test@example.test>", "<x@еxample.test>", "<alice@exаmple.test>", "<x@remote.test\\@example.test>",
]


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("sender", ["<s@remote.test>", "<>", "<alice@example.test>", "<postmaster@example.test>", "<s@[127.0.0.1]>"])
def test_e01_e02_port_25_relays_nothing(mx, sender, tls):
    before = mailboxes(mx)
    with Wire(mx, "smtp") as wire:
        words = wire.hello()
        if tls:
            wire.starttls()
            words = wire.ehlo()
        assert "SMTPUTF8" in words
        for n, to in enumerate(FOREIGN):
            if n % 12 == 0:
                wire.close()
                wire = Wire(mx, "smtp")  # a session that is refused too often is ended
                wire.hello()
                if tls:
                    wire.starttls().ehlo()
            assert wire.code("RSET") == 250
            assert wire.code(f"MAIL FROM:{sender} SMTPUTF8") == 250
            code, text = wire.smtp(f"RCPT TO:{to}")
            assert 500 <= code < 560, f"{to}: {code} {text}"
            if "remote.test" in to:
                assert wire.code("DATA") in (503, 554)
        wire.close()
    assert mailboxes(mx) == before


def test_foreign_and_local_in_one_message(mx):
    """The local recipient gets it, the foreign one does not."""
    with Wire(mx, "smtp") as wire:
        wire.hello()
        wire.smtp("MAIL FROM:<s@remote.test>")
        assert wire.code("RCPT TO:<x@remote.test>") == 550
        assert wire.code("RCPT TO:<bob@example.test>") == 250
        assert wire.code("DATA") == 354
        assert wire.code(message("local only") + b".\r\n") == 250
    assert not [e for e in mx.events("accept") if e["nrcpt"] != "1"]


@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_submission_wants_a_login(mx, service):
    with Wire(mx, service) as wire:
        wire.hello()
        if service == "submission":
            assert wire.code("MAIL FROM:<alice@example.test>") == 530
            wire.starttls().ehlo()
        for sender in ("<alice@example.test>", "<s@remote.test>", "<>"):
            assert wire.code(f"MAIL FROM:{sender}") == 530
        assert wire.code("RCPT TO:<bob@example.test>") in (503, 530)
        assert wire.code("RCPT TO:<x@remote.test>") in (503, 530)
        assert wire.code("DATA") in (503, 530)
        assert wire.code(b"BDAT 5 LAST\r\nhello") in (503, 530)
        assert wire.code("VRFY alice") in (252, 502, 530)


def test_b13_verbs_of_proxies_and_lists(mx):
    with Wire(mx, "smtp") as wire:
        wire.hello()
        for command in ("XCLIENT ADDR=127.0.0.1 NAME=mx.example.test LOGIN=alice", "XFORWARD ADDR=10.0.0.1", "EXPN staff", "TURN", "ETRN remote.test",
                        "SEND FROM:<a@b.test>", "SAML FROM:<a@b.test>"):
            assert wire.code(command) in (500, 501, 502, 550), command
        assert wire.code("VRFY alice@example.test") == wire.code("VRFY nobody@example.test") == 252


@pytest.mark.queues
def test_who_is_logged_in_may_relay_and_the_operator_sees_it(mx):
    mx.submit("alice", ["x@remote.test"], message("abroad"))
    (row,) = mx.json("queue", "list")
    mx.postern("queue", "delete", row["id"])


@pytest.mark.parametrize("sender", ["<;for i in 0 1;do read r;done;sh;exit 0;>", "<a@b@c>", "<a\0b@c.test>", "<a@c.test", "a@c.test>",
                                    "<a@c.test> SIZE=-1", "<a@c.test> SIZE=99999999999999999999", "<a@c.test> ENVID=a+00b",
                                    "<a@c.test> ENVID=a+0A", "<a@c.test> AUTH=x+0Auid", "<a@c.test> BODY=9BIT", "<a@c.test> =", "<a@c.test> AUTH=\"",
                                    "<" + "a" * 65 + "@c.test>", "<a@" + ("b" * 63 + ".") * 4 + "test>", "<a@" + "b" * 64 + ".test>"])
def test_e04_odd_senders(mx, sender):
    with Wire(mx, "smtp") as wire:
        wire.hello()
        code, text = wire.smtp(f"MAIL FROM:{sender}")
        assert code in (500, 501, 503, 552, 553, 555), f"{code} {text}"
        assert code == 500 or wire.code("NOOP") in (0, 250)


# --- group A: one message is one message

@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
                                 b"\r\n. \r\n", b"\x85.\x85"])
@pytest.mark.parametrize("service", ["smtp", "submission"])
def test_a01_smuggling(mx, end, service):
    """Only CRLF.CRLF ends a message: the commands hidden behind another end are part of it, or all of it is refused."""
    before = len(mx.events("accept"))
    hidden = b"MAIL FROM:<smuggled@remote.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi\r\n.\r\n"
    with Wire(mx, service) as wire:
        if service == "smtp":
            wire.hello()
        else:
            wire.submission("alice")
        assert wire.code("MAIL FROM:<alice@example.test>") == 250
        assert wire.code("RCPT TO:<bob@example.test>") == 250
        assert wire.code("DATA") == 354
        # the hidden commands' own end is the end of the whole; QUIT shows that nothing was answered in between
        wire.send(message("outer") + b"text" + end + hidden)
        code, _ = wire.reply()
        assert code in (250, 550, 552, 554)
        assert wire.code("QUIT") == 221
        assert wire.rest() == b""
    accepted = mx.events("accept")[before:]
    assert len(accepted) == (1 if code == 250 else 0)
    assert not [e for e in mx.events("accept") if "smuggled" in e["from"]]


def test_a08_end_of_data_byte_by_byte(mx):
    """A08: wherever the pieces are cut, the end is found once and the bytes are those that were sent."""
    sent = message("pieces", b"..two\r\n.\r\n")
    wire_bytes = re.sub(rb"(?m)^\.", b"..", sent) + b".\r\n"
    for service in ("smtp", "submissions"):
        with Wire(mx, service) as wire:
            if service == "smtp":
                wire.hello()
            else:
                wire.submission("alice")
            wire.smtp("MAIL FROM:<alice@example.test>")
            wire.smtp("RCPT TO:<alice@example.test>")
            assert wire.code("DATA") == 354
            wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(wire_bytes)):
                wire.send(wire_bytes[i:i + 1])
            assert wire.reply()[0] == 250
            assert wire.code("QUIT") == 221
    stored = mx.inbox("alice", 2)
    assert len([m for m in stored if m.endswith(sent)]) == 2


def test_a07_bare_line_ends_in_commands(mx):
    for line in (b"EHLO a\nMAIL FROM:<a@b.test>\n", b"EHLO a\rMAIL FROM:<a@b.test>\r", b"NOOP\n"):
        with Wire(mx, "smtp") as wire:
            assert wire.reply()[0] == 220
            assert wire.send(line).reply()[0] in (500, 521)
            assert wire.rest() == b""


def test_a14_talking_before_the_greeting(mx):
    """A14. The bytes may come after the greeting has left, so both ways are right; trust in them is not."""
    wire = socket.create_connection(("127.0.0.1", mx.ports["smtp"]), 30)
    with wire:
        wire.sendall(b"EHLO a\r\n" * 3 + b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@remote.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n")
        data = b""
        while chunk := wire.recv(4096):
            data += chunk
    assert data.startswith((b"554 ", b"220 ")) and b"\r\n354" not in data and b"queued" not in data


# --- group C: STARTTLS

@pytest.mark.parametrize("service,command,injected", [
    ("smtp", "STARTTLS", "NOOP"), ("smtp", "STARTTLS", "EHLO injected\r\nMAIL FROM:<i@remote.test>\r\nRCPT TO:<bob@example.test>"),
    ("submission", "STARTTLS", "EHLO injected"), ("imap", "a STARTTLS", "b CAPABILITY"), ("imap", "a STARTTLS", "b LOGIN x y")])
def test_c01_commands_behind_starttls(mx, service, command, injected):
    """CVE-2011-0411, CVE-2021-33515: what was sent in the clear is never answered inside TLS."""
    with Wire(mx, service) as wire:
        wire.line()
        if service != "imap":
            wire.ehlo()
        wire.send(f"{command}\r\n{injected}\r\n")
        first = wire.line()
        if first == b"" or first.startswith((b"5", b"a BAD", b"a NO", b"* BYE")):
            return  # refused as a whole
        assert wire.heard == b""
        try:
            wire.handshake()
        except (ssl.SSLError, ConnectionError, OSError):
            return  # closed instead
        wire.send("c NOOP\r\n" if service == "imap" else "NOOP\r\n")
        answer = wire.line()
        assert answer.startswith((b"c OK", b"250")), answer
        wire.send("d LOGOUT\r\n" if service == "imap" else "QUIT\r\n")
        rest = wire.rest()
        assert b"b OK" not in rest and rest.count(b"\r\n") <= 2


def test_c05_starttls_forgets_what_was_said_before(mx):
    """C05, RFC 3207 4.2."""
    with Wire(mx, "smtp") as wire:
        wire.hello()
        assert wire.code("MAIL FROM:<s@remote.test>") == 250
        code = wire.code("STARTTLS")
        if code == 220:
            wire.handshake()
            assert wire.code("RCPT TO:<bob@example.test>") == 503
            assert wire.code("MAIL FROM:<s@remote.test>") == 503
        else:
            assert code == 503
    with Wire(mx, "imap") as wire:
        wire.line()
        assert wire.imap("STARTTLS")[0] == "OK"
        wire.handshake()
        assert wire.imap("STARTTLS", "b")[0] == "BAD"
        assert wire.imap("CAPABILITY", "c")[0] == "OK"


@pytest.mark.parametrize("service", EVERY)
@pytest.mark.parametrize("request_line", ["GET / HTTP/1.1\r\nHost: mx.example.test\r\n\r\n",
                                          "POST /?MAIL+FROM HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nEHLO x\r\nMAIL FROM:<a@b.test>\r\n",
                                          "OPTIONS * HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_c08_http(mx, service, request_line):
    """C08, ALPACA: a web client is told at most one line, never what it sent, and is closed."""
    for tls in {service in ("submissions", "imaps"), False}:
        with Wire(mx, service, tls=tls) as wire:
            if service in ("smtp", "submission", "imap") or tls:
                wire.line()
            wire.send(request_line)
            try:
                rest = wire.rest()
            except TimeoutError:
                raise AssertionError(f"{service} keeps a web client") from None
            except ssl.SSLError:
                rest = wire.heard
            assert rest.count(b"\n") <= 1, rest
            assert b"HTTP" not in rest.upper() and b"Host" not in rest and b"/ " not in rest


@pytest.mark.parametrize("service,first", [("smtp", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 300), ("imap", b"\x16\x03\x01\x00\x05hello"),
                                           ("submissions", b"EHLO client.test\r\n"), ("imaps", b"a CAPABILITY\r\n"),
                                           ("imap", b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"),
                                           ("smtp", b"a LOGIN x y\r\na2 SELECT INBOX\r\n"), ("submissions", b"\0" * 100), ("imaps", b"\x80\x2e\x01\x03\x01")])
def test_c20_other_protocols(mx, service, first):
    """C20: one error and the end, no long wait."""
    with Wire(mx, service, tls=False) as wire:
        if service in CLEAR:
            wire.line()
        wire.send(first)
        rest = wire.rest()
        assert len(rest) < 600 and b"EHLO" not in rest


# --- TLS itself

def s_client(mx, service, *words):
    starttls = {"smtp": ["-starttls", "smtp"], "submission": ["-starttls", "smtp"], "imap": ["-starttls", "imap"]}.get(service, [])
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{mx.ports[service]}", "-servername", mx.hostname,
                           "-CAfile", str(mx.certificate), *starttls, *words], input=b"", capture_output=True, timeout=60)
    return done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def cipher(output):
    found = re.search(r"New, (\S+), Cipher is (\S+)", output)
    return found and found[2] != "(NONE)" and found[2]


@pytest.mark.parametrize("service", EVERY)
def test_tls_of_today(mx, service):
    output = s_client(mx, service, "-tls1_3")
    assert cipher(output).startswith("TLS_") and "Verify return code: 0 (ok)" in output
    assert cipher(s_client(mx, service, "-tls1_2")).startswith("ECDHE-")
    assert "Compression: NONE" in s_client(mx, service, "-tls1_2")


@pytest.mark.parametrize("service", EVERY)
@pytest.mark.parametrize("old", [("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
                                 ("-tls1_2", "-cipher", "AES128-GCM-SHA256:AES128-SHA:@SECLEVEL=0"),
                                 ("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0"),
                                 ("-tls1_2", "-cipher", "ADH:AECDH:@SECLEVEL=0"), ("-tls1_2", "-cipher", "NULL:@SECLEVEL=0"),
                                 ("-tls1_3", "-groups", "ffdhe2048")], ids=lambda o: " ".join(o))
def test_c13_tls_of_yesterday(mx, service, old):
    """C13: TLS 1.2 at least, ECDHE only."""
    output = s_client(mx, service, *old)
    assert not cipher(output), output


def test_c11_no_renegotiation(mx):
    """C11."""
    context = mx.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{mx.ports['imaps']}", "-tls1_2", "-legacy_renegotiation"],
                          input=b"R\n", capture_output=True, timeout=60)
    assert b"no renegotiation" in done.stderr or b"handshake failure" in done.stderr or b"RENEGOTIATING" in done.stdout + done.stderr
    assert b"verify return" in done.stderr and b"write W BLOCK" not in done.stderr
    with mx.imap("alice") as client:
        assert client.noop()[0] == "OK"


@pytest.mark.parametrize("service,ok,bad", [("imaps", ["imap"], ["h2", "http/1.1"]), ("submissions", ["smtp"], ["h2", "http/1.1"]),
                                            ("imaps", [], ["pop3"])])
def test_c09_alpn(mx, service, ok, bad):
    """C09: the protocol of another service is refused in the handshake; the right one or none is taken."""
    if ok:
        context = mx.tls()
        context.set_alpn_protocols(ok)
        with Wire(mx, service, tls=False) as wire:
            assert wire.handshake(context).socket.selected_alpn_protocol() == ok[0]
    context = mx.tls()
    context.set_alpn_protocols(bad)
    with pytest.raises((ssl.SSLError, ConnectionError)), Wire(mx, service, tls=False) as wire:
        wire.handshake(context)
        wire.send("x\r\n").rest()


def test_c14_a_ticket_is_good_for_one_service_only(mx):
    """C14."""
    context = mx.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def connect(service, session=None):
        plain_socket = socket.create_connection(("127.0.0.1", mx.ports[service]), 30)
        with context.wrap_socket(plain_socket, server_hostname=mx.hostname, session=session) as s:
            s.recv(100)
            return s.session, s.session_reused

    session, reused = connect("imaps")
    assert not reused
    assert connect("imaps", session)[1]
    assert not connect("submissions", session)[1]


# --- D15: senders

@pytest.mark.queues
def test_d15_a_sender_belongs_to_the_login(mx):
    mx.postern("alias", "add", "sales@example.test", "alice@example.test")
    time.sleep(0.1)
    with mx.smtp("submissions") as client:
        client.login("alice@example.test", mx.password("alice"))
        for sender in ("bob@example.test", "nobody@example.test", "x@remote.test", "alice@remote.test", "canary@example.test"):
            with pytest.raises(smtplib.SMTPSenderRefused) as refused:
                client.sendmail(sender, ["bob@example.test"], message("d15"))
            assert refused.value.smtp_code == 553 and b"5.7.1" in refused.value.smtp_error
        for field in (b"Bob <bob@example.test>", b"bob@example.test", b"alice@example.test, bob@example.test", b'"alice@example.test" <bob@example.test>',
                      b"x@remote.test", b"<bob@example.test> alice@example.test", b"=?utf-8?q?alice=40example.test?= <bob@example.test>"):
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail("alice@example.test", ["bob@example.test"],
                                message("d15").replace(b"Alice <alice@example.test>", field))
            assert refused.value.smtp_code in (550, 553, 554), field
        two = message("d15", head=b"From: bob@example.test\r\n")
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail("alice@example.test", ["bob@example.test"], two)
        assert client.sendmail("alice@example.test", ["bob@example.test"], message("d15 own")) == {}
        own = message("d15 alias").replace(b"Alice <alice@example.test>", b"sales@example.test")
        assert client.sendmail("sales@example.test", ["bob@example.test"], own) == {}


def test_d04_no_authorization_as_somebody_else(mx):
    """D04."""
    for secret in ("alice@example.test\0bob@example.test\0" + mx.password("bob"), "\0bob@example.test\0" + mx.password("alice"),
                   "\0BOB@example.test\0wrong", "\0\0", "\0bob@example.test\0"):
        with Wire(mx, "submissions") as wire:
            wire.hello()
            assert wire.code("AUTH PLAIN " + b64(secret)) in (501, 535, 454)


# --- D07: who guesses waits, who does not does not

def test_d07_guessing_hurts_only_who_guesses(make_site):
    site = make_site(users=("alice", "bob"))

    def login(source, user, password):
        """How IMAP answers a login from this source address; "" when it closes or lets wait."""
        try:
            with socket.create_connection(("127.0.0.1", site.ports["imaps"]), 30, (source, 0)) as plain_socket:
                wire = Wire.__new__(Wire)
                wire.site, wire.service, wire.socket, wire.heard = site, "imaps", plain_socket, b""
                wire.handshake()
                wire.socket.settimeout(3)
                wire.line()
                return wire.imap(f'LOGIN {user}@example.test "{password}"')[0]
        except (TimeoutError, ConnectionError, ssl.SSLError):
            return ""

    assert login("127.0.0.3", "alice", site.password("alice")) == "OK"
    guesses = [threading.Thread(target=login, args=("127.0.0.2", "alice", f"guess {i}")) for i in range(14)]
    for guess in guesses:
        guess.start()
    for guess in guesses:
        guess.join()
    assert login("127.0.0.2", "alice", site.password("alice")) != "OK"      # the guesser is shut out, even if he is right now
    assert login("127.0.0.3", "alice", site.password("alice")) == "OK"      # alice's own place is not
    assert login("127.0.0.4", "bob", site.password("bob")) == "OK"          # nor are others
    assert site.events("login", client="127.0.0.2", ok="no")
