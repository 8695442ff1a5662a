"""The command line against a running server: each owner answers on his socket, and the local submission socket takes mail."""
import json
import os
import shutil
import subprocess
import time

import pytest

from command import POSTERN, postern
from postern_site import NOWHERE, SERVICES, deadline, free_ports


def wait_for(condition, what, seconds=20):
    end = deadline(seconds)
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


@pytest.fixture
def server(site):
    """The site, with a server that runs on it and an account."""
    places = "\n".join(f'{s} = "127.0.0.1:{p}"' for s, p in zip(SERVICES, free_ports(len(SERVICES))))
    site.write_text(site.read_text() + "listen {\n" + places + "\n}\n" + NOWHERE)
    assert postern("user", "add", "bob@example.test", "--password-stdin", conf=site, stdin="a good password\n")[0] == 0
    log = site.parent / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen([POSTERN, "-c", str(site), "serve"], stdout=out, stderr=out)
    try:
        wait_for(lambda: process.poll() is not None or "event=ready" in log.read_text(), "the server")
        assert process.poll() is None, log.read_text()
        yield site
    finally:
        process.terminate()
        process.wait(60)
        print(log.read_text())


def asked(site, *words):
    status, out, err = postern(*words, "--json", conf=site)
    assert (status, err) == (0, ""), err
    return json.loads(out)


def test_status_reload_stop(server):
    state = asked(server, "status")
    assert state["healthy"]
    assert {p["role"] for p in state["processes"]} == {"log", "keys", "dns", "fetch", "auth", "store", "relay", "queue", "smtp", "imap"}
    assert postern("status", "--health", conf=server) == (0, "", "")
    shown = postern("status", conf=server)[1]
    assert "healthy   yes" in shown and "draining" not in shown and "ROLE" in shown
    assert postern("reload", conf=server) == (0, "", "")
    right = server.read_text()
    server.write_text(right + "nonsense = 1\n")
    assert postern("reload", conf=server)[0] == 1
    server.write_text(right)
    server.write_text(right.replace("/state", "/other"))
    assert postern("status", conf=server)[0] == 75
    server.write_text(right)
    assert postern("stop", conf=server) == (0, "", "")
    assert postern("status", "--health", conf=server)[0] == 1
    assert postern("stop", conf=server)[0] == 75


def test_accounts_are_asked_of_the_server(server):
    assert postern("user", "add", "alice@example.test", "--password-stdin", conf=server, stdin="a good password\n")[0] == 0
    assert [u["address"] for u in asked(server, "user", "list")] == ["alice@example.test", "bob@example.test"]
    assert asked(server, "user", "show", "bob@example.test")["used"] == 0
    assert postern("user", "check", "alice@example.test", "--password-stdin", conf=server, stdin="a good password\n")[0] == 0
    assert postern("user", "check", "alice@example.test", "--password-stdin", conf=server, stdin="a bad password\n")[0] == 1
    for i in range(120):
        targets = [f"{'t' * 40}{j}@remote.test" for j in range(20)]
        assert postern("alias", "add", f"a{i:03}@example.test", *targets, conf=server)[0] == 0
    assert [a["alias"] for a in asked(server, "alias", "list")] == [f"a{i:03}@example.test" for i in range(120)]
    status, out, err = postern("domain", "del", "example.test", conf=server)
    assert status == 1 and f"{server}:2" in err


def test_mail_of_a_local_program(server):
    message = "To: bob@example.test\nSubject: from here\n\n.dot\nüber\n"
    assert postern("-t", "-f", "bob@example.test", "x@remote.test", conf=server, stdin=message, name="sendmail") == (0, "", "")
    wait_for(lambda: asked(server, "mailbox", "list", "bob@example.test")[0]["messages"] == 1, "the delivery")
    waiting = asked(server, "queue", "list")
    assert [r["address"] for m in waiting for r in m["recipients"]] == ["x@remote.test"]
    qid = waiting[0]["id"]
    listed = postern(conf=server, name="mailq")[1]
    assert qid in listed and "to x@remote.test" in listed and "1 message\n" in listed
    shown = postern("queue", "show", qid, conf=server)[1]
    assert "Subject: from here" in shown and "bob@example.test" in shown
    assert postern("queue", "hold", qid, conf=server) == (0, "1 recipient\n", "")
    assert asked(server, "queue", "list")[0]["recipients"][0]["state"] == "held"
    assert postern("queue", "release", "--to", "remote.test", conf=server)[1] == "1 recipient\n"
    assert postern("queue", "delete", "--to", "other.test", conf=server)[1] == "0 recipients\n"
    assert postern("queue", "delete", "--all", conf=server)[1] == "1 recipient\n"
    assert postern("queue", "list", conf=server)[1] == "the queue is empty\n"
    assert postern("nobody@example.test", conf=server, stdin="\nhi\n", name="sendmail")[0] == 1


def test_stores_are_asked_of_their_owner(server):
    assert postern("bob", conf=server, stdin="Subject: s\n\nhi\n", name="sendmail")[0] == 0
    wait_for(lambda: asked(server, "mailbox", "list", "Bob@Example.test")[0]["messages"] == 1, "the delivery")
    assert asked(server, "store", "check", "bob@example.test")["problems"] == 0
    assert asked(server, "store", "stat", "bob@example.test")["messages"] == 1
    assert asked(server, "store", "rebuild", "bob@example.test")["messages"] == 1
    assert asked(server, "mailbox", "list", "bob@example.test")[0]["messages"] == 1
    assert postern("stop", conf=server)[0] == 0
    assert asked(server, "mailbox", "list", "bob@example.test")[0]["messages"] == 1
    assert asked(server, "store", "check", "bob@example.test")["problems"] == 0
    assert asked(server, "store", "rebuild", "bob@example.test")["messages"] == 1
    owner = (server.parent / "state/mail").stat().st_uid
    assert {p.stat().st_uid for p in (server.parent / "state/mail/example.test").rglob("*")} == {owner}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_others_may_send_but_not_ask(server):
    program = server.parent / "postern"  # where everybody may read it, whatever the build directory allows
    shutil.copy(POSTERN, program)

    def as_nobody(*words, stdin=""):
        done = subprocess.run([program, "-c", server, *words], input=stdin, text=True, capture_output=True, user=65534, timeout=60)
        return done.returncode, done.stdout, done.stderr

    server.chmod(0o644)
    assert as_nobody("user", "list")[0] != 0
    assert as_nobody("stop")[0] != 0
    assert as_nobody("status", "--health")[0] == 1
    assert as_nobody("sendmail", "-f", "bob@example.test", "bob@example.test", stdin="Subject: s\n\nhi\n") == (0, "", "")
    wait_for(lambda: asked(server, "mailbox", "list", "bob@example.test")[0]["messages"] == 1, "the delivery")
