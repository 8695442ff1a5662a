"""Secrets in the memory of processes: a password that was typed is nowhere but in the front that read it, a private key in keys alone. For the release build: sanitizers keep freed memory."""
import base64
import os
import re
import signal
from pathlib import Path

import pytest

import attack
from authority import openssl
from postern_site import PROGRAM, is_sanitized

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of other processes"),
    pytest.mark.skipif(is_sanitized(PROGRAM), reason="sanitizers keep freed memory"),
]
CANARY = "Canary5rT8wXq3Lm"
ENCODED = base64.b64encode(f"\0canary@example.test\0{CANARY}".encode())
ROUTE_CANARY = "Canary7pKd2Vn9Zs"
NEEDLES = [CANARY.encode(), ENCODED[8:-4]]


def memory_of(pid):
    """All that is mapped and can be read, piece by piece."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            begin, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if "r" not in rights or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            try:
                memory.seek(int(begin, 16))
                yield memory.read(min(int(end, 16) - int(begin, 16), 64 << 20))
            except (OSError, OverflowError):
                continue


def who_holds(site, needles):
    """The roles in whose memory one of them is."""
    found = set()
    for role, _, pid in [*site.processes(), ("parent", 0, site.process.pid)]:
        if any(needle in piece for piece in memory_of(pid) for needle in needles):
            found.add(role)
    return found


def files_that_hold(site, needles):
    """The files of the site, but for what the operator wrote, in which one of them is: log, spool, tables, mail, trace."""
    written = {site.conf, site.dir / "route-password"}
    found = [path for path in site.dir.rglob("*") if path.is_file() and path not in written]
    return [str(path) for path in found if any(needle in path.read_bytes() for needle in needles)]


@pytest.fixture
def site():
    with attack.watched("smtp { processes = 1 }\nimap { processes = 1 }\nstore { processes = 1 }\n") as site:
        secret = site.dir / "route-password"
        secret.write_text(ROUTE_CANARY + "\n")
        secret.chmod(0o600)
        site.write_conf(site.extra + f'route "*" {{ to = "127.0.0.1:1" tls = encrypt user = "us" password_file = "{secret}" }}\n')
        site.postern("user", "add", "canary@example.test", "--password-stdin", stdin=CANARY + "\n")
        site.start()
        yield site


def test_the_private_key_is_in_keys_alone(site):
    site.imap("alice").logout()  # it has been used
    text = openssl("pkey", "-in", site.state / "keys/self-signed.key", "-noout", "-text").decode()
    number = bytes.fromhex("".join(re.search(r"priv:\s*((?:[0-9a-f:]+\s*)+)pub:", text)[1].split()).replace(":", ""))[-32:]
    pem = (site.state / "keys/self-signed.key").read_bytes().splitlines()[1][:40]
    assert len(number) == 32
    assert who_holds(site, [number, number[::-1], pem]) <= {"keys"}


def log_in_everywhere(site):
    """The canary as typed and as encoded, on both fronts. Returns the sessions."""
    mail = site.smtp("submission")
    mail.starttls(context=site.tls())
    mail.ehlo()
    assert mail.docmd("AUTH", "PLAIN " + ENCODED.decode())[0] == 235
    box = site.imap()
    box.login("canary@example.test", CANARY)
    box.select("INBOX")
    return mail, box


def test_d17_a_password_is_in_no_process_but_the_front(site):
    mail, box = log_in_everywhere(site)
    mail.mail("canary@example.test")
    assert who_holds(site, NEEDLES) <= {"smtp", "imap"}
    mail.quit()
    box.logout()


def test_d17_a_password_is_in_no_process_when_the_login_is_over(site):
    """Neither while the sessions go on, nor in what they leave behind."""
    sessions = log_in_everywhere(site)
    assert who_holds(site, NEEDLES) == set()
    sessions[0].close()
    sessions[1].shutdown()
    site.wait_for(lambda: attack.open_sessions(site) == 0, 10, "the sessions to end")
    assert who_holds(site, NEEDLES) == set()
    assert not files_that_hold(site, NEEDLES)


def test_d17_a_password_that_the_operator_sets_is_nowhere(site):
    """Neither in a process nor in a file; the account works."""
    fresh = CANARY + "Fresh"
    site.postern("user", "add", "new@example.test", "--password-stdin", stdin=fresh + "\n")
    site.postern("user", "passwd", "canary@example.test", "--password-stdin", stdin=fresh + "\n")
    assert who_holds(site, [fresh.encode()]) == set()
    assert not files_that_hold(site, [fresh.encode()])
    assert site.postern("user", "check", "new@example.test", "--password-stdin", stdin=fresh + "\n").returncode == 0
    assert who_holds(site, [fresh.encode()]) == set()


def test_the_password_of_a_route_is_in_relay_alone(site):
    """The parent reads its file, for relay has none; mail that waits for the route does not carry it."""
    site.submit("alice", ["far@remote.test"], "From: alice@example.test\r\n\r\nhello\r\n")
    site.wait_for(lambda: site.events("defer"), 20, "a try")
    needles = [ROUTE_CANARY.encode(), base64.b64encode(f"\0us\0{ROUTE_CANARY}".encode())[4:-4]]
    assert who_holds(site, needles) == {"relay"}
    assert not files_that_hold(site, needles)
    assert ROUTE_CANARY not in site.postern("config", "show").stdout


def test_nobody_leaves_a_core(site):
    """No size, and not dumpable: what belongs to a process in /proc is root's, whoever it runs as. One that is killed by a fault leaves
    no file."""
    for role, _, pid in [*site.processes(), ("parent", 0, site.process.pid)]:
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size\s+0\s+0\s", limits, re.M), role
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0, role
    (victim,) = site.pids("imap")
    attack.kill(site, victim, signal.SIGSEGV)
    site.wait_for(lambda: site.events("exit", pid=str(victim)), 20, "the end of imap")
    assert "core" not in site.events("exit", pid=str(victim))[0]["why"]
    assert not [path for path in site.dir.rglob("core*") if path.is_file()]
