"""Secrets in the memory of processes: a password that was typed is nowhere but in the front that read it, a private key in keys alone. For the release build: sanitizers keep freed memory."""
import base64
import os
import re
from pathlib import Path

import pytest

import attack
from authority import openssl
from postern_site import is_sanitized

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of other processes"),
    pytest.mark.skipif(is_sanitized(attack.program()), reason="sanitizers keep freed memory"),
]
CANARY = "Canary5rT8wXq3Lm"


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


@pytest.fixture
def site():
    site = attack.site("smtp { processes = 1 }\nimap { processes = 1 }\nstore { processes = 1 }\n")
    try:
        site.postern("user", "add", "canary@example.test", "--password-stdin", stdin=CANARY + "\n")
        site.start()
        yield site
        attack.assert_sound(site)
    finally:
        site.close()


def test_the_private_key_is_in_keys_alone(site):
    site.imap("alice").logout()  # it has been used
    text = openssl("pkey", "-in", site.state / "keys/self-signed.key", "-noout", "-text").decode()
    number = bytes.fromhex("".join(re.search(r"priv:\s*((?:[0-9a-f:]+\s*)+)pub:", text)[1].split()).replace(":", ""))[-32:]
    pem = (site.state / "keys/self-signed.key").read_bytes().splitlines()[1][:40]
    assert len(number) == 32
    assert who_holds(site, [number, number[::-1], pem]) <= {"keys"}


def test_d17_a_password_is_in_no_process_but_the_front(site):
    encoded = base64.b64encode(f"\0canary@example.test\0{CANARY}".encode())
    with site.smtp("submission") as client:
        client.starttls(context=site.tls())
        client.ehlo()
        assert client.docmd("AUTH", "PLAIN " + encoded.decode())[0] == 235
        client.mail("canary@example.test")
    box = site.imap()
    box.login("canary@example.test", CANARY)
    box.select("INBOX")
    assert who_holds(site, [CANARY.encode(), encoded[8:-4]]) <= {"smtp", "imap"}
    box.logout()
