"""The dns role against a signed root of our own: what is proved, what is not signed, what is forged, what is dead."""
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

import dnslab
import taken
from command import POSTERN, postern
from dnslab import DAY, DEAD, LEAVES, ROOT, TOP, Lab, Zone, colliding_keys, colliding_signatures
from postern_site import deadline

pytestmark = pytest.mark.skipif(dnslab.missing() is not None, reason=str(dnslab.missing()))

SERVICES = ("smtp", "submission", "submissions", "imap", "imaps")
HASH = "ab" * 32
FAILED, INSECURE = 0, 3  # enum dns_status

SECURE = f"""
@ MX 10 mx
@ MX 5 backup.secure.test.
@ TXT "v=spf1 " "-all"
mx A 127.53.1.1
mx AAAA 2001:db8::25
_25._tcp.mx TLSA 3 1 1 {HASH}
_25._tcp.mx TLSA 2 0 1 {HASH}
null MX 0 .
ptr PTR mx
alias CNAME alias2
alias2 CNAME mx
away CNAME step
step CNAME host.plain.test.
gone CNAME nothing
loop CNAME loop2
loop2 CNAME loop
astray CNAME host.forged.test.
*.wild A 127.53.1.7
odd MX 10 a\\032b.secure.test.
many MX 10 mx
""" + "".join(f'long TXT "{i:03d}{"x" * 240}"\n' for i in range(40)) + "".join(f"a{i} CNAME a{i + 1}\n" for i in range(14)) + \
    "a14 A 127.53.1.1\n" + "".join(f"crowd A 127.54.{i // 250}.{i % 250}\n" for i in range(300))
PLAIN = "@ MX 10 host\nhost A 127.53.1.2\n_25._tcp.host TLSA 3 1 1 " + HASH + "\nback CNAME mx.secure.test.\n"
HOST = "host A 127.53.1.3\n"


def leaf_zones(lab):
    past = ["-i", str(int(time.time()) - 20 * DAY), "-e", str(int(time.time()) - 10 * DAY)]
    zones = {name: Zone(lab, name, records, signing=signing).sign() for name, records, signing in [
        ("secure.test.", SECURE, ()), ("plain.test.", PLAIN, None), ("forged.test.", HOST, ()), ("expired.test.", HOST, past),
        ("hashed.test.", HOST, ("-n",)), ("stripped.test.", HOST, ()), ("keytrap.test.", HOST + colliding_keys(100), ()),
        ("endless.test.", HOST, ("-n", "-t", "2500"))]}
    forged = zones["forged.test."].file
    forged.write_text(forged.read_text().replace("127.53.1.3", "127.53.1.4"))
    stripped = zones["stripped.test."]
    stripped.file = stripped.file.with_suffix("")
    trap = zones["keytrap.test."].file
    lines = [line for line in trap.read_text().splitlines() if not line.startswith("host.keytrap.test.") or "RRSIG\tA" not in line]
    trap.write_text("\n".join(lines) + "\n" + colliding_signatures("keytrap.test.", 100))
    return zones


@pytest.fixture(scope="module")
def lab():
    """Root, top level and leaves, each with a server."""
    with tempfile.TemporaryDirectory(prefix="postern-dns-") as directory:
        lab = Lab(directory)
        os.chmod(directory, 0o755)
        try:
            zones = leaf_zones(lab)
            elsewhere = "".join(f"{name} NS ns.{name}\nns.{name} A {server}\n" for name, server in
                                [("dead.test.", DEAD), ("broken.test.", LEAVES), ("lame.test.", LEAVES)])
            top = Zone(lab, "test.", "".join(z.delegation() for z in zones.values()) + elsewhere, server=TOP).sign()
            root = Zone(lab, ".", top.delegation(), server=ROOT).sign()
            lab.anchor = lab.dir / "anchor"
            lab.anchor.write_text(root.ds())
            lab.hints = lab.dir / "hints"
            lab.hints.write_text(f". 3600 NS ns.\nns. 3600 A {ROOT}\n")
            lab.serve(ROOT, {".": root.file})
            lab.serve(TOP, {"test.": top.file})
            lab.serve(LEAVES, {name: z.file for name, z in zones.items()} | {"broken.test.": lab.dir / "none"})
            for address, name in ((ROOT, "."), (TOP, "test."), (LEAVES, "secure.test.")):
                lab.wait_for(address, name)
            yield lab
        finally:
            lab.close()


class Server:
    """postern in the laboratory's namespace, each on ports of its own."""
    base = 9000

    def __init__(self, lab, anchor=None, more=""):
        self.lab = lab
        self.dir = Path(tempfile.mkdtemp(prefix="postern-"))
        self.dir.chmod(0o755)
        self.conf = self.dir / "postern.conf"
        Server.base += len(SERVICES)
        listen = "\n".join(f'{s} = "127.0.0.1:{Server.base + i}"' for i, s in enumerate(SERVICES))
        self.conf.write_text(f'hostname = mx.example.test\ndomains = {{ example.test }}\nstate = "{self.dir}/state"\n'
                             f'listen {{\n{listen}\n}}\ndns {{ trust_anchor = "{anchor or lab.anchor}"\n'
                             f'root_hints = "{lab.hints}"\n{more} }}\n')
        self.log = self.dir / "log"

    def start(self):
        ready = self.log.read_text().count("event=ready") if self.log.exists() else 0
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.lab.inside(str(POSTERN), "-c", str(self.conf), "serve"), stdout=out, stderr=out)
        end = deadline(20)
        while self.log.read_text().count("event=ready") == ready and self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert self.log.read_text().count("event=ready") > ready, self.log.read_text()
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def close(self):
        self.stop()
        print(self.log.read_text())
        shutil.rmtree(self.dir)

    def ask(self, kind, name):
        status, out, err = postern("dns", "lookup", kind, name, "--json", conf=self.conf)
        answer = json.loads(out)
        assert (status == 75) == (answer["status"] in ("bogus", "failed")), err
        return answer

    def processes(self):
        state = json.loads(postern("status", "--json", conf=self.conf)[1])
        return {p["role"]: p for p in state["processes"]}


@pytest.fixture(scope="module")
def server(lab):
    server = Server(lab).start()
    try:
        yield server
    finally:
        server.close()


def secure(answer):
    return answer["status"], answer["secure"], sorted(answer["records"])


@pytest.mark.parametrize("kind, name, records", [
    ("mx", "secure.test", ["10 mx.secure.test", "5 backup.secure.test"]),
    ("MX", "SECURE.Test.", ["10 mx.secure.test", "5 backup.secure.test"]),
    ("a", "mx.secure.test", ["127.53.1.1"]),
    ("aaaa", "mx.secure.test", ["2001:db8::25"]),
    ("tlsa", "_25._tcp.mx.secure.test", [f"2 0 1 {HASH}", f"3 1 1 {HASH}"]),
    ("txt", "secure.test", ["v=spf1 -all"]),
    ("ptr", "ptr.secure.test", ["mx.secure.test"]),
    ("mx", "null.secure.test", ["0 ."]),
    ("a", "any.wild.secure.test", ["127.53.1.7"]),
    ("a", "host.hashed.test", ["127.53.1.3"]),
    ("mx", "odd.secure.test", ["10 a\\032b.secure.test"]),
    ("cname", "alias.secure.test", ["alias2.secure.test"]),
])
def test_secure(server, kind, name, records):
    answer = server.ask(kind, name)
    assert secure(answer) == ("secure", True, records), answer
    assert 0 < answer["ttl"] <= 300


@pytest.mark.parametrize("kind, name, records", [
    ("mx", "plain.test", ["10 host.plain.test"]),
    ("a", "host.plain.test", ["127.53.1.2"]),
    ("tlsa", "_25._tcp.host.plain.test", [f"3 1 1 {HASH}"]),
])
def test_delegation_without_ds_is_insecure(server, kind, name, records):
    assert secure(server.ask(kind, name)) == ("insecure", False, records)


@pytest.mark.parametrize("name", ["host.forged.test", "host.expired.test", "host.stripped.test", "astray.secure.test"])
def test_what_is_proved_wrong_is_bogus(server, name):
    answer = server.ask("a", name)
    assert (answer["status"], answer["secure"], answer["records"], answer["ttl"]) == ("bogus", False, [], 0), answer
    assert answer["why"] != ""
    assert server.ask("a", name)["status"] == "bogus"  # from the cache, too


@pytest.mark.parametrize("name, status, proved", [
    ("nothing.secure.test", "nxdomain", True),
    ("host.secure.test", "nxdomain", True),
    ("nothing.hashed.test", "nxdomain", True),
    ("nothing.plain.test", "nxdomain", False),
    ("nothing.test", "nxdomain", True),
    ("gone.secure.test", "nxdomain", True),
])
def test_names_that_are_not(server, name, status, proved):
    answer = server.ask("a", name)
    assert (answer["status"], answer["secure"], answer["records"]) == (status, proved, []), answer
    assert 0 < answer["ttl"] <= 60


@pytest.mark.parametrize("name, proved", [("mx.secure.test", True), ("host.hashed.test", True), ("host.plain.test", False)])
def test_records_that_are_not(server, name, proved):
    answer = server.ask("mx", name)
    assert (answer["status"], answer["secure"], answer["records"]) == ("nodata", proved, []), answer


@pytest.mark.parametrize("name, canonical, aliases, proved, status", [
    ("alias.secure.test", "mx.secure.test", 2, 2, "secure"),
    ("away.secure.test", "host.plain.test", 2, 2, "insecure"),
    ("back.plain.test", "mx.secure.test", 1, 0, "insecure"),
    ("mx.secure.test", "mx.secure.test", 0, 0, "secure"),
])
def test_aliases(server, name, canonical, aliases, proved, status):
    answer = server.ask("a", name)
    assert (answer["canonical"], len(answer["aliases"]), answer["aliases_secure"], answer["status"]) == \
        (canonical, aliases, proved, status), answer
    assert answer["secure"] == (status == "secure")
    assert answer["aliases"][:1] == ([name] if aliases else [])


@pytest.mark.parametrize("kind, name", [
    ("a", "loop.secure.test"), ("a", "a0.secure.test"), ("a", "crowd.secure.test"), ("a", "host.dead.test"),
    ("mx", "broken.test"), ("mx", "lame.test"),
])
def test_failures_are_temporary_and_have_words(server, kind, name):
    answer = server.ask(kind, name)
    assert (answer["status"], answer["secure"], answer["records"]) == ("failed", False, []), answer
    assert answer["why"] != ""


def beside(server, ask, count=8):
    """The longest wait of others who ask meanwhile, and what was answered."""
    answers, worst = [], 0
    threads = [threading.Thread(target=lambda i=i: answers.append(ask(i))) for i in range(count)]
    for thread in threads:
        thread.start()
    for i in range(20):
        begin = time.monotonic()
        assert server.ask("a", f"{i}{time.time_ns()}.wild.secure.test")["status"] == "secure"
        worst = max(worst, time.monotonic() - begin)
    for thread in threads:
        thread.join(60)
    assert len(answers) == count
    return worst, answers


def test_a_hundred_keys_and_signatures_keep_nobody_waiting(server):
    """KeyTrap (CVE-2023-50387): each signature could be of each key."""
    assert "ANSWER: 101" in server.lab.run(*server.lab.inside("drill", "-t", "-D", f"@{LEAVES}", "A", "host.keytrap.test"))
    worst, answers = beside(server, lambda i: server.ask("a", "host.keytrap.test"))
    assert worst < 5
    assert {answer["status"] for answer in answers} <= {"bogus", "failed"}
    assert server.ask("mx", "secure.test")["status"] == "secure"


def test_thousands_of_hashes_prove_nothing_and_keep_nobody_waiting(server):
    """RFC 9276 3.2: denials with more iterations than are worth counting are as good as unsigned, or an error."""
    worst, answers = beside(server, lambda i: server.ask("a", f"nothing{i}.endless.test"))
    assert worst < 5
    assert all((a["status"], a["secure"]) in (("nxdomain", False), ("failed", False)) for a in answers), answers
    assert server.ask("a", "host.endless.test")["records"] == ["127.53.1.3"]


def test_answers_over_tcp(server):
    answer = server.ask("txt", "long.secure.test")
    assert (answer["status"], len(answer["records"]), answer["secure"]) == ("secure", 40, True)


@pytest.mark.parametrize("kind, name", [
    ("soa", "secure.test"), ("a", "bücher.test"), ("a", ""), ("a", "a..b"), ("a", "a b"), ("a", "x" * 64), ("a", ".."),
    ("a", "a." * 127 + "b"),
])
def test_what_cannot_be_asked(server, kind, name):
    status, out, err = postern("dns", "lookup", kind, name, conf=server.conf)
    assert status == 2 and out == "" and err.startswith("postern: "), (status, out, err)


def test_words_for_people(server):
    status, out, _ = postern("dns", "lookup", "mx", "secure.test", conf=server.conf)
    assert status == 0 and "status            secure" in out and "10 mx.secure.test" in out
    status, out, err = postern("dns", "lookup", "a", "host.forged.test", conf=server.conf)
    assert status == 75 and "bogus" in out and "host.forged.test" in err


def test_a_dead_resolver_is_started_again(server):
    # a question that is open when the process dies is answered by the command line's own words
    held = threading.Thread(target=lambda: postern("dns", "lookup", "a", "other.dead.test", conf=server.conf))
    held.start()
    os.kill(server.processes()["dns"]["pid"], signal.SIGKILL)
    held.join(60)
    end = deadline(20)
    while not (server.processes()["dns"]["ready"] and server.processes()["dns"]["starts"] == 2):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert server.ask("mx", "secure.test")["status"] == "secure"


def test_the_anchor_is_kept_up_to_date(server):
    server.ask("a", "mx.secure.test")
    kept = (server.dir / "state/dns/anchor").read_text()
    assert "autotrust" in kept and "VALID" in kept  # RFC 5011 states
    assert (server.dir / "state/dns/anchor.original").read_text() == server.lab.anchor.read_text()


def test_an_anchor_that_cannot_be_written_still_validates(lab):
    server = Server(lab).start()
    try:
        server.stop()
        for name in ("anchor", "anchor.original"):
            file = server.dir / "state/dns" / name
            os.chown(file, 0, 0)
            file.chmod(0o644)
        server.start()
        assert server.ask("mx", "secure.test")["status"] == "secure"
        assert server.ask("a", "host.forged.test")["status"] == "bogus"
        assert "cannot be written" in server.log.read_text()
        assert server.processes()["dns"]["starts"] == 1
    finally:
        server.close()


def test_without_an_anchor_the_server_runs_and_says_so(lab):
    server = Server(lab, anchor=lab.dir / "nowhere").start()
    try:
        status, out, err = postern("dns", "lookup", "a", "mx.secure.test", conf=server.conf)
        assert (status, out) == (75, "") and "nowhere" in err and "dns.trust_anchor" in err
        assert server.processes()["dns"]["counters"]["out_of_service"] == 1
        assert server.log.read_text().count("no names can be looked up") == 1
    finally:
        server.close()


def test_a_new_original_replaces_the_kept_anchor(lab):
    wrong = lab.dir / "wrong"
    wrong.write_text(". IN DS 1 13 2 " + "00" * 32 + "\n")
    server = Server(lab, anchor=wrong).start()
    try:
        assert server.ask("a", "mx.secure.test")["status"] == "bogus"
        server.stop()
        server.conf.write_text(server.conf.read_text().replace(str(wrong), str(lab.anchor)))
        server.start()
        assert server.ask("a", "mx.secure.test")["status"] == "secure"
    finally:
        server.close()


def test_forwarding_validates_all_the_same(lab):
    """The leaves' server as a resolver: it knows its own zones and nothing of the way to them."""
    server = Server(lab, more=f'forward = {{ "{LEAVES}" }}').start()
    try:
        assert server.ask("a", "host.forged.test")["status"] in ("bogus", "failed")
        assert server.ask("a", "mx.secure.test")["records"] == []
    finally:
        server.close()


@pytest.fixture
def alone(lab):
    """The role alone, asked by us as queue; its state directory is one that a server has made."""
    server = Server(lab).start()
    server.stop()
    role = taken.Role(str(POSTERN), "dns", f'hostname = "mx.example.test"\ndomains = {{ "example.test" }}\n'
                      f'state = "{server.dir}/state"\ndns {{ trust_anchor = "" }}\n', server.log)
    try:
        role.queue = role.peer("queue")
        yield role.start()
    finally:
        role.end()
        server.close()


@pytest.mark.parametrize("kind, name, status, secure, canonical", [
    (1, b"localhost", INSECURE, 0, b"localhost"),       # libunbound knows it by itself
    (28, b"LocalHost.", INSECURE, 0, b"localhost"),
    (1, b"", FAILED, 0, b""),
    (1, b"a b", FAILED, 0, b"a b"),
    (6, b"localhost", FAILED, 0, b"localhost"),
    (1, b"\0" * 300, FAILED, 0, b"\0" * 300),
    (65535, b"x" * 65000, FAILED, 0, b""),
])
def test_questions_of_other_processes(alone, kind, name, status, secure, canonical):
    answer = taken.ask(alone.queue, alone.rows["lookup"], type=kind, name=name)
    assert struct.unpack_from("=BB", answer) == (status, secure)
    length = struct.unpack_from("=I", answer, 6)[0]
    assert answer[10:10 + length] == canonical


def test_only_internet_sockets(server):
    """The role has the network, and nothing that is not for asking names."""
    pid = server.processes()["dns"]["pid"]
    status = Path(f"/proc/{pid}/status").read_text()
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    assert os.stat(f"/proc/{pid}").st_uid != 0 or os.geteuid() != 0
    assert os.readlink(f"/proc/{pid}/root").endswith("/state/dns")
    assert os.readlink(f"/proc/{pid}/ns/net") == os.readlink(f"/proc/{server.process.pid}/ns/net")
