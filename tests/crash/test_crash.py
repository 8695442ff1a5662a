"""kill -9 of the server's processes while it works: nothing that was acknowledged is lost, and what was not hit goes on."""
import contextlib
import os
import re
import signal
import time
from pathlib import Path

import pytest

from load import Load
from mail import message
from postern_site import CHEAP_HASHES, NOWHERE, Site
from wire import Wire

LONG = bool(os.environ.get("POSTERN_LONG"))
ROUNDS = 10 if LONG else 1
USERS = ("alice", "bob", "carol", "dave")
# within one second on a machine that has nothing else to do; who is killed again and again waits up to ten
BACK_SECONDS = 30 if LONG else 10


@pytest.fixture
def site():
    with Site(users=USERS, extra=CHEAP_HASHES + NOWHERE) as made:
        made.start()
        yield made
        if made.process is not None:
            assert made.stop() == 0
        made.check_log(killed=True)


def ready(site, role, index, was):
    return any(p["role"] == role and p["index"] == index and p["ready"] and p["pid"] not in (0, was) for p in site.json("status")["processes"])


def alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def kill_one(site, role, index=0):
    """Kills the process and waits until its successor works; how long that took."""
    pid = next(pid for name, i, pid in site.processes() if (name, i) == (role, index))
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    site.wait_for(lambda: not alive(pid) and ready(site, role, index, pid), BACK_SECONDS, f"{role} {index} to be back")
    return time.monotonic() - begun


def process_of(site, wire):
    """The server's process that holds the other end of a connection, from the kernel's tables."""
    ours = wire.socket.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].split(":")[1], 16) == site.ports[wire.service] and int(words[2].split(":")[1], 16) == ours:
            target = f"socket:[{words[9]}]"
            for _, _, pid in site.processes():
                with contextlib.suppress(OSError):
                    if any(os.readlink(fd) == target for fd in Path(f"/proc/{pid}/fd").iterdir()):
                        return pid
    return None


def one_in_each(site, service, role):
    """{pid: connection}: one connection to each process of the role."""
    found = {}
    for _ in range(200):
        wire = Wire(site, service)
        wire.line()
        pid = process_of(site, wire)
        assert pid in site.pids(role)
        if pid in found:
            wire.close()
        found.setdefault(pid, wire)
        if len(found) == len(site.pids(role)):
            return found
    raise AssertionError(f"all connections went to {list(found)}")


def logged_in(site, user):
    wire = Wire(site, "imaps")
    wire.line()
    assert wire.imap(f'LOGIN {user}@example.test "{site.password(user)}"')[0] == "OK"
    assert wire.imap("SELECT INBOX")[0] == "OK"
    return wire


@pytest.mark.parametrize("role", ["log", "keys", "dns", "fetch", "auth", "smtp", "imap", "queue", "relay", "store"])
def test_k11_one_process_is_one_process(site, role):
    with Load(site, USERS) as load:
        for _ in range(ROUNDS):
            for index in range(len(site.pids(role))):
                begun = load.count()
                site.wait_for(lambda: load.count() > begun + 5, 30, "some load")
                kill_one(site, role, index)
        begun = load.count()
        site.wait_for(lambda: load.count() > begun + 20, 30, "load after the kill")
    load.check()
    assert len(site.events("exit", of=role)) == ROUNDS * len(site.pids(role))
    assert not [e for e in site.events("exit") if e["of"] != role], "another process ended, too"


@pytest.mark.parametrize("role", ["log", "keys", "dns", "fetch", "auth", "queue", "relay"])
def test_sessions_outlive_the_helpers(site, role):
    with logged_in(site, "alice") as mailbox, Wire(site, "smtp") as mail:
        mail.hello()
        kill_one(site, role)
        assert mailbox.imap("NOOP")[0] == "OK"
        assert mail.code("MAIL FROM:<s@remote.test>") == 250
        assert mail.code("RCPT TO:<alice@example.test>") == 250
        assert mail.code("DATA") == 354
        assert mail.code(message("after") + b".\r\n") == 250
        site.wait_for(lambda: "* 1 EXISTS" in mailbox.imap("NOOP")[1], 10, "the message in the old session")


@pytest.mark.parametrize("service,role", [("smtp", "smtp"), ("imap", "imap")])
def test_sessions_of_the_other_fronts_go_on(site, service, role):
    wires = one_in_each(site, service, role)
    index, victim = next((i, pid) for name, i, pid in site.processes() if name == role)
    kill_one(site, role, index)
    for pid, wire in wires.items():
        wire.send("NOOP\r\n" if service == "smtp" else "a NOOP\r\n")
        answer = wire.line()
        assert answer == b"" if pid == victim else answer.startswith((b"250", b"a OK")), f"{pid} (killed: {victim}): {answer}"
        wire.close()


def test_sessions_of_the_other_store_go_on(site):
    wires = {user: logged_in(site, user) for user in USERS}
    kill_one(site, "store", 0)
    answers = {user: wire.imap("NOOP")[0] for user, wire in wires.items()}
    if len(site.pids("store")) > 1:
        assert set(answers.values()) == {"OK", ""}, answers
    for user in USERS:
        site.imap(user).logout()  # all of them come in again
    for wire in wires.values():
        wire.close()


def gone(pids, seconds=BACK_SECONDS):
    end = time.monotonic() + seconds
    while any(map(alive, pids)):
        assert time.monotonic() < end, f"still there: {[pid for pid in pids if alive(pid)]}"
        time.sleep(0.02)


def test_kill_of_the_parent_ends_all(site):
    load = Load(site, USERS)
    for _ in range(ROUNDS):
        with load:
            begun = load.count()
            site.wait_for(lambda: load.count() > begun + 30, 30, "some load")
            pids = [pid for _, _, pid in site.processes()]
            site.kill()
            gone(pids)
        load = load.again()
        site.start()
        load.check()


def kill_all(site):
    pids = [pid for _, _, pid in site.processes()]
    for pid in (site.process.pid, *pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    site.process.wait()
    site.process = None
    gone(pids)


def picture(site, user):
    """{mailbox: (UIDVALIDITY, {uid: (flags, message)})}"""
    found = {}
    with site.imap(user) as client:
        for row in client.list()[1]:
            name = row.decode().split('"/" ')[1].strip('"')
            client.select(f'"{name}"', readonly=True)
            validity = client.response("UIDVALIDITY")[1][0]
            rows = {}
            for item in client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")[1] or []:
                if isinstance(item, tuple):
                    uid = int(re.search(rb"UID (\d+)", item[0])[1])
                    flags = re.search(rb"FLAGS \(([^)]*)\)", item[0])[1].split()
                    rows[uid] = (frozenset(flags) - {b"\\Recent"}, item[1])
            found[name] = (validity, rows)
    return found


def names_are_settled(site):
    """No file waits in new/, and every name in cur/ has its UID."""
    files = [p for p in (site.state / "mail").glob("**/Maildir/**/*") if p.is_file() and p.parent.name in ("new", "cur") and ",S=" in p.name]
    return files and all(p.parent.name == "cur" and ",U=" in p.name for p in files)


def test_the_index_can_be_dropped_after_a_kill_of_all(site):
    load = Load(site, USERS)
    with load:
        site.wait_for(lambda: min(map(len, load.promised.values())) > 6, 60, "some messages")
    for user in USERS:
        with site.imap(user) as client:
            client.create("Projects/Gr&APwA3w-e")
            client.create("Projects")
            client.select("INBOX")
            client.copy("1:3", "Projects")
            client.store("2", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.store("1,3", "+FLAGS", r"($Work \Flagged)")
            client.store("4", "+FLAGS", r"(\Answered Later)")
            client.select("Projects")
            client.store("2", "+FLAGS", r"(\Seen \Draft $Label1)")
    for user in USERS:  # the message that was expunged is promised no longer
        with site.imap(user) as client:
            client.select("INBOX", readonly=True)
            rows = [item[1] for item in client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(item, tuple)]
            there = {row.split(b": ")[1].strip().decode() for row in rows}
        load.promised[user] = {token: sent for token, sent in load.promised[user].items() if token in there}
    site.wait_for(lambda: names_are_settled(site), 30, "the names of the files to say what the index says")
    before = {user: picture(site, user) for user in USERS}
    wanted = {flag for boxes in before.values() for _, rows in boxes.values() for flags, _ in rows.values() for flag in flags}
    assert {b"\\Flagged", b"\\Answered", b"\\Seen", b"\\Draft", b"$Work", b"Later", b"$Label1"} <= wanted

    load = load.again()
    with load:
        begun = load.count()
        site.wait_for(lambda: load.count() > begun + 20, 30, "load")
        kill_all(site)
    dropped = list((site.state / "mail").glob("**/index.mdb*"))
    assert len(dropped) >= len(USERS)
    for path in dropped:
        path.unlink()
    site.start()
    load.check()
    for user in USERS:
        after = picture(site, user)
        assert set(after) >= set(before[user])
        for name, (validity, rows) in before[user].items():
            assert after[name][0] == validity, f"UIDVALIDITY of {user}'s {name}"
            for uid, (flags, body) in rows.items():
                assert uid in after[name][1], f"{user}'s {name} lost UID {uid}"
                assert after[name][1][uid][1] == body
                assert after[name][1][uid][0] == flags, f"{user}'s {name} UID {uid}: {flags} became {after[name][1][uid][0]}"
        assert site.postern("store", "check", f"{user}@example.test").returncode == 0
