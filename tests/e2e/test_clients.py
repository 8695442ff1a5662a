"""Programs that people use, each in a full round trip: a message goes in by one of them and is read by one of them, byte for byte."""
import base64
import email
import email.policy
import imaplib
import os
import pty
import re
import select
import smtplib
import subprocess
import time

import pytest

from mail import check_arrived, digest, find, lines, message
from postern_site import deadline
from wire import Wire

MX = {"users": ("alice", "bob")}


def run(*words, stdin=b"", env=None, check=True, timeout=120):
    done = subprocess.run([str(w) for w in words], input=stdin, capture_output=True, timeout=timeout, env={**os.environ, **(env or {})})
    assert not check or done.returncode == 0, f"{words[0]}: status {done.returncode}\n{done.stdout[-4000:]!r}\n{done.stderr[-4000:]!r}"
    return done.stdout


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


# --- mbsync

class Mbsync:
    """Two-way synchronisation of a user's mailboxes with a Maildir of the client."""

    def __init__(self, mx, user, directory):
        self.mx, self.dir = mx, directory
        self.rc = directory / "mbsyncrc"
        (directory / "mail").mkdir()
        self.rc.write_text(
            f"IMAPAccount mx\nHost 127.0.0.1\nPort {mx.ports['imaps']}\nUser {user}@example.test\nPass {mx.password(user)}\n"
            f"SSLType IMAPS\nCertificateFile {mx.certificate}\n\nIMAPStore far\nAccount mx\n\n"
            f"MaildirStore near\nPath {directory}/mail/\nInbox {directory}/mail/INBOX\nSubFolders Verbatim\n\n"
            "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSync All\nSyncState *\n")

    def sync(self):
        run("mbsync", "-c", self.rc, "-a", env={"HOME": str(self.dir)})

    def files(self, mailbox="INBOX"):
        """What is in a mailbox, without the field by which mbsync finds again what it stored."""
        return {re.sub(rb"(?m)^X-TUID: .*\n", b"", p.read_bytes()): p
                for sub in ("new", "cur") for p in (self.dir / "mail" / mailbox / sub).iterdir()}


def flags_of(client, subject):
    _, data = client.search(None, "SUBJECT", f'"{subject}"')
    if not data[0]:
        return None
    assert len(data[0].split()) == 1
    _, data = client.fetch(data[0].decode(), "(FLAGS)")
    return set(imaplib.ParseFlags(data[0])) - {b"\\Recent"}


def test_mbsync_two_way(make_site, tmp_path):
    site = make_site()
    sent = [message(f"down {i}", f"number {i}\r\n".encode() * (1 + i * 1000)) for i in range(5)]
    for one in sent:
        site.submit("alice", ["bob"], one)
    site.inbox("bob", len(sent))
    near = Mbsync(site, "bob", tmp_path)
    near.sync()
    files = near.files()                                                       # new mail came down
    crlf = {data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for data in files}
    for one in sent:
        find(list(crlf), one)

    for data, path in files.items():                                           # flags and a deletion go up
        if b"Subject: down 0" in data:
            path.rename(path.parent.parent / "cur" / (path.name.split(":")[0] + ":2,FS"))
        if b"Subject: down 1" in data:
            path.unlink()
    up = message("up", b"written here\r\n")                                    # and a new message
    near_cur = tmp_path / "mail/INBOX/cur"
    (near_cur / "1700000000.M1P1.client:2,S").write_bytes(up.replace(b"\r\n", b"\n"))
    near.sync()
    with site.imap("bob") as client:
        client.select("INBOX")
        assert flags_of(client, "down 0") == {b"\\Flagged", b"\\Seen"}
        assert flags_of(client, "down 1") is None
        assert flags_of(client, "up") == {b"\\Seen"}
        _, data = client.search(None, "SUBJECT", "up")
        _, data = client.fetch(data[0].decode(), "(BODY.PEEK[] INTERNALDATE)")
        assert re.sub(rb"(?m)^X-TUID: .*\n", b"", data[0][1]) == up

        _, data = client.search(None, "SUBJECT", '"down 2"')                   # the server's side changes, too
        client.store(data[0].decode(), "+FLAGS", r"(\Answered)")
        _, data = client.search(None, "SUBJECT", '"down 3"')
        client.store(data[0].decode(), "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.append("Archive", "", None, message("archived"))
    site.submit("alice", ["bob"], message("down 9"))
    near.sync()
    subjects = {line.split(b": ")[1]: path for data, path in near.files().items() for line in data.split(b"\n")
                if line.startswith(b"Subject: ")}
    assert set(subjects) == {b"down 0", b"down 2", b"down 4", b"down 9", b"up"}
    assert "R" in subjects[b"down 2"].name.split(":2,")[1]
    assert len(near.files("Archive")) == 1
    near.sync()                                                                # nothing is left to do
    with site.imap("bob") as client:
        assert client.select("INBOX")[1] == [b"5"]


# --- neomutt

def neomutt(site, directory, *words):
    """The command for alice's neomutt."""
    rc = directory / "muttrc"
    # it takes the strongest mechanism that is offered, but cannot bind to the channel of TLS 1.3 as SCRAM-SHA-256-PLUS wants
    rc.write_text(
        'set from = "alice@example.test"\nset realname = "Alice"\nset use_from = yes\nset envelope_from = yes\n'
        f'set smtp_url = "smtp://alice@example.test@127.0.0.1:{site.ports["submission"]}/"\nset smtp_pass = "{site.password("alice")}"\n'
        f'set imap_user = "alice@example.test"\nset imap_pass = "{site.password("alice")}"\nset ssl_force_tls = yes\n'
        f'set certificate_file = "{site.certificate}"\nset ssl_verify_host = no\n'
        'set smtp_authenticators = "plain"\nset imap_authenticators = "plain"\nset mark_old = no\n'
        f'set folder = "{directory}"\nset spoolfile = "{directory}/spool"\nset record = "{directory}/sent"\nset header_cache = ""\n'
        'set charset = utf-8\nset send_charset = "utf-8"\nset hostname = "client.test"\nset user_agent = no\n'
        'set wait_key = no\nset confirm_append = no\nset confirm_create = no\nset pipe_decode = no\nset quit = yes\nset abort_key = "<f9>"\n')
    return ["neomutt", "-n", "-F", str(rc), *words]


def in_terminal(words, env, seconds=20):
    """Runs a program for the screen; what it painted."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(words[0], words, {**os.environ, **env})
    painted, end = b"", deadline(seconds)
    while True:
        ready, _, _ = select.select([master], [], [], max(0, end - time.monotonic()))
        try:
            data = os.read(master, 65536) if ready else b""
        except OSError:  # the other end of the terminal is closed
            data = b""
        painted += data
        if not data:
            break
    if not ready:
        os.kill(pid, 9)
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"{words[0]} ended with {status}\n{painted[-3000:]!r}"
    return painted


def test_neomutt_sends_and_reads(make_site, tmp_path):
    site = make_site()
    env = {"HOME": str(tmp_path), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    run(*neomutt(site, tmp_path, "-s", "neomutt grüßt", "bob@example.test", "alice@example.test"),
        stdin="Grüße\n.\nFrom here\n".encode(), env=env)
    (stored,) = site.inbox("bob", 1)
    body = email.message_from_bytes(stored, policy=email.policy.default)
    assert body["Subject"] == "neomutt grüßt" and body.get_content() == "Grüße\r\n.\r\nFrom here\r\n"

    inbox = f"imaps://127.0.0.1:{site.ports['imaps']}/"
    read = tmp_path / "read"
    in_terminal(neomutt(site, tmp_path, "-f", f"{inbox}INBOX", "-e",
                        f"push '<pipe-message>cat >{read}<enter><flag-message><copy-message>{inbox}Archive<enter><quit>'"), env)
    (mine,) = site.inbox("alice", 1)
    assert read.read_bytes() == mine.replace(b"\r\n", b"\n")
    with site.imap("alice") as client:
        client.select("INBOX")
        assert flags_of(client, "neomutt") >= {b"\\Flagged"}
        client.select("Archive")
        assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == mine


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
