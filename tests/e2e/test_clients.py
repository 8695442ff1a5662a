"""Programs that people use, each in a full round trip: a message goes in by one of them and is read by one of them, byte for byte."""
import base64
import imaplib
import os
import smtplib
import time

import pytest

from mail import check_arrived, find, flags_of, lines, message
from postern_site import deadline
from programs import run
from wire import Wire

MX = {"users": ("alice", "bob")}


def arrived(mx, sent, user="bob", seconds=60):
    """Waits until the message is in the user's INBOX, and reads it with another program than the one that sent it."""
    end = deadline(seconds)
    subject = next(l for l in sent.split(b"\r\n") if l.startswith(b"Subject: "))[9:].decode()
    with mx.imap(user) as client:
        while True:
            client.select("INBOX", readonly=True)
            _, data = client.uid("SEARCH", "HEADER", "Subject", f'"{subject}"')
            uids = data[0].split()
            if uids or time.monotonic() > end:
                break
            time.sleep(0.1)
        assert len(uids) == 1, f"{len(uids)} messages with the subject {subject}\n{mx.log_tail()}"
        _, data = client.uid("FETCH", uids[0].decode(), "(BODY.PEEK[])")
    check_arrived(data[0][1], sent)
    return data[0][1]


# --- swaks

@pytest.mark.parametrize("how", [
    ("submission", "-tls", "--auth", "PLAIN"),
    ("submission", "-tls", "--auth", "LOGIN"),
    ("submissions", "-tlsc", "--auth", "PLAIN"),
    ("smtp",),
    ("smtp", "-tls"),
], ids=" ".join)
def test_swaks(mx, how, tmp_path):
    service, *options = how
    sent = message("swaks " + " ".join(how), b".\r\n..\r\nlast\r\n")
    (tmp_path / "message").write_bytes(sent.removesuffix(b"\r\n"))  # swaks puts a line end behind it
    login = ["--auth-user", "alice@example.test", "--auth-password", mx.password("alice")] if "--auth" in options else []
    verify = ["--tls-verify", "--tls-ca-path", mx.certificate, "--tls-sni", mx.hostname] if options else []
    run("swaks", "--server", "127.0.0.1", "--port", mx.ports[service], "--from", "alice@example.test", "--to", "bob@example.test",
        "--helo", "client.test", "--data", f"@{tmp_path}/message", *options, *login, *verify)
    arrived(mx, sent)


# --- curl

def curl(mx, service, *words, **options):
    scheme = {"submission": "smtp", "submissions": "smtps", "imap": "imap", "imaps": "imaps"}[service]
    port = mx.ports[service]
    *words, path = words
    return run("curl", "--silent", "--show-error", "--fail", "--max-time", "60", "--ssl-reqd", "--cacert", mx.certificate,
               "--resolve", f"{mx.hostname}:{port}:127.0.0.1", *words, f"{scheme}://{mx.hostname}:{port}/{path}", **options)


def curl_user(mx, user):
    return "--user", f"{user}@example.test:{mx.password(user)}"


@pytest.mark.parametrize("submit,read", [("submission", "imap"), ("submissions", "imaps")])
@pytest.mark.parametrize("mech", ["PLAIN", "LOGIN"])
def test_curl(mx, submit, read, mech):
    sent = message(f"curl {submit} {mech}", lines(20000))
    curl(mx, submit, *curl_user(mx, "alice"), "--login-options", f"AUTH={mech}", "--mail-from", "alice@example.test",
         "--mail-rcpt", "bob@example.test", "--upload-file", "-", "client.test", stdin=sent)
    listed = curl(mx, read, *curl_user(mx, "bob"), "--login-options", f"AUTH={mech}",
                  "--request", f'SEARCH SUBJECT "curl {submit} {mech}"', "INBOX")
    assert listed.startswith(b"* SEARCH ") or listed.startswith(b"* ESEARCH "), listed
    number = listed.split()[-1].decode()
    check_arrived(curl(mx, read, *curl_user(mx, "bob"), f"INBOX;MAILINDEX={number}"), sent)


def test_curl_appends_what_it_fetches(mx, tmp_path):
    sent = message("curl append", "Grüße\r\n")
    (tmp_path / "message").write_bytes(sent)
    curl(mx, "imaps", *curl_user(mx, "alice"), "--upload-file", tmp_path / "message", "Drafts")
    assert curl(mx, "imaps", *curl_user(mx, "alice"), "Drafts;MAILINDEX=1") == sent
    assert b"\\Drafts" in curl(mx, "imaps", *curl_user(mx, "alice"), "")


# --- msmtp

@pytest.mark.parametrize("service,starttls,auth", [("submission", "on", "plain"), ("submissions", "off", "login"),
                                                   ("submission", "on", "scram-sha-256")])
def test_msmtp(mx, service, starttls, auth, tmp_path):
    rc = tmp_path / "msmtprc"
    rc.write_text(f"account default\nhost 127.0.0.1\nport {mx.ports[service]}\ntls on\ntls_starttls {starttls}\n"
                  f"tls_trust_file {mx.certificate}\ntls_host_override {mx.hostname}\nauth {auth}\nuser alice@example.test\n"
                  f"passwordeval echo {mx.password('alice')}\nfrom alice@example.test\ndomain client.test\n")
    rc.chmod(0o600)
    sent = message(f"msmtp {service} {auth}", b"..two dots\r\n.\r\nGr\xc3\xbc\xc3\x9fe\r\n")
    run("msmtp", "-C", rc, "bob@example.test", stdin=sent.replace(b"\r\n", b"\n"))
    arrived(mx, sent)


def test_large_messages_one_after_the_other(mx):
    """However the bytes of a message are cut on their way, none of them waits for others that do not come."""
    sent = message("many", lines(3_000_000))
    with mx.smtp("submissions") as client:
        client.login("alice@example.test", mx.password("alice"))
        for _ in range(40):
            assert client.sendmail("alice@example.test", ["alice@example.test"], sent) == {}


# --- Python, sizes and shapes

def test_smtplib_and_imaplib(mx):
    sent = message("smtplib", b"hello\r\n")
    assert mx.submit("alice", ["bob"], sent) == {}
    stored = arrived(mx, sent)
    head, _, _ = stored.partition(b"From: Alice")
    assert head.startswith(b"Return-Path: <alice@example.test>\r\nDelivered-To: bob@example.test\r\nReceived: ")
    assert b"ESMTPSA" in head and b"127.0.0.1" not in head
    with mx.imap("bob", service="imap") as client:
        client.select()
        _, data = client.search(None, "SUBJECT", "smtplib")
        number = data[0].decode()
        _, data = client.fetch(number, "(FLAGS RFC822.SIZE BODY[])")
        assert f"RFC822.SIZE {len(stored)} ".encode() in data[0][0] and data[0][1] == stored
        assert client.create("Kept")[0] == "OK"
        assert client.copy(number, "Kept")[0] == "OK"
        client.store(number, "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.select("Kept")
        assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == stored
        assert flags_of(client, "smtplib") == {b"\\Seen"}
        client.select("INBOX")
        assert client.search(None, "SUBJECT", "smtplib")[1] == [b""]


BODIES = {
    "an empty body": b"",
    "one byte and a line end": b"x\r\n",
    "dot lines": b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n",
    "lines of 998": (b"a" * 998 + b"\r\n") * 50,
    "lines of 60000": (b"b" * 60000 + b"\r\n") * 3,
    "only line ends": b"\r\n" * 5000,
    "8-bit": bytes(range(1, 10)) + bytes(range(14, 256)) + b"\r\n",
    "64 KiB": lines(64 << 10),
    "just over 256 KiB": lines((256 << 10) + 17),
    "3 MB": lines(3_000_000),
    "30 MB": lines(30_000_000),
}


@pytest.mark.parametrize("shape", BODIES)
def test_shapes_of_messages(mx, shape):
    sent = message(shape, BODIES[shape])
    mx.submit("alice", ["bob"], sent)
    arrived(mx, sent)


def test_the_same_message_both_ways(mx):
    """What APPEND puts in, FETCH gives out, whatever it is; and so do parts of it."""
    sent = message("append of 8 MB", lines(8_000_000))
    with mx.imap("alice") as client:
        assert client.append("Archive", r"(\Flagged Important)", imaplib.Time2Internaldate(1_700_000_000), sent)[0] == "OK"
        client.select("Archive")
        _, data = client.search(None, "SUBJECT", '"append of 8 MB"')
        number = data[0].decode()
        _, data = client.fetch(number, "(FLAGS INTERNALDATE BODY.PEEK[])")
        assert data[0][1] == sent
        assert imaplib.ParseFlags(data[0][0] + data[-1] if isinstance(data[-1], bytes) else data[0][0]) >= (b"\\Flagged",)
        assert time.mktime(imaplib.Internaldate2tuple(data[0][0] + (data[-1] if isinstance(data[-1], bytes) else b""))) == 1_700_000_000
        _, data = client.fetch(number, "(BODY.PEEK[]<7000000.100000>)")
        assert data[0][1] == sent[7_000_000:7_100_000]


def test_imaplib_lists_after_select(mx):
    """It returns for LIST all LIST lines it has seen, asked for or not."""
    with mx.imap("alice") as client:
        client.select("INBOX")
        assert client.list('""', "nowhere") == ("OK", [None])


def test_smtputf8(mx):
    site_user = "jürgen@example.test"
    mx.add_user(site_user)
    sent = ("From: Jürgen <jürgen@example.test>\r\nTo: Bob <bob@example.test>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
            "Message-ID: <utf8@example.test>\r\nSubject: smtputf8 Ünïcödé 日本\r\n\r\nGrüße\r\n").encode()
    with Wire(mx, "submissions") as wire:
        words = wire.hello()
        assert "SMTPUTF8" in words and "8BITMIME" in words
        secret = f"\0{site_user}\0{mx.password(site_user)}".encode()
        assert wire.code("AUTH PLAIN " + base64.b64encode(secret).decode()) == 235
        assert wire.code("MAIL FROM:<jürgen@example.test> SMTPUTF8 BODY=8BITMIME") == 250
        assert wire.code("RCPT TO:<bob@example.test>") == 250
        assert wire.code("RCPT TO:<jürgen@example.test>") == 250
        assert wire.code("DATA") == 354
        assert wire.code(sent + b".\r\n") == 250
    stored = mx.inbox("bob", 1)
    found = find(stored, sent)
    assert "Return-Path: <jürgen@example.test>".encode() in found and b"UTF8SMTPSA" in found
    with mx.imap() as client:
        client.authenticate("PLAIN", lambda _: secret)
        assert client.select("INBOX")[1] == [b"1"]
        assert client.fetch("1", "(BODY.PEEK[])")[1][0][1].endswith(sent)


@pytest.mark.parametrize("binary", [
    b"x",
    b"Subject: binary\r\n\r\n" + bytes(i for i in range(256)) * 100,
    b"Subject: binary lines\r\n\r\nno end\n\r\r\n.\r\n\n.\n\r\n" + b"\xff\xfe" * 1000,
    b"Subject: binary big\r\n\r\n" + bytes((i * 7919) % 255 + 1 for i in range(100_003)) * 20,
], ids=["1 byte", "all bytes", "line ends", "2 MB without NUL"])
def test_binarymime(mx, binary):
    """RFC 3030: what BDAT carries is stored as it is, dots, bare line ends and all."""
    with Wire(mx, "smtp") as wire:
        assert {"CHUNKING", "BINARYMIME"} <= set(wire.hello())
        assert wire.code("MAIL FROM:<s@remote.test> BODY=BINARYMIME") == 250
        assert wire.code("RCPT TO:<alice@example.test>") == 250
        cut = len(binary) // 3
        assert wire.code(f"BDAT {cut}\r\n".encode() + binary[:cut]) == 250
        wire.send(f"BDAT {cut}\r\n".encode() + binary[cut:2 * cut])  # pipelined
        wire.send(f"BDAT {len(binary) - 2 * cut} LAST\r\n".encode() + binary[2 * cut:])
        assert [wire.reply()[0], wire.reply()[0]] == [250, 250]
    # a NUL cannot be in a literal of IMAP, so the file is looked at
    files = [p.read_bytes() for p in (mx.state / "mail/example.test/alice/Maildir").glob("*/*") if ",S=" in p.name]
    (stored,) = [f for f in files if len(f) < len(binary) + 500 and f.endswith(binary)]
    check_arrived(stored, binary)
    (served,) = [m for m in mx.inbox("alice", 1) if len(m) == len(stored) and m[-20:] == stored[-20:]]
    assert served == stored.replace(b"\0", b"\x80")


def test_bdat_before_the_message_is_whole_is_nothing(mx):
    with Wire(mx, "smtp") as wire:
        wire.hello()
        wire.smtp("MAIL FROM:<s@remote.test>")
        wire.smtp("RCPT TO:<alice@example.test>")
        assert wire.code(b"BDAT 9\r\nSubject: ") == 250
        assert wire.code("RSET") == 250
        assert wire.code(b"BDAT 5 LAST\r\nhello") == 503
        assert wire.code("NOOP") == 250


# --- many recipients

def test_a_hundred_recipients(make_site):
    site = make_site(start=False)
    people = [f"p{i:02}" for i in range(100)]
    script = " && ".join(f'"$0" -c "$1" user add {p}@example.test --password-stdin <"$2"' for p in people)
    (site.dir / "password").write_text("people-secret\n")
    run("sh", "-c", script, os.environ.get("POSTERN", "build/postern"), site.conf, site.dir / "password", env=site.env)
    site.start()
    sent = message("a hundred", lines(9000))
    site.submit("alice", people, sent)
    (deliver,) = {(e["qid"]) for e in site.events("deliver")}
    assert len(site.events("deliver", qid=deliver)) == 100
    for person in people:
        files = list((site.state / "mail/example.test" / person / "Maildir/new").iterdir())
        assert len(files) == 1
        stored = files[0].read_bytes()
        check_arrived(stored, sent)
        assert f"Delivered-To: {person}@example.test\r\n".encode() in stored
        assert sum(line.startswith(b"Delivered-To") for line in stored.splitlines()) == 1


def test_smtplib_reports_who_was_refused(mx):
    with mx.smtp("smtp") as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail("s@remote.test", ["nobody@example.test"], message("to nobody"))
        assert refused.value.recipients["nobody@example.test"][0] == 550
        assert set(client.sendmail("s@remote.test", ["nobody@example.test", "bob@example.test"], message("to some"))) == {
            "nobody@example.test"}
