"""attack.py - the means of test_attacks.py: a site that is watched for crashes, raw sockets, one message by hand."""
import contextlib
import os
import re
import signal
import socket

import taken
from postern_site import CHEAP_HASHES, PROGRAM, Site


def site(extra="", **options):
    one = Site(extra=extra if "auth {" in extra else CHEAP_HASHES + extra, **options)
    one.killed = set()
    return one


@contextlib.contextmanager
def watched(extra="", **options):
    """A site that is not started yet. When the test ends well, so must all processes have that it started."""
    with site(extra, **options) as one:
        yield one
        if one.log_path.exists():
            assert_sound(one)


def alone(one, role, conf="", program=PROGRAM):
    """One role of the site without the others (taken.py)."""
    text = (f'hostname = "mx.example.test"\ndomains = {{ "example.test" }}\nstate = "{one.state}"\n{CHEAP_HASHES}{conf}\n'
            'dns { trust_anchor = "" root_hints = "" }\n')
    return taken.Role(str(program), role, text, one.log_path)


def kill(one, pid, signo=signal.SIGKILL):
    one.killed.add(pid)
    os.kill(pid, signo)


def assert_sound(one):
    """No report of a sanitizer, no panic, no death but those we caused."""
    one.settle_log()
    text = one.log_path.read_text(errors="replace")
    found = re.findall(r"^.*(?:AddressSanitizer|runtime error:|event=panic|event=fatal|forbidden system call).*$", text, re.M)
    found += [str(line) for line in one.events("exit", level="error") if int(line["pid"]) not in one.killed]
    assert not found, "\n".join(found) + "\n" + one.log_tail()


def open_sessions(one):
    """Connections that smtp and imap still hold."""
    return sum(p["counters"].get("sessions", 0) for p in one.json("status")["processes"] if p["role"] in ("smtp", "imap"))


def connect(one, service="smtp", timeout=10):
    sock = socket.create_connection(("127.0.0.1", one.ports[service]), timeout)
    sock.settimeout(timeout)
    return sock


def replies(sock, n=1):
    """The codes of the next n whole replies; fewer when the server closes."""
    found, data = [], b""
    while len(found) < n:
        piece = sock.recv(65536)
        if not piece:
            return found
        data += piece
        *lines, data = data.split(b"\r\n")
        found += [int(line[:3]) for line in lines if line[3:4] == b" "]
    return found


def begin(one, sender, recipient):
    """A connection to port 25 that has said all up to DATA and been answered; what the server refuses shows in the next reply."""
    sock = connect(one)
    replies(sock)
    for words in (b"EHLO client.test", b"MAIL FROM:<%s>" % sender.encode(), b"RCPT TO:<%s>" % recipient.encode(), b"DATA"):
        sock.sendall(words + b"\r\n")
        replies(sock)
    return sock


def send(one, sender, recipient, body=b"Subject: s\r\n\r\ntext\r\n"):
    """The code of the last reply of a whole transaction on port 25, or of the first refusal."""
    with connect(one) as sock:
        code = (replies(sock) or [421])[0]
        for words in (b"EHLO client.test", b"MAIL FROM:<%s>" % sender.encode(), b"RCPT TO:<%s>" % recipient.encode(), b"DATA",
                      body + b"."):
            if code >= 400:
                break
            sock.sendall(words + b"\r\n")
            code = (replies(sock) or [421])[0]
        return code


def hand_keys(victim, site):
    """A certificate as the parent hands it; the site makes one at its first start."""
    site.start().stop()
    tell_keys(victim, site)


def tell_keys(victim, site):
    chain, key = (os.open(site.state / "keys" / name, os.O_RDONLY) for name in ("self-signed.pem", "self-signed.key"))
    victim.tell("keypair", id=b"default", fallback=1, origin=b"self-signed.key", chain=chain, key=key)
    victim.tell("keypairs_end")
    os.close(chain)
    os.close(key)


def owner_of(user, processes):
    """The store process of a user."""
    h = 0xcbf29ce484222325
    for byte in user.encode():
        h = (h ^ byte) * 0x100000001b3 % 2**64
    return h % processes
