"""The server as a whole, as the operator runs it: start, stop, reload, certificates, limits, and every command against a running server."""
import ctypes
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from mail import check_arrived, lines, message
from postern_site import CHEAP_HASHES, NOWHERE
from wire import Wire

NOBODY = 65534
CLONE_NEWNET = 0x40000000


def size_offered(wire):
    return next(int(word.split()[1]) for word in wire.ehlo() if word.startswith("SIZE "))


# --- reload

def test_k13_delivery_after_reloads(make_site):
    """What roles keep of a configuration does not go with it."""
    site = make_site()
    for i in range(3):
        site.write_conf(extra=site.extra + f"\nlimits {{ message_size = {i + 1}M }}")
        site.reload()
        site.submit("alice", ["bob"], f"From: alice@example.test\r\nSubject: {i}\r\n\r\nx\r\n")
        site.extra = CHEAP_HASHES
    assert len(site.inbox("bob", 3)) == 3
    names = [p.name for p in (site.state / "mail/example.test/bob/Maildir").glob("*/*.M*")]
    assert len(names) == 3 and all(f".{site.hostname},S=" in name for name in names), names


def test_reload_is_for_new_connections(make_site):
    site = make_site()
    with Wire(site, "smtp") as old, site.imap("alice") as mailbox:
        old.hello()
        mailbox.select("INBOX")
        site.write_conf(extra=site.extra + "\nlimits { message_size = 1M }")
        line = site.reload()
        assert line["level"] == "info", line
        with Wire(site, "smtp") as new:
            assert new.reply()[0] == 220
            site.wait_for(lambda: size_offered(new) == 1 << 20 or Wire(site, "smtp").hello() is None, 10, "the new size limit")
            assert new.code("MAIL FROM:<s@remote.test> SIZE=2000000") == 552
        assert size_offered(old) == 50 << 20
        assert old.code("MAIL FROM:<s@remote.test> SIZE=2000000") == 250
        assert old.code("RCPT TO:<alice@example.test>") == 250
        assert old.code("DATA") == 354
        assert old.code(message("by the old rules", lines(1_500_000)).replace(b"\r\n.", b"\r\n..") + b".\r\n") == 250
        site.wait_for(lambda: mailbox.noop()[0] == "OK" and mailbox.response("EXISTS")[1][-1] == b"1", 10, "the old session to see the mail")
    assert site.postern("reload").returncode == 0


def test_k13_reload_of_a_broken_file_changes_nothing(make_site):
    site = make_site()
    good = site.conf.read_text()
    number = good.count("\n") + 1
    for bad, why in (("limits { message_size = lots }", "message_size"), ("nonsense = 1", "nonsense"), ("limits {", ""),
                     ('tls { certificate = "/nowhere.pem" key = "/nowhere.key" }', "nowhere")):
        site.conf.write_text(good + bad + "\n")
        line = site.reload()
        assert line["level"] == "error", line
        assert f"{site.conf}:{number}: " in line["why"] and why in line["why"], line
        done = site.postern("reload", check=False)
        assert done.returncode == 1 and f"{site.conf}:{number}: " in done.stderr and done.stderr.count("\n") == 1
    site.conf.write_text(good + "store { processes = 7 }\n")  # right, but nothing that a running server could change
    assert "restart" in site.reload()["why"]
    site.conf.write_text(good)
    site.submit("alice", ["bob"], message("still here"))
    assert len(site.inbox("bob", 1)) == 1
    assert site.reload()["level"] == "info"


# --- certificates

def make_certificate(directory, name, host="mx.example.test"):
    pem, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", pem], check=True, capture_output=True)
    return pem.read_bytes(), key.read_bytes()


def served(site, service="imaps", name=None):
    """The certificate that the server shows, as PEM."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", site.ports[service]), 30) as plain, \
            context.wrap_socket(plain, server_hostname=name or site.hostname) as tls:
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True)).encode()


def test_c18_certificates_change_while_sessions_run(make_site, tmp_path):
    first, second, other = (make_certificate(tmp_path, name) for name in ("first", "second", "other"))
    named = make_certificate(tmp_path, "named", "mail.other.test")
    site = make_site(start=False)
    pem, key = site.dir / "live.pem", site.dir / "live.key"

    def install(certificate, private):
        pem.write_bytes(certificate)
        key.write_bytes(private)
        key.chmod(0o600)

    install(*first)
    site.certificate = pem
    site.write_conf(extra=site.extra + f'\ntls {{ certificate = "{pem}" key = "{key}"\n server_name "mail.other.test" '
                    f'{{ certificate = "{tmp_path}/named.pem" key = "{tmp_path}/named.key" }} }}')
    site.start()
    assert served(site) == served(site, "submissions") == first[0]
    assert served(site, name="mail.other.test") == named[0]
    with site.imap("alice") as old:
        old.select("INBOX")
        install(*second)
        assert site.reload()["level"] == "info"
        site.wait_for(lambda: served(site) == served(site, "submissions") == second[0], 20, "the new certificate")
        assert old.noop()[0] == "OK"
        install(second[0], other[1])                       # does not fit: the old pair stays, and it is said
        site.reload()
        site.wait_for(lambda: [e for e in site.events("keys") if e["level"] == "error"], 20, "a word about the key that does not fit")
        assert served(site) == second[0]
        install(second[0][:len(second[0]) // 2], second[1])  # half a file
        errors = len([e for e in site.events("keys") if e["level"] == "error"])
        site.reload()
        site.wait_for(lambda: len([e for e in site.events("keys") if e["level"] == "error"]) > errors or
                      site.events("reload")[-1]["level"] == "error", 20, "a word about half a file")
        assert served(site) == second[0]
        assert old.noop()[0] == "OK"
    assert not site.events("tls", ok="no")


# --- stopping

def test_sigterm_drains(make_site):
    site = make_site()
    sent = message("to the end")
    with Wire(site, "smtp") as idle, Wire(site, "smtp") as busy, Wire(site, "imaps") as mailbox, Wire(site, "imap") as stranger:
        idle.hello()
        stranger.line()
        busy.hello()
        busy.smtp("MAIL FROM:<s@remote.test>")
        busy.smtp("RCPT TO:<bob@example.test>")
        assert busy.code("DATA") == 354
        busy.send(sent[:40])
        mailbox.line()
        assert mailbox.imap(f'LOGIN alice@example.test "{site.password("alice")}"')[0] == "OK"
        assert mailbox.imap("SELECT INBOX")[0] == "OK"
        site.process.send_signal(signal.SIGTERM)
        assert idle.reply()[0] == 421
        assert idle.rest() == b""
        assert mailbox.line().startswith(b"* BYE ")
        assert stranger.line().startswith(b"* BYE ")
        assert busy.code(sent[40:] + b".\r\n") == 250   # the command under way is finished
        assert busy.reply()[0] == 421
    assert site.process.wait(20) == 0
    site.process = None
    with pytest.raises(ConnectionRefusedError):
        Wire(site, "smtp")
    site.start()
    (stored,) = site.inbox("bob", 1)
    check_arrived(stored, sent)


def test_stop_and_start_keep_everything(make_site):
    site = make_site(extra=CHEAP_HASHES + NOWHERE)
    site.postern("alias", "add", "sales@example.test", "alice@example.test")
    site.postern("domain", "add", "second.test")
    for i in range(3):
        site.submit("alice", ["bob"], message(f"kept {i}"))
    site.submit("alice", ["x@remote.test"], message("waiting"))
    site.inbox("bob", 3)

    def picture():
        with site.imap("bob") as client:
            client.select("INBOX", readonly=True)
            validity = client.response("UIDVALIDITY")[1]
            rows = client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")[1]
            folders = sorted(client.list()[1])
        waiting = [(m["id"], m["sender"], [r["address"] for r in m["recipients"]]) for m in site.json("queue", "list")]
        return validity, rows, folders, waiting, site.json("alias", "list"), site.json("domain", "list"), site.json("user", "list")

    with site.imap("bob") as client:
        client.select("INBOX")
        client.uid("STORE", "2", "+FLAGS", r"(\Flagged $Work)")
        client.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.create("Projects/2026")
    before = picture()
    assert before[3] and len(before[2]) > 5
    assert site.postern("stop").returncode == 0
    site.process.wait(10)
    site.process = None
    site.start()
    assert picture() == before


def test_k22_a_second_server_on_the_same_state_is_refused(make_site):
    site = make_site()
    done = site.postern("serve", check=False)
    assert done.returncode == 1 and "another postern runs on" in done.stderr
    assert site.json("status")["healthy"] is True


def test_a_port_in_use_is_told(make_site):
    site = make_site(start=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", site.ports["imap"]))
        taken.listen()
        done = site.postern("serve", check=False)
    assert done.returncode == 1
    assert str(site.ports["imap"]) in done.stderr and "in use" in done.stderr


# --- ways to be started

def children(pid):
    return [int(c) for task in Path(f"/proc/{pid}/task").glob("*/children") for c in task.read_text().split()]


def round_trip(site):
    sent = message("round trip")
    site.submit("alice", ["bob"], sent)
    stored = site.inbox("bob", 1)
    check_arrived(stored[-1], sent)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_as_the_first_process_of_a_container(make_site):
    site = make_site(start=False)
    site.start(wrapper=("unshare", "--pid", "--fork", "--kill-child"))
    (first,) = children(site.process.pid)
    status = Path(f"/proc/{first}/status").read_text()
    assert re.search(r"NSpid:\s+\d+\s+1\n", status)
    round_trip(site)
    subprocess.run(["nsenter", "-t", str(first), "-p", "sh", "-c", "(sleep 0.1 &) ; exit 0"], check=True)  # an orphan to take care of
    os.kill(first, signal.SIGTERM)
    assert site.process.wait(20) == 0
    site.process = None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_as_a_user_without_rights(make_site, tmp_path_factory):
    shared = tmp_path_factory.mktemp("program")
    for path in (shared, *list(shared.parents)[:2]):
        path.chmod(0o755)
    program = Path(shutil.copy(os.environ.get("POSTERN", "build/postern"), shared))
    site = make_site(before=("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"), owner=NOBODY, program=program)
    round_trip(site)
    assert {os.stat(f"/proc/{pid}").st_uid for _, _, pid in site.processes()} <= {NOBODY, 0}
    assert all(re.search(rf"Uid:\s+{NOBODY}\s+{NOBODY}\s", Path(f"/proc/{pid}/status").read_text()) for _, _, pid in site.processes())
    assert site.json("status")["healthy"] is True
    site.postern("stop")
    assert site.process.wait(20) == 0
    site.process = None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_as_root_nobody_keeps_rights(make_site):
    """Each role runs under a uid of its own kind, cannot gain rights, and sees no more of the file system than it needs."""
    site = make_site()
    uids = {}
    for role, index, pid in site.processes():
        status = Path(f"/proc/{pid}/status").read_text()
        uids[role] = int(re.search(r"Uid:\s+(\d+)", status)[1])
        assert uids[role] != 0, role
        assert "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status
        assert os.readlink(f"/proc/{pid}/root") != "/", role
    assert len({uids[r] for r in ("log", "keys", "dns", "auth", "queue", "store", "smtp")}) == 7


# --- status and other commands

MX = {"users": ("alice", "bob"), "extra": CHEAP_HASHES + NOWHERE}


def test_status(mx):
    status = mx.json("status")
    assert status["healthy"] is True and status["hostname"] == mx.hostname
    assert {p["role"] for p in status["processes"]} == {"log", "keys", "dns", "fetch", "auth", "smtp", "imap", "queue", "relay", "store"}
    assert all(p["ready"] for p in status["processes"])
    assert mx.postern("status", "--health").returncode == 0
    assert mx.hostname in mx.postern("status").stdout


def test_accounts_while_the_server_runs(mx):
    mx.add_user("carol")
    mx.submit("carol", ["carol"], message("first").replace(b"alice@", b"carol@"))
    assert len(mx.inbox("carol", 1)) == 1
    assert mx.postern("user", "check", "carol@example.test", "--password-stdin", stdin=mx.password("carol") + "\n").returncode == 0
    mx.postern("user", "passwd", "carol@example.test", "--password-stdin", stdin="another one\n")
    with pytest.raises(Exception, match="AUTHENTICATIONFAILED"):
        mx.imap("carol")
    mx.postern("user", "disable", "carol@example.test")
    assert mx.postern("user", "check", "carol@example.test", "--password-stdin", stdin="another one\n", check=False).returncode == 1
    mx.postern("user", "enable", "carol@example.test")
    mx.postern("alias", "add", "info@example.test", "carol@example.test", "bob@example.test")
    mx.postern("domain", "add", "bücher.test")
    mx.postern("alias", "add", "@bücher.test", "bob@example.test")
    explained = mx.json("explain", "info@example.test")
    assert explained["verdict"] == "take" and {t["address"] for t in explained["targets"]} == {"carol@example.test", "bob@example.test"}
    assert mx.json("explain", "wer@xn--bcher-kva.test")["targets"][0]["address"] == "bob@example.test"
    assert mx.json("explain", "nobody@example.test")["code"] == 550
    with Wire(mx, "smtp") as wire:
        wire.hello()
        wire.smtp("MAIL FROM:<s@remote.test>")
        assert [wire.code(f"RCPT TO:<{a}>") for a in ("info@example.test", "x@xn--bcher-kva.test", "postmaster@example.test", "abuse@example.test",
                                                      "Alice+tag@EXAMPLE.test", "nobody@example.test")] == [250, 250, 250, 250, 250, 550]
    mx.postern("user", "del", "carol@example.test")
    assert mx.json("explain", "carol@example.test")["code"] == 550
    mx.postern("alias", "del", "info@example.test")
    assert [u["address"] for u in mx.json("user", "list")] == ["alice@example.test", "bob@example.test"]


def test_the_queue(mx):
    sent = message("for elsewhere", "Grüße\r\n")
    mx.submit("alice", ["x@remote.test", "y@other.test", "bob@example.test"], sent)
    mx.inbox("bob", 1)
    (row,) = mx.json("queue", "list")
    assert row["sender"] == "alice@example.test" and {r["address"] for r in row["recipients"]} == {"x@remote.test", "y@other.test"}
    assert row["id"] in mx.postern("queue", "list").stdout
    shown = mx.postern("queue", "show", row["id"]).stdout
    assert "Subject: for elsewhere" in shown and "x@remote.test" in shown

    def states():
        return {r["address"]: r["state"] for m in mx.json("queue", "list") for r in m["recipients"]}

    mx.postern("queue", "hold", row["id"])
    assert set(states().values()) == {"held"}
    mx.postern("queue", "release", "--to", "remote.test")
    assert states() == {"x@remote.test": "waiting", "y@other.test": "held"}
    mx.postern("queue", "delete", "--to", "other.test")
    assert states() == {"x@remote.test": "waiting"}
    mailq = subprocess.run(["mailq"], executable=mx.program, env={**mx.env, "POSTERN_CONF": str(mx.conf)}, capture_output=True, text=True, timeout=60)
    assert mailq.returncode == 0 and row["id"] in mailq.stdout and "x@remote.test" in mailq.stdout
    mx.postern("queue", "delete", "--all")
    assert mx.json("queue", "list") == []
    assert mx.postern("queue", "show", row["id"], check=False).returncode == 1


def test_the_store(mx):
    mx.submit("alice", ["alice"], message("for the store"))
    mx.inbox("alice", 1)
    assert mx.json("store", "check", "alice@example.test")["problems"] == 0
    folders = {f["name"]: f for f in mx.json("mailbox", "list", "alice@example.test")}
    assert folders["INBOX"]["messages"] >= 1 and {"Sent", "Drafts", "Junk", "Trash", "Archive"} <= set(folders)
    stat = mx.json("store", "stat", "alice@example.test")
    assert stat["messages"] >= 1 and stat["bytes"] > 0
    with mx.imap("alice") as client:
        client.select("INBOX")
        client.uid("STORE", "1", "+FLAGS", "($Label)")
        before = client.uid("FETCH", "1:*", "(UID FLAGS)")[1], client.response("UIDVALIDITY")[1]
    mx.postern("store", "rebuild", "alice@example.test")
    with mx.imap("alice") as client:
        client.select("INBOX")
        assert (client.uid("FETCH", "1:*", "(UID FLAGS)")[1], client.response("UIDVALIDITY")[1]) == before
    assert mx.postern("store", "check", "nobody@example.test", check=False).returncode != 0


def test_mailbox_list_counts_what_nobody_has_looked_at(make_site):
    site = make_site()
    site.submit("alice", ["bob"], message("unseen"))
    inbox = {f["name"]: f for f in site.json("mailbox", "list", "bob@example.test")}["INBOX"]
    assert (inbox["messages"], inbox["unseen"], inbox["uidnext"]) == (1, 1, 2)
    site.submit("alice", ["bob"], message("unseen, too"))
    site.stop()
    inbox = {f["name"]: f for f in site.json("mailbox", "list", "bob@example.test")}["INBOX"]
    assert inbox["messages"] == 2


def sendmail(site, *words, stdin, before=(), program=None):
    return subprocess.run([*before, program or site.program, "sendmail", *words], input=stdin, capture_output=True, timeout=60,
                          env={**site.env, "POSTERN_CONF": str(site.conf)})


def test_sendmail(mx):
    done = sendmail(mx, "-t", "-i", "-f", "alice@example.test",
                    stdin=b"From: alice@example.test\nTo: bob@example.test\nBcc: x@remote.test\nSubject: from a program\n\n.\n8-bit: \xc3\xbc\n")
    assert done.returncode == 0, done.stderr
    (stored,) = [m for m in mx.inbox("bob", 1) if b"from a program" in m]
    assert stored.endswith(b"\r\n\r\n.\r\n8-bit: \xc3\xbc\r\n")
    assert b"Bcc" not in stored and b"Message-ID: " in stored and b"\r\nDate: " in stored
    (row,) = mx.json("queue", "list")
    assert [r["address"] for r in row["recipients"]] == ["x@remote.test"]
    mx.postern("queue", "delete", row["id"])
    if os.geteuid() == 0:  # anybody on the box may send, and cannot but be known by his number
        done = sendmail(mx, "bob@example.test", stdin=b"From: n@example.test\nSubject: from nobody\n\nx\n", program=shutil.copy(mx.program, mx.dir),
                        before=("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"))
        assert done.returncode == 0, done.stderr
        (stored,) = [m for m in mx.inbox("bob", 1) if b"Subject: from nobody" in m]
        assert str(NOBODY).encode() in stored.split(b"Subject:")[0]
    refused = sendmail(mx, "-f", "alice@example.test", "nobody@example.test", stdin=b"Subject: x\n\nx\n")
    assert refused.returncode != 0 and b"550" in refused.stderr


# --- quota and limits

def test_quota_is_answered_in_the_session(make_site):
    site = make_site()
    site.add_user("small", "--quota", "1M")
    with Wire(site, "smtp") as wire:
        wire.hello()
        assert wire.code("MAIL FROM:<s@remote.test> SIZE=2000000") == 250
        code, text = wire.smtp("RCPT TO:<small@example.test>")
        assert code in (452, 552) and ("2.2" in text or "3.4" in text), text
        assert wire.code("RCPT TO:<bob@example.test>") == 250
    for i in range(3):
        with Wire(site, "smtp") as wire:
            wire.hello()
            wire.smtp("MAIL FROM:<s@remote.test>")
            if wire.code("RCPT TO:<small@example.test>") != 250:
                break
            assert wire.code("DATA") == 354
            wire.smtp(message(f"filling {i}", b"x" * 998 + b"\r\n") + (b"y" * 998 + b"\r\n") * 500 + b".\r\n")

    def full():
        with Wire(site, "smtp") as wire:
            wire.hello()
            wire.smtp("MAIL FROM:<s@remote.test>")
            return wire.code("RCPT TO:<small@example.test>") in (452, 552)

    site.wait_for(full, 20, "the mailbox to be full")
    with site.imap("small") as client:
        status, words = client.append("INBOX", "", None, message("too much", b"z" * 700_000 + b"\r\n"))
        assert status == "NO" and b"OVERQUOTA" in words[0]
        client.select("INBOX")
        client.store("1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()
    site.wait_for(lambda: not full(), 20, "room again after the expunge")


def in_own_network(work):
    """Does the work in a network of its own, whose loopback also has addresses that look like those of strangers."""
    failure = []

    def body():
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:  # of this thread and what it starts
                raise OSError(ctypes.get_errno(), "unshare")
            for words in (("link", "set", "lo", "up"), ("addr", "add", "192.0.2.7/32", "dev", "lo"), ("addr", "add", "192.0.2.8/32", "dev", "lo")):
                subprocess.run(["ip", *words], check=True)
            work()
        except BaseException as e:  # pytest.fail is one
            failure.append(e)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a network")
def test_connections_of_one_source(make_site):
    """This machine itself is not limited, so the clients have to look like strangers."""
    def greeted(site, source, service="smtp"):
        s = socket.create_connection(("127.0.0.1", site.ports[service]), 30, (source, 0))
        return s, s.recv(200)

    def work():
        site = make_site(extra=CHEAP_HASHES + "limits { connections_per_source = 4 }\nsmtp { processes = 1 }")
        held = [greeted(site, "192.0.2.7") for _ in range(6)]
        assert [words[:3] for _, words in held] == [b"220"] * 4 + [b"421"] * 2
        assert greeted(site, "192.0.2.8")[1].startswith(b"220")
        assert greeted(site, "192.0.2.7", "imap")[1].startswith(b"* OK")
        for s, _ in held:
            s.close()
        site.wait_for(lambda: greeted(site, "192.0.2.7")[1].startswith(b"220"), 20, "room for the source again")
        assert [e for e in site.events() if e.get("client") == "192.0.2.7" and "connections" in e.get("why", "")]
        site.end_well()

    in_own_network(work)


def test_sessions_of_one_user(make_site):
    site = make_site(extra=CHEAP_HASHES + "limits { sessions_per_user = 2 }")
    held = [site.imap("alice"), site.imap("alice")]
    with Wire(site, "imaps") as wire:
        wire.line()
        assert wire.imap(f'LOGIN alice@example.test "{site.password("alice")}"')[1][-1].startswith("* BYE [LIMIT] ")
    site.imap("bob").logout()
    (line,) = site.events("refuse", user="alice@example.test", client="127.0.0.1")
    assert line["sid"] and "sessions" in line["why"]
    for client in held:
        client.logout()
    site.wait_for(lambda: site.json("session", "list") == [], 10, "the sessions to be over")
    site.imap("alice").logout()


def test_i22_wrong_commands_end_a_session(make_site):
    site = make_site(extra=CHEAP_HASHES + "limits { errors = 3 }")
    with Wire(site, "smtp") as wire:
        wire.hello()
        codes = [wire.code("WRONG") for _ in range(4)]
    assert 421 in codes or 0 in codes


def test_idle_hears_of_new_mail(mx):
    with Wire(mx, "imaps") as wire:
        wire.line()
        wire.imap(f'LOGIN bob@example.test "{mx.password("bob")}"')
        _, words = wire.imap("SELECT INBOX")
        exists = next(int(w.split()[1]) for w in words if w.endswith(" EXISTS"))
        wire.send("i IDLE\r\n")
        assert wire.line().startswith(b"+")
        mx.submit("alice", ["bob"], message("wake up"))
        line = wire.line()
        while not line.endswith(b" EXISTS"):
            line = wire.line()
        assert int(line.split()[1]) == exists + 1
        wire.send("DONE\r\n")
        while not line.startswith(b"i OK"):
            line = wire.line()
            assert line
