"""What an enemy does to a whole server: strangers on the wire, processes that die at the wrong moment, a process that was taken over."""
import base64
import contextlib
import fcntl
import imaplib
import itertools
import os
import random
import signal
import socket
import stat
import struct
import threading
import time
from pathlib import Path

import pytest

import attack
import taken
from postern_site import deadline


@pytest.fixture
def running():
    """A started site; at its end nothing may have crashed that the test did not kill itself."""
    sites = []

    def start(extra="", wrapper=(), **options):
        sites.append(attack.site(extra, **options))
        return sites[-1].start(wrapper)

    yield start
    for one in sites:
        try:
            attack.assert_sound(one)
        finally:
            one.close()


# --- strangers


@pytest.mark.parametrize("records", [53, 54, 107])
def test_tls_records_that_bring_more_than_one_feed(running, records):
    """Seven records of 10000 bytes fit one turn of a connection: nothing of them may wait for bytes that never come."""
    site = running()
    with site.smtp("submissions") as client:
        client.login("alice@example.test", "alice-secret")
        client.mail("alice@example.test")
        client.rcpt("bob@example.test")
        client.putcmd("DATA")
        assert client.getreply()[0] == 354
        client.sock.settimeout(10)
        client.sock.sendall(b"From: alice@example.test\r\n\r\n")
        for _ in range(records):
            client.sock.sendall((b"y" * 998 + b"\r\n") * 10)
        client.sock.sendall(b".\r\n")
        assert client.getreply()[0] == 250


def test_unfinished_messages_do_not_eat_the_reserve(running):
    """Anybody may begin large messages and never end them; the disk is the mailboxes', too."""
    free = os.statvfs("/dev/shm")
    reserve = free.f_bavail * free.f_frsize - (18 << 20)  # in the middle of the second of the messages of 12 MiB
    site = running(f"limits {{ disk_reserve = {reserve} }}\n", where="/dev/shm")
    clients = [attack.begin(site, "x@remote.test", "bob@example.test") for _ in range(4)]
    for client in clients:
        for _ in range(12):
            client.sendall(b"Subject: s\r\n\r\n" + (b"x" * 1022 + b"\r\n") * 1024)
    for client in clients:
        client.sendall(b".\r\n")
    assert 452 in {attack.replies(client)[0] for client in clients}
    assert any("the reserve is" in line["why"] for line in site.events("refuse", code="452"))
    assert attack.send(site, "x@remote.test", "bob@example.test") == 250


def test_k02_a_flood_of_connections_is_no_flood_of_lines(running):
    site = running("smtp { processes = 1 }\nlimits { connections = 1 connections_per_source = 1 }\n")
    first = attack.connect(site)
    assert attack.replies(first) == [220]
    for _ in range(400):
        assert attack.replies(attack.connect(site)) == [421]
    time.sleep(1.1)
    attack.connect(site).close()
    site.wait_for(lambda: [line for line in site.events("refuse") if "before" in line], 5, "the number of the others")
    lines = site.events("refuse", code="421")
    assert len(lines) < 20
    assert len(lines) + sum(int(line.get("before", 0)) for line in lines) == 401


def test_a_mechanism_that_a_reload_took_away(running):
    """The session began when it was offered; auth does not know it any more."""
    site = running("auth { hash_memory = 64K hash_passes = 1 scram = yes }\n")
    first = base64.b64encode(b"n,,n=alice@example.test,r=abcdefgh")
    mail, box = site.smtp("submissions"), site.imap()
    mail.ehlo()
    site.write_conf("auth { hash_memory = 64K hash_passes = 1 scram = no }\n")
    site.reload()
    assert mail.docmd(f"AUTH SCRAM-SHA-256 {first.decode()}")[0] == 504
    box.send(b"a AUTHENTICATE SCRAM-SHA-256 " + first + b"\r\n")
    assert box.readline().startswith(b"a NO [CANNOT]")
    mail.login("alice@example.test", "alice-secret")


def test_who_guessed_too_often_is_sent_away(running):
    site = running()

    def guess(n):
        try:
            site.imap().login("alice@example.test", f"guess {n}")
        except (OSError, imaplib.IMAP4.error):
            pass

    guesses = [threading.Thread(target=guess, args=(n,)) for n in range(14)]
    for thread in guesses:
        thread.start()
    for thread in guesses:
        thread.join()
    mail, box = site.smtp("submissions"), site.imap()
    mail.ehlo()
    right = base64.b64encode(b"\0alice@example.test\0alice-secret").decode()
    assert mail.docmd(f"AUTH PLAIN {right}")[0] == 421
    assert mail.sock.recv(100) == b""
    box.send(b"a LOGIN alice@example.test alice-secret\r\n")
    assert box.readline().startswith(b"a NO [UNAVAILABLE]")
    assert box.readline().startswith(b"* BYE")
    assert box.readline() == b""


# --- processes that die


def pid_of(site, role, index):
    return next((pid for name, i, pid in site.processes() if (name, i) == (role, index)), None)


def kill_until_the_pause_is_long(site, role, index, deaths=5):
    """Each early death doubles the pause before the next start, so that the process is away for a while."""
    for _ in range(deaths):
        site.wait_for(lambda: pid_of(site, role, index) not in (None, *site.killed), 10, f"{role} {index}")
        attack.kill(site, pid_of(site, role, index))


def test_users_of_a_store_that_is_away_belong_to_nobody_else(running):
    site = running("store { processes = 2 }\n", users=("u0", "u1", "u2", "u3", "u4"))
    user = next(f"u{i}@example.test" for i in range(5) if attack.owner_of(f"u{i}@example.test", 2) == 1)
    kill_until_the_pause_is_long(site, "store", 1)
    attack.kill(site, pid_of(site, "queue", 0))
    site.wait_for(lambda: pid_of(site, "queue", 0) not in (None, *site.killed), 10, "queue")
    end = deadline(20)
    while attack.send(site, "x@remote.test", user) != 250:
        assert time.monotonic() < end
    site.wait_for(lambda: site.events("deliver", to=user, reply="delivered"), 30, "the delivery")
    other = next(p for p in site.json("status")["processes"] if (p["role"], p["index"]) == ("store", 0))
    assert other["counters"]["delivered"] == 0


def test_k03_a_channel_that_ended_is_made_again(running):
    """Out of descriptors a process loses what is sent to it, and with it the channel; both processes live on and need a new one."""
    site = running("smtp { processes = 4 }\n", wrapper=("prlimit", "--nofile=64:64"))
    store, queue = pid_of(site, "store", 0), pid_of(site, "queue", 0)
    os.kill(store, signal.SIGSTOP)
    waiting = []
    for _ in range(80):
        waiting.append(attack.begin(site, "x@remote.test", "bob@example.test"))
        waiting[-1].sendall(b"Subject: s\r\n\r\ntext\r\n.\r\n")
    site.wait_for(lambda: "too many descriptors" in site.log_path.read_text(), 10, "the queue to be full")
    os.kill(store, signal.SIGCONT)
    for client in waiting:
        client.close()
    end = deadline(20)
    good = 0
    while good < 6:  # connections spread over all smtp processes
        good = good + 1 if attack.send(site, "x@remote.test", "bob@example.test") == 250 else 0
        assert time.monotonic() < end, "the channel is still away"
    assert pid_of(site, "queue", 0) == queue


# --- a process that was taken over


def status_of(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def descriptors(pid):
    found = {}
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(fd.name)] = os.readlink(fd)
        except FileNotFoundError:
            pass
    return found


def is_mounted_nowhere(pid, fd):
    """The descriptor's file system has nothing above it: /proc/self/fd as a mount of its own (io_open_fds)."""
    mount = next(line.split()[1] for line in Path(f"/proc/{pid}/fdinfo/{fd}").read_text().splitlines() if line.startswith("mnt_id:"))
    return mount not in {line.split()[0] for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()}


@pytest.mark.skipif(os.geteuid() != 0, reason="without root all roles are one user")
def test_what_each_role_is_left_with(running):
    site = running()
    site.submit("alice", ["bob"], "From: alice@example.test\r\n\r\nhello\r\n")
    own = {"auth": "auth", "queue": "queue", "store": "mail", "log": "trace"}
    users = {}
    for role, _, pid in site.processes():
        status, fds = status_of(pid), descriptors(pid)
        users.setdefault(status["Uid"].split()[0], set()).add(role)
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", role
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == 0, role
        assert status["Groups"].strip() == "", role
        assert os.getsid(pid) == pid, role
        assert fds.pop(0) == fds.pop(1) == "/dev/null", role
        # the log role alone holds what the operator gave us: a terminal could be typed into
        errors = fds.pop(2)
        assert errors == str(site.log_path) if role == "log" else errors.startswith("pipe:"), role
        # the pipe is the event loop's own
        files = {link for link in fds.values() if not link.startswith(("socket:", "anon_inode:", "/memfd:", "pipe:"))}
        home = f"{site.state}/{own[role]}" if role in own else None
        if role in ("store", "queue") and "/" in files:
            files -= {"/"} if all(is_mounted_nowhere(pid, fd) for fd, link in fds.items() if link == "/") else set()
        strange = {f for f in files if not (home and (f == home or f.startswith(home + "/"))) and not f.startswith("/proc/")}
        assert not strange, (role, strange)
        names = {v.split(b"=")[0] for v in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if v}
        assert names <= {b"TZ", b"ASAN_OPTIONS", b"UBSAN_OPTIONS", b"LSAN_OPTIONS"}, role
    assert "0" not in users
    assert all(len(roles) == 1 or roles <= {"smtp", "imap", "relay", "fetch"} for roles in users.values()), users


NASTY = [b"", b"x", b"alice@example.test", b"../../x@..", b"a\0b@example.test", b"x" * 300 + b"@example.test", b"\r\nX: y", b"\xff\xfe",
         b"PLAIN", b"SCRAM-SHA-256-PLUS", b"\0alice@example.test\0alice-secret", b"imaps", b"192.0.2.1", b"default", b"%s%n", b"y" * 20000]


def strange_descriptor(random):
    """Something that is no message file, no stream and no spool file; or almost one."""
    def memfd(seals):
        fd = os.memfd_create("m", os.MFD_ALLOW_SEALING)
        os.write(fd, random.choice([b"", b"POSTERN1" + random.randbytes(300), random.randbytes(5000)]))
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return fd

    every = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
    def one_of(pair):
        left, right = pair
        os.close(right)
        return left

    kinds = [lambda: memfd(0), lambda: memfd(every), lambda: os.open("/", os.O_PATH), lambda: os.open("/proc/self/exe", os.O_RDONLY),
             lambda: os.open("/dev/null", os.O_RDWR), lambda: one_of(os.pipe()), lambda: socket.socket().detach(),
             lambda: one_of(s.detach() for s in socket.socketpair()), lambda: os.eventfd(0)]
    return random.choice(kinds)()


def random_value(random, kind):
    if kind == "str":
        return random.choice(NASTY)
    if kind == "strs":
        return [random.choice(NASTY[:-1]) for _ in range(random.choice([0, 1, 2, 3, 65]))]
    if kind == "id":
        return random.randbytes(16)
    if kind == "fd":
        return strange_descriptor(random) if random.random() < 0.8 else -1
    return random.choice([0, 1, 2, 3, 2**8 - 1, random.getrandbits(7)]) if kind in taken.NUMBERS else None


def hostile_message(random, row):
    """Bytes and descriptors: well formed with hostile contents, or broken in one of several ways."""
    data, fds = taken.message(row, {name: random_value(random, kind) for kind, name in row.fields}, random.getrandbits(32))
    how = random.random()
    if how < 0.06:
        data = data[:random.randrange(len(data) + 1)]
    elif how < 0.10:
        at = random.randrange(len(data))
        data = data[:at] + random.randbytes(4) + data[at + 4:]
    elif how < 0.12:
        fds = fds + [strange_descriptor(random) for _ in range(5)]
    elif how < 0.13:
        data = data + bytes(70000)
    return data, fds


@pytest.mark.parametrize("role,enemy,question,values", [
    ("keys", "smtp", "sign", {"key": b"default", "scheme": 0x0403, "data": b"no handshake"}),
    ("auth", "smtp", "may_send", {"login": b"alice@example.test", "address": b"bob@example.test"}),
    ("auth", "imap", "sasl_start", {"service": b"imaps", "mechanism": b"NONE", "tls": 1}),
    ("queue", "smtp", "spool_file", {"size": 1}),
    ("store", "imap", "open_mail", {"user": b"alice@example.test"}),
    ("store", "queue", "settle", {"how": 1}),
    ("fetch", "queue", "fetch_policy", {"domain": b"no domain"}),
])
def test_k17_a_neighbour_that_was_taken_over(role, enemy, question, values):
    """Whatever it sends and however often: the role lives, answers the next honest peer, and keeps no descriptor of his."""
    seed = int(os.environ.get("SEED", "1"))
    rng = random.Random(seed)
    with attack.watched() as site:
        victim = attack.alone(site, role, "store { processes = 1 }")
        sends = [row for row in victim.rows.values() if row.goes(enemy, role)]
        others = [row for row in victim.rows.values() if not row.goes(enemy, role)]
        if role == "keys":
            attack.hand_keys(victim, site)
        sock = victim.peer(enemy)
        victim.start()
        taken.ask(sock, victim.rows[question], **values)
        before = victim.settle()
        for _ in range(1500):
            data, fds = hostile_message(rng, rng.choice(sends if rng.random() < 0.97 else others))
            try:
                taken.send(sock, data, fds[:8])
            except OSError:
                pass
            for fd in fds:
                os.close(fd)
            if taken.is_over(sock):
                sock.close()
                sock = victim.peer(enemy)
        assert victim.process.poll() is None, f"seed {seed}\n{site.log_tail()}"
        sock.close()
        sock = victim.peer(enemy)
        taken.ask(sock, victim.rows[question], **values)
        assert victim.settle(40, before + 1) <= before + 1, os.popen(f"ls -l /proc/{victim.process.pid}/fd").read()
        victim.end()


@contextlib.contextmanager
def lone_store():
    """A store process alone, and what we are to it: imap and auth. It must have ended well."""
    with attack.watched() as site:
        store = attack.alone(site, "store", "store { processes = 1 }")
        imap, auth = store.peer("imap"), store.peer("auth")
        store.start()
        yield store, imap, auth
        store.end()


def test_a_stream_that_is_none():
    """imap with a good ticket hands over something that is no connection: refused, and not kept."""
    with lone_store() as (store, imap, auth):
        before = store.settle()
        rng = random.Random(1)
        for n in range(60):
            ticket = rng.randbytes(16)
            taken.send(auth, *taken.message(store.rows["ticket"], {"ticket": ticket, "user": b"alice@example.test"}))
            stream = strange_descriptor(rng)
            time.sleep(0.01)
            answer = taken.ask(imap, store.rows["open_mail"], ticket=ticket, user=b"alice@example.test", sid=b"s", tag=b"a", stream=stream)
            assert stat.S_ISSOCK(os.fstat(stream).st_mode) or answer[0] == 1
            os.close(stream)
        assert store.settle(10) <= before + 8  # the mailbox itself stays open for a while


def test_a_ticket_that_comes_after_its_login():
    """Two channels have no order between them: the login waits a moment for its ticket, and for no other one."""
    with lone_store() as (store, imap, auth):
        for n, (ticket, user, verdict) in enumerate(((b"t" * 16, b"alice@example.test", 0), (b"u" * 16, b"alice@example.test", 1),
                                                     (b"t" * 16, b"bob@example.test", 1))):
            ours, stream = socket.socketpair()
            asked = {"ticket": b"t" * 16, "user": b"alice@example.test", "sid": b"s", "tag": b"a", "stream": stream.fileno()}
            taken.send(imap, *taken.message(store.rows["open_mail"], asked, n + 1))
            stream.close()
            time.sleep(0.2)
            taken.send(auth, *taken.message(store.rows["ticket"], {"ticket": ticket, "user": user}))
            assert taken.answered(imap, store.rows["open_mail"], n + 1)[0] == verdict, n
            ours.settimeout(10)
            assert (ours.recv(100)[:5] == b"a OK ") if verdict == 0 else ours.recv(100) == b""
            ours.close()
        pairs = [socket.socketpair() for _ in range(101)]
        begun = time.monotonic()
        for n, (_, stream) in enumerate(pairs):
            taken.send(imap, *taken.message(store.rows["open_mail"], {**asked, "stream": stream.fileno()}, n + 1000))
        assert taken.answered(imap, store.rows["open_mail"], 1100)[0] == 1  # the first: so many may wait
        assert time.monotonic() - begun < 1, "nothing waited"
        assert taken.answered(imap, store.rows["open_mail"], 1099)[0] == 1
        for sock in itertools.chain(*pairs):
            sock.close()


# --- in the middle of everything

SMTP_TALK = (b"EHLO client.test\r\nMAIL FROM:<x@remote.test> SIZE=30\r\nRCPT TO:<bob@example.test>\r\nRSET\r\nMAIL FROM:<>\r\n"
             b"RCPT TO:<bob@example.test>\r\nBDAT 12\r\nSubject: s\r\nBDAT 8 LAST\r\n\r\ntext\r\nSTARTTLS\r\n")
SUBMISSION_TALK = (b"EHLO client.test\r\nAUTH PLAIN\r\nAGFsaWNlQGV4YW1wbGUudGVzdABhbGljZS1zZWNyZXQ=\r\nMAIL FROM:<alice@example.test>\r\n"
                   b"RCPT TO:<bob@example.test>\r\nDATA\r\n")
IMAP_TALK = (b"a ID NIL\r\nb AUTHENTICATE PLAIN\r\nAGFsaWNlQGV4YW1wbGUudGVzdABhbGljZS1zZWNyZXQ=\r\nc SELECT {5}\r\nINBOX\r\n"
             b"d APPEND INBOX {30+}\r\nSubject: s\r\n\r\ntext and text.\r\n\r\ne IDLE\r\nDONE\r\nf LOGOUT\r\n")


def leave(sock, how):
    """Politely, in the middle of what we were sent, or with a reset."""
    try:
        if how == 0:
            sock.shutdown(socket.SHUT_WR)
        elif how == 1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    sock.close()


@pytest.mark.parametrize("service,talk", [("smtp", SMTP_TALK), ("submissions", SUBMISSION_TALK), ("imaps", IMAP_TALK)])
def test_gone_at_every_byte(running, service, talk):
    site = running()
    context = site.tls()
    for n in range(len(talk) + 1):
        sock = attack.connect(site, service)
        if service != "smtp":
            sock = context.wrap_socket(sock, server_hostname=site.hostname)
        sock.sendall(talk[:n])
        leave(sock, n % 3)
    site.wait_for(lambda: attack.open_sessions(site) == 0, 20, "all sessions to end")
    assert attack.send(site, "x@remote.test", "bob@example.test") == 250
    assert site.inbox("bob", 1)


def keep_sending(site, stop, accepted):
    """Mail after mail; what got its 250 is owed."""
    n = 0
    while not stop.is_set():
        n += 1
        mark = f"mark-{threading.get_ident()}-{n}"
        try:
            if attack.send(site, "x@remote.test", "bob@example.test", f"Subject: {mark}\r\n\r\ntext\r\n".encode()) == 250:
                accepted.append(mark)
        except OSError:
            time.sleep(0.02)


def keep_reading(site, stop):
    while not stop.is_set():
        try:
            client = site.imap("alice")
            client.select("INBOX")
            client.noop()
            client.logout()
        except (OSError, imaplib.IMAP4.error):
            time.sleep(0.02)


def test_roles_that_die_while_sessions_wait(running):
    """Whatever is killed: the others live on, and every 250 is kept."""
    site = running("smtp { processes = 2 }\nstore { processes = 2 }\n")
    rng = random.Random(int(os.environ.get("SEED", "1")))
    stop, accepted = threading.Event(), []
    threads = [threading.Thread(target=keep_sending, args=(site, stop, accepted)) for _ in range(4)]
    threads += [threading.Thread(target=keep_reading, args=(site, stop)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(25):
        time.sleep(rng.uniform(0.02, 0.3))
        role, index, pid = rng.choice(site.processes())
        attack.kill(site, pid)
    stop.set()
    for thread in threads:
        thread.join()
    site.wait_for(lambda: site.json("status")["healthy"], 30, "all roles")
    assert accepted
    end = deadline(90)
    missing = set(accepted)
    while missing and time.monotonic() < end:
        text = b"".join(site.inbox("bob", len(accepted), 5)).decode()
        missing = {mark for mark in accepted if f"Subject: {mark}\r\n" not in text}
    assert not missing, f"{len(missing)} of {len(accepted)} accepted messages are lost: {sorted(missing)[:3]}"


def test_k01_slow_clients_keep_nobody_waiting(running):
    site = running("limits { connections = 2000 }\n")
    slow = [attack.connect(site, service) for service in ("smtp", "imap", "submissions", "imaps") for _ in range(75)]
    talk = b"EHLO c\r\nMAIL FROM:<x@remote.test>\r\n"
    end = deadline(10)
    for i in range(12):
        for sock in slow:
            try:
                sock.send(talk[i:i + 1])
            except OSError:
                pass
        assert attack.send(site, "x@remote.test", "bob@example.test") == 250
    site.imap("bob").logout()
    assert time.monotonic() < end
    for sock in slow:
        sock.close()


def test_b12_gone_behind_the_dot_is_in_the_log_all_the_same(running):
    """The client never learns of the 250; the operator does."""
    site = running()
    store = pid_of(site, "store", 0)
    os.kill(store, signal.SIGSTOP)
    client = attack.begin(site, "x@remote.test", "bob@example.test")
    client.sendall(b"Subject: s\r\n\r\ntext\r\n.\r\n")
    time.sleep(0.3)
    client.close()
    time.sleep(0.3)
    os.kill(store, signal.SIGCONT)
    site.wait_for(lambda: site.events("deliver"), 10, "the delivery")
    site.wait_for(lambda: site.events("accept"), 3, "the line of the acceptance")
