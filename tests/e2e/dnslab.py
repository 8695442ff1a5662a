"""dnslab.py - a DNS world of its own for tests: a signed root, the top level test. and zones below it, on
loopback addresses of a network namespace. Servers are nsd, keys and signatures come from ldns."""
import base64
import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT, TOP, LEAVES, DEAD = "127.53.0.1", "127.53.0.2", "127.53.0.3", "127.53.0.9"
DAY = 86400

SOA = "@ 300 IN SOA ns.{zone} hostmaster.{zone} 1 3600 600 86400 60\n@ 300 IN NS ns.{zone}\nns 300 IN A {server}\n"


def missing():
    """What the laboratory lacks here, in words; None when nothing."""
    for program in ("nsd", "ldns-signzone", "ldns-keygen", "unshare", "nsenter", "ip"):
        if not (shutil.which(program) or Path("/usr/sbin", program).exists()):
            return f"{program} is not installed (packages nsd, ldnsutils, util-linux, iproute2)"
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        return "network namespaces need root"
    return None


class Zone:
    """A zone file; signed when signing is not None (extra words for ldns-signzone)."""

    def __init__(self, lab, name, records, server=LEAVES, signing=()):
        self.lab, self.name, self.server = lab, name, server
        self.file = lab.dir / f"zone{name.replace('.', '_')}"
        origin = name if name != "." else ""
        head = SOA if name != "." else SOA.replace("ns 300", "ns. 300")
        self.file.write_text(f"$ORIGIN {name}\n$TTL 300\n" + head.format(zone=origin, server=server) + records)
        self.signing = signing
        self.keys = [self.key("-k"), self.key()] if signing is not None else []

    def key(self, *kind):
        return self.lab.run("ldns-keygen", "-a", "ECDSAP256SHA256", *kind, self.name, cwd=self.lab.dir).strip()

    def sign(self):
        if self.signing is not None:
            signed = self.file.with_suffix(".signed")
            self.lab.run("ldns-signzone", *self.signing, "-f", str(signed), str(self.file), *self.keys, cwd=self.lab.dir)
            self.file = signed
        return self

    def ds(self):
        """The records that make the parent vouch for it."""
        return self.lab.run("ldns-key2ds", "-n", "-2", f"{self.keys[0]}.key", cwd=self.lab.dir) if self.keys else ""

    def delegation(self, server=None):
        return f"{self.name} 300 IN NS ns.{self.name}\nns.{self.name} 300 IN A {server or self.server}\n" + self.ds()


P256 = 2 ** 256 - 2 ** 224 + 2 ** 192 + 2 ** 96 - 1  # the field of ECDSAP256SHA256
BASE = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
        0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)
COLLIDING_TAG = 4711
FREE_FLAGS = 0xfe7e  # of a DNSKEY: neither zone key, nor revoked, nor secure entry point (RFC 4034 2.1.1)


def public_keys():
    """Points of the curve: public keys that every validator calculates with. The multiples of the base from the third on."""
    slope = (3 * BASE[0] ** 2 - 3) * pow(2 * BASE[1], -1, P256)
    x = (slope * slope - 2 * BASE[0]) % P256
    y = (slope * (BASE[0] - x) - BASE[1]) % P256
    while True:
        slope = (y - BASE[1]) * pow(x - BASE[0], -1, P256)
        x, y = (slope * slope - x - BASE[0]) % P256, slope
        y = (slope * (BASE[0] - x) - BASE[1]) % P256
        yield x.to_bytes(32, "big") + y.to_bytes(32, "big")


def key_tag(flags, key):
    """RFC 4034, appendix B."""
    data = flags.to_bytes(2, "big") + b"\3\15" + key
    total = sum(byte if i % 2 else byte << 8 for i, byte in enumerate(data))
    return (total + (total >> 16)) & 0xffff


def colliding_keys(count, tag=COLLIDING_TAG):
    """DNSKEY records of one tag (KeyTrap, CVE-2023-50387): flags that mean nothing make up the difference."""
    found = []
    for key in public_keys():
        flags = 256 | (tag - key_tag(256, key)) % 0xffff & FREE_FLAGS
        if key_tag(flags, key) == tag:
            found.append(f"@ 300 IN DNSKEY {flags} 3 13 {base64.b64encode(key).decode()}\n")
        if len(found) == count:
            return "".join(found)


def colliding_signatures(zone, count, tag=COLLIDING_TAG):
    """Signatures of the A records of host, all wrong, by any of those keys."""
    now = time.time()
    begin, end = (time.strftime("%Y%m%d%H%M%S", time.gmtime(now + days * DAY)) for days in (-1, 10))
    return "".join(f"host.{zone} 300 IN RRSIG A 13 {zone.count('.') + 1} 300 {end} {begin} {tag} {zone} "
                   f"{base64.b64encode(os.urandom(64)).decode()}\n" for _ in range(count))


class Lab:
    def __init__(self, directory):
        self.dir = Path(directory)
        self.processes = []
        self.space = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec sleep 100000"],
                                      stdout=subprocess.PIPE)
        assert self.space.stdout.readline() == b"up\n"

    def run(self, *command, **options):
        done = subprocess.run(command, capture_output=True, text=True, **options)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def inside(self, *command):
        """A command line that runs in the namespace."""
        return ["nsenter", f"--net=/proc/{self.space.pid}/ns/net", *command]

    def serve(self, address, zones):
        """zones: name → file; a file that is not there makes the server answer SERVFAIL."""
        home = self.dir / address
        home.mkdir(exist_ok=True)
        conf = home / "nsd.conf"
        conf.write_text(f'server:\n ip-address: {address}\n server-count: 1\n username: root\n chroot: ""\n zonesdir: "{home}"\n'
                        f' database: ""\n pidfile: "{home}/pid"\n xfrdfile: "{home}/xfrd"\n zonelistfile: "{home}/list"\n'
                        ' logfile: "/dev/null"\nremote-control:\n control-enable: no\n' +
                        "".join(f'zone:\n name: "{name}"\n zonefile: "{file}"\n' for name, file in zones.items()))
        server = subprocess.Popen(self.inside("/usr/sbin/nsd", "-d", "-c", str(conf)), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.processes.append(server)
        return server

    def wait_for(self, address, name):
        for _ in range(100):
            done = subprocess.run(self.inside("drill", "-t", f"@{address}", "SOA", name), capture_output=True, text=True)
            if "ANSWER: 1" in done.stdout:
                return
            time.sleep(0.1)
        raise AssertionError(f"no server at {address}: {done.stdout}{done.stderr}")

    def close(self):
        for process in self.processes + [self.space]:
            process.terminate()
        for process in self.processes + [self.space]:
            process.wait(20)
