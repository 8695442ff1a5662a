"""The fetch role alone, asked by us as queue, with us as dns, and web servers that are played: what it takes for a policy, what it
says of everything else, where it never connects to."""
import ipaddress
import os
import shutil
import socket
import struct
import tempfile
import threading
import time
from pathlib import Path

import pytest

import outlab
import taken
from authority import EXPIRED, Authority
from command import POSTERN
from policyhost import PolicyHost, http, policy
from postern_site import deadline

pytestmark = pytest.mark.skipif(outlab.missing() is not None, reason=str(outlab.missing()))

A, AAAA = 1, 28
FAILED, BOGUS, INSECURE, NXDOMAIN = 0, 1, 3, 4  # enum dns_status
OK, FETCH_ERROR, INVALID, WEBPKI = 0, 9, 10, 11  # enum tlsrpt_result
POLICIES_MAX = 1000  # src/role/fetch.c
POLICY_MAX = 64 * 1024
GOOD = policy("enforce", "mx.good.test")


class Names(threading.Thread):
    """dns for the role: what .names says; a status instead of addresses for what cannot be had."""

    def __init__(self, channel):
        super().__init__(daemon=True)
        self.channel, self.names, self.asked, self.silent = channel, {}, [], False
        self.row = taken.rows()["lookup"]
        channel.settimeout(None)
        self.start()

    def run(self):
        while data := self.channel.recv(taken.MESSAGE_MAX):
            call, kind, length = struct.unpack_from("=IHI", data, 4)
            name = data[14:14 + length].decode()
            self.asked.append((name, kind))
            if not self.silent:
                self.reply(call, kind, name)

    def reply(self, call, kind, name):
        known = self.names.get(name, NXDOMAIN)
        records = []
        if isinstance(known, list):
            version = 4 if kind == A else 6
            found = [a for a in map(ipaddress.ip_address, known) if a.version == version]
            records = [a.packed if a.version == 6 else bytes(10) + b"\xff\xff" + a.packed for a in found]
            known = INSECURE if records else NXDOMAIN
        taken.answer(self.channel, self.row, call, status=known, ttl=300, canonical=name.encode(), why=b"because", records=records)


class Fetch:
    """The role, its dns, and the question of queue."""

    def __init__(self, world, ca=None, program=POSTERN):
        self.dir = Path(tempfile.mkdtemp(prefix="postern-"))
        self.dir.chmod(0o755)
        (self.dir / "state").mkdir()
        (self.dir / "state/empty").mkdir()
        self.log = self.dir / "log"
        self.role = taken.Role(str(program), "fetch", f'hostname = "mx.example.test"\ndomains = {{ "example.test" }}\n'
                               f'state = "{self.dir}/state"\nrelay {{ ca_file = "{ca or world.authority.certificate.alone}" }}\n', self.log)
        self.queue = self.role.peer("queue")
        self.dns = Names(self.role.peer("dns"))
        self.role.start()
        self.row = self.role.rows["fetch_policy"]

    def send(self, domain, call=7):
        taken.send(self.queue, *taken.message(self.row, {"domain": domain.encode()}, call))

    def hear(self, seconds=20):
        """Call, result, words, and the body where there is one."""
        self.queue.settimeout(seconds)
        data, fds, _, _ = socket.recv_fds(self.queue, taken.MESSAGE_MAX, 4)
        call, result, length = struct.unpack_from("=IBI", data, 4)
        body = None
        for fd in fds:
            body = os.pread(fd, POLICY_MAX + 1, 0).decode()
            with pytest.raises(PermissionError):
                os.pwrite(fd, b"x", 0)  # sealed
            os.close(fd)
        return call, result, data[13:13 + length].decode(), body

    def get(self, domain):
        self.send(domain)
        return self.hear()[1:]

    def close(self):
        self.role.end()
        print(self.log.read_text())
        shutil.rmtree(self.dir)


@pytest.fixture(scope="module")
def fetch(world):
    fetch = Fetch(world)
    yield fetch
    fetch.close()
    log = fetch.log.read_text() if fetch.log.exists() else ""
    assert "panic" not in log and "AddressSanitizer" not in log


@pytest.fixture(scope="module")
def host(world, fetch):
    """A web server that all names of good.test lead to."""
    with PolicyHost(world.address(), world.authority.issue("mta-sts.good.test"), GOOD) as host:
        yield host


@pytest.fixture(autouse=True)
def afresh(fetch, host):
    fetch.dns.names = {"mta-sts.good.test": [host.address]}
    host.answer = http(GOOD)
    host.requests.clear()


def test_a_policy(fetch, host):
    assert fetch.get("good.test") == (OK, "", GOOD)
    assert host.requests == ["GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.good.test\r\nUser-Agent: postern\r\nAccept: */*\r\n\r\n"]
    assert host.names[-1] == "mta-sts.good.test"


def padded(n):
    """A right policy of so many bytes."""
    lines = GOOD + "x: y\n" * ((n - len(GOOD)) // 5)
    return lines[:-1] + "y" * (n - len(lines)) + "\n"


@pytest.mark.parametrize("answer, result, words", [
    (http(GOOD, kind="Text/Plain; charset=utf-8"), OK, ""),
    (http(GOOD.replace("\r\n", "\n")), OK, ""),
    (http(policy("none", max_age=0)), OK, ""),
    (http(padded(POLICY_MAX)), OK, ""),
    (http(padded(POLICY_MAX + 1)), FETCH_ERROR, "more than 65536 bytes"),
    (http("x" * 70000), FETCH_ERROR, "more than 65536 bytes"),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 70000, FETCH_ERROR, "more than 65536 bytes"),
    (http("", "302 Found\r\nLocation: https://mta-sts.good.test/ok"), FETCH_ERROR, "302"),
    (http("", "301 Moved\r\nLocation: /ok"), FETCH_ERROR, "301"),
    (http(GOOD, "404 Not Found"), FETCH_ERROR, "404"),
    (http(GOOD, "201 Created"), FETCH_ERROR, "201"),
    (http(GOOD, "500 Broken"), FETCH_ERROR, "500"),
    (http(GOOD, kind="text/html"), INVALID, "text/plain"),
    (http(GOOD, kind=None), INVALID, "text/plain"),
    (http("<html>"), INVALID, "line 1"),
    (http(""), INVALID, "version"),
    (http(policy("enforce")), INVALID, "mx"),
    (http(policy("strict", "mx.good.test")), INVALID, "line 2"),
    (http(GOOD)[:-10], FETCH_ERROR, ""),
    (b"", FETCH_ERROR, ""),
    (b"\0" * 100, FETCH_ERROR, ""),
], ids=range(21))
def test_h11_answers(fetch, host, answer, result, words):
    host.answer = answer
    got, why, body = fetch.get("good.test")
    assert got == result and words in why, why
    assert (body is not None) == (result == OK) == (why == "")
    assert len(host.requests) == 1, "one request, whatever comes of it"
    assert result == OK or why.startswith("https://mta-sts.good.test/: ")


def test_certificates(world, fetch, host):
    other = Authority(world.dir / "fetch-other", name="Another CA")
    for certificate in (world.authority.issue("good.test"), world.authority.issue("mta-sts.good.test", **EXPIRED),
                        other.issue("mta-sts.good.test"), world.authority.self_signed("mta-sts.good.test", names=("mta-sts.good.test",), ca=False)):
        with PolicyHost(world.address(), certificate, GOOD) as wrong:
            fetch.dns.names = {"mta-sts.good.test": [wrong.address]}
            result, why, _ = fetch.get("good.test")
            assert result == WEBPKI and "certificate" in why.lower(), why
            assert wrong.requests == [], "nothing is asked of a stranger"


def test_addresses(world, fetch, host):
    names, dead = fetch.dns.names, world.address()
    for private in (["127.0.0.1"], ["10.0.0.1", "192.168.1.1"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1", "169.254.1.1"]):
        names["mta-sts.good.test"] = private
        result, why, _ = fetch.get("good.test")
        assert result == FETCH_ERROR and "is refused" in why, why
    names["mta-sts.good.test"] = ["127.0.0.1", host.address]
    assert fetch.get("good.test")[0] == OK
    names["mta-sts.good.test"] = [dead, host.address]  # nobody listens at the first
    assert fetch.get("good.test")[0] == OK
    with PolicyHost(world.address6(), world.authority.issue("mta-sts.good.test"), GOOD) as six:
        names["mta-sts.good.test"] = [six.address]
        assert fetch.get("good.test")[0] == OK and len(six.requests) == 1
    names["mta-sts.good.test"] = [outlab.DEAD6.replace("/48", "1"), host.address]  # IPv4 does not wait for IPv6
    assert fetch.get("good.test")[0] == OK
    names["mta-sts.good.test"] = [dead]
    assert fetch.get("good.test")[0] == FETCH_ERROR


@pytest.mark.parametrize("status, word", [(NXDOMAIN, "nxdomain"), (FAILED, "because"), (BOGUS, "bogus")])
def test_no_address(fetch, status, word):
    fetch.dns.names["mta-sts.good.test"] = status
    result, why, _ = fetch.get("good.test")
    assert result == FETCH_ERROR and word in why, why


@pytest.mark.parametrize("domain", ["", ".", "a b", "good.test\r\nX: y", "good.test/x", "good.test:8443", "user@good.test", "x" * 300, "[192.0.2.1]",
                                    "good.test\0", "x." * 122 + "test"], ids=range(11))
def test_what_is_no_domain_is_not_asked_for(fetch, domain):
    fetch.dns.asked.clear()
    assert fetch.get(domain)[0] == FETCH_ERROR
    assert fetch.dns.asked == []


def test_a_hundred_at_once(world, fetch, host):
    cert = world.authority.issue("mta-sts.d0.test", *(f"mta-sts.d{i}.test" for i in range(1, 100)))
    with PolicyHost(world.address(), cert, GOOD) as many:
        fetch.dns.names = {f"mta-sts.d{i}.test": [many.address] for i in range(100)}
        for i in range(100):
            fetch.send(f"d{i}.test", call=100 + i)
        heard = sorted(fetch.hear()[:2] for _ in range(100))
    assert heard == [(100 + i, OK) for i in range(100)]


def test_questions_have_a_limit(world):
    fetch = Fetch(world)
    try:
        fetch.dns.silent = True
        for i in range(POLICIES_MAX + 5):
            fetch.send(f"d{i}.test", call=i)
        for i in range(5):
            call, result, why, _ = fetch.hear()
            assert (call, result) == (POLICIES_MAX + i, FETCH_ERROR) and "too many" in why
    finally:
        fetch.close()


def test_without_authorities_it_says_so(world):
    fetch = Fetch(world, ca="/nonexistent/ca.pem")
    try:
        result, why, _ = fetch.get("good.test")
        assert result == FETCH_ERROR and "CA bundle /nonexistent/ca.pem" in why
        assert "MTA-STS policies are not fetched" in fetch.log.read_text()
    finally:
        fetch.close()


def test_without_the_module_it_says_so(world, tmp_path):
    tmp_path.chmod(0o755)
    alone = shutil.copy(POSTERN, tmp_path / "postern")
    fetch = Fetch(world, program=alone)
    try:
        result, why, _ = fetch.get("good.test")
        assert result == FETCH_ERROR and "no HTTPS here" in why and "postern-fetch.so is not installed" in why
    finally:
        fetch.close()


def test_it_has_the_network_and_nothing_else(fetch, host):
    assert fetch.get("good.test")[0] == OK
    pid = fetch.role.process.pid
    status = Path(f"/proc/{pid}/status").read_text()
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status
    assert "Threads:\t1" in status
    assert os.stat(f"/proc/{pid}").st_uid != 0
    assert os.readlink(f"/proc/{pid}/root") == f"{fetch.dir}/state/empty"
    before = fetch.role.settle()
    for _ in range(20):
        fetch.get("good.test")
    end = deadline(10)
    while fetch.role.settle() > before:  # sockets close after the answer
        assert time.monotonic() < end
