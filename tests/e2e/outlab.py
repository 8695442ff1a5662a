"""outlab.py - the mail world outside: a network namespace with public addresses, a signed DNS that can be changed while it
runs, a certificate authority, and postern inside it.

    with World() as world:                       # this thread, and what it starts, is inside until the end
        mx = world.address()
        cert = world.authority.issue("mx.good.test")
        world.zone("good.test", f"@ MX 10 mx\\nmx A {mx}\\n_25._tcp.mx TLSA {cert.tlsa(3, 1, 1)}\\n")
        site = world.site()                      # mx.example.test, in DNS and with a TLSA record of its own
        site.start()

Zones have a TTL of one second, and what is not there is not remembered: a change is there when zone() returns, for whoever has
nothing in a cache, and two seconds later for everybody. All of
192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/25 and 2001:db8::/48 is here; packets to 203.0.113.128/25 and
2001:db8:dead::/48 get no answer of any kind."""
import ctypes
import itertools
import os
import shutil
import subprocess
import tempfile
import time

import dnslab
from authority import Authority
from dnslab import Lab
from postern_site import CHEAP_HASHES, Site, deadline

ROOT, TOP, LEAVES, OTHER = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"
POSTERN, POSTERN6 = "198.51.100.1", "2001:db8::1"
HERE = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/25")
DEAD, DEAD6 = "203.0.113.128/25", "2001:db8:dead::/48"
CLONE_NEWNET = 0x40000000

SOA = "@ IN SOA ns.{origin} hostmaster.{origin} {serial} 3600 600 86400 0\n@ IN NS ns.{origin}\nns.{origin} IN A {server}\n"


def missing():
    """What the laboratory lacks here, in words; None when nothing."""
    if shutil.which("openssl") is None:
        return "openssl is not installed"
    return dnslab.missing()


def enter(path):
    """Puts this thread, and what it starts from now on, into a network namespace."""
    with open(path, "rb") as space:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


class Zone:
    """A zone and how it lies: signed (True, or words for ldns-signzone, or False); vouched: its DS stands in the parent;
    wrecked: a function of the finished file's text, for what must be forged; server: who answers for it (an address without a
    server: nobody)."""

    def __init__(self, world, name, records, signed=True, vouched=True, wrecked=None, server=LEAVES):
        self.world, self.name, self.server = world, name.rstrip(".") + ".", server
        self.file = world.dir / f"zone-{self.name}"
        self.keys, self.serial = [], 0
        self.change(records, signed, vouched, wrecked)

    def change(self, records, signed=True, vouched=True, wrecked=None):
        self.records, self.signed, self.vouched, self.wrecked = records, signed, vouched, wrecked

    def write(self):
        """The file that the server reads, signed anew."""
        plain = self.file.with_name(self.file.name + "plain")
        self.serial += 1
        origin = self.name if self.name != "." else ""
        plain.write_text(f"$ORIGIN {self.name}\n$TTL 1\n{SOA.format(origin=origin, server=self.server, serial=self.serial)}{self.records}\n")
        out = self.file.with_name(self.file.name + "new")
        if self.signed is False:
            shutil.copy(plain, out)
        else:
            self.make_keys()
            words = () if self.signed is True else self.signed
            self.world.run("ldns-signzone", *words, "-f", str(out), str(plain), *self.keys, cwd=self.world.dir)
        if self.wrecked:
            out.write_text(self.wrecked(out.read_text()))
        os.replace(out, self.file)

    def make_keys(self):
        if not self.keys:
            self.keys = [self.world.run("ldns-keygen", "-a", "ECDSAP256SHA256", *kind, self.name, cwd=self.world.dir).strip()
                         for kind in (("-k",), ())]

    def ds(self):
        """The records by which the parent vouches for it."""
        return self.world.run("ldns-key2ds", "-n", "-2", f"{self.keys[0]}.key", cwd=self.world.dir) if self.keys else ""

    def delegation(self):
        glue = f"{self.name} IN NS ns.{self.name}\nns.{self.name} IN A {self.server}\n"
        return glue + (self.ds() if self.signed is not False and self.vouched else "")


class Server:
    """nsd at one address, with zones that come and go. stop() and start(): the outage of a name server."""

    def __init__(self, world, address):
        self.world, self.address = world, address
        self.zones, self.process = {}, None
        self.dir = world.dir / f"nsd-{address}"
        self.dir.mkdir()
        self.conf = self.dir / "nsd.conf"

    def write(self):
        zones = "".join(f'zone:\n name: "{z.name}"\n zonefile: "{z.file}"\n' for z in self.zones.values())
        self.conf.write_text(f'server:\n ip-address: {self.address}\n server-count: 1\n username: root\n chroot: ""\n'
                             f' zonesdir: "{self.dir}"\n database: ""\n pidfile: "{self.dir}/pid"\n xfrdfile: "{self.dir}/xfrd"\n'
                             f' zonelistfile: "{self.dir}/list"\n logfile: "{self.dir}/log"\n'
                             f'remote-control:\n control-enable: yes\n control-interface: "{self.dir}/control"\n{zones}')

    def start(self):
        self.write()
        self.process = subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", str(self.conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for(next(iter(self.zones.values())))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def publish(self, zone, loads=True):
        """The zone as it is now, in a server that runs."""
        zone.write()
        known = zone.name in self.zones
        self.zones[zone.name] = zone
        if self.process is None:
            return
        self.write()
        self.world.run("/usr/sbin/nsd-control", "-c", str(self.conf), *(("reload", zone.name) if known else ("reconfig",)))
        if loads:
            self.wait_for(zone)

    def wait_for(self, zone):
        """Until it answers with the zone as it is now."""
        end = deadline(20)
        while f" {zone.serial} 3600 " not in self.ask("SOA", zone.name):
            assert time.monotonic() < end and self.process.poll() is None, f"{self.address} does not serve {zone.name}"
            time.sleep(0.02)

    def ask(self, kind, name):
        return subprocess.run(["drill", "-t", f"@{self.address}", kind, name], capture_output=True, text=True).stdout


class World(Lab):
    """See above. Everything it made is gone when it is closed."""

    def __init__(self):
        self.outside = f"/proc/{os.getpid()}/task/{os.getpid()}/ns/net"
        self.home = os.open(self.outside, os.O_RDONLY)
        self.sites, self.servers = [], {}
        super().__init__(tempfile.mkdtemp(prefix="postern-world-"))
        self.dir.chmod(0o755)
        try:
            enter(f"/proc/{self.space.pid}/ns/net")
            self.make_network()
            self.authority = Authority(self.dir / "ca")
            self.make_names()
        except BaseException:
            self.close()
            raise

    # --- network

    def make_network(self):
        for words in (*(f"route add local {net} dev lo" for net in HERE), f"addr add {POSTERN}/32 dev lo",
                      f"addr add {POSTERN6}/128 dev lo nodad", "link add dead0 type veth peer name dead1", "link set dead0 arp off up",
                      "link set dead1 up", f"route add {DEAD} dev dead0", f"route add {DEAD6} dev dead0"):
            self.run("ip", *words.split())
        self.addresses = (f"{net}.{n}" for net in ("203.0.113", "198.51.100", "192.0.2") for n in range(10, 127))
        self.addresses6 = (f"2001:db8::{n:x}" for n in itertools.count(0x1000))
        self.dead_addresses = itertools.cycle(f"203.0.113.{n}" for n in range(129, 255))

    def address(self):
        """An IPv4 address that nobody has yet."""
        return next(self.addresses)

    def address6(self):
        found = next(self.addresses6)
        self.run("ip", "addr", "add", f"{found}/128", "dev", "lo", "nodad")
        end = deadline(10)
        while "local" not in self.run("ip", "-6", "route", "show", "table", "local", found):  # the kernel adds the route a moment later
            assert time.monotonic() < end, f"no route to {found}"
        return found

    def dead(self):
        """An address that takes packets and never answers."""
        return next(self.dead_addresses)

    # --- names

    def make_names(self):
        self.top = Zone(self, "test", "", server=TOP)
        self.root = Zone(self, ".", "", server=ROOT)
        self.leaves = {}
        for address, zone in ((TOP, self.top), (ROOT, self.root)):
            self.top.make_keys()
            self.root.records = self.top.delegation()
            self.server(address).publish(zone)
            self.server(address).start()
        self.anchor = self.dir / "anchor"
        self.anchor.write_text(self.root.ds())
        self.hints = self.dir / "hints"
        self.hints.write_text(f". 3600 NS ns.\nns. 3600 A {ROOT}\n")

    def server(self, address=LEAVES):
        if address not in self.servers:
            self.servers[address] = Server(self, address)
        return self.servers[address]

    def zone(self, name, records, signed=True, vouched=True, wrecked=None, server=LEAVES, served=True, loads=True):
        """Makes the zone name (below test., or below a zone that delegates it itself), or changes it. served=False: delegated to an
        address where nobody answers for it; loads=False: to a server that knows it and cannot read it (SERVFAIL)."""
        name = name.rstrip(".") + "."
        zone = self.leaves.get(name)
        if zone is None:
            zone = self.leaves[name] = Zone(self, name, records, signed, vouched, wrecked, server)
        before = zone.delegation() if zone.keys else ""
        zone.change(records, signed, vouched, wrecked)
        if served:
            self.server(zone.server).publish(zone, loads)
            if self.server(zone.server).process is None:
                self.server(zone.server).start()
        if zone.delegation() != before and name.count(".") == 2:
            self.top.records = "".join(z.delegation() for z in self.leaves.values() if z.name.count(".") == 2)
            self.server(TOP).publish(self.top)
        return zone

    # --- postern

    def site(self, extra="", start=False, limits="retry_first = 1s\nretry_last = 3s", relay="", dns="", public=True, **options):
        """postern as mx.example.test: on 25 of its public addresses (one site at a time) and on ports of loopback for the clients of
        class Site. limits: of section queue; relay, dns: more of those sections. options: of class Site."""
        cert = self.authority.issue("mx.example.test")
        self.zone("example.test", f"@ MX 10 mx\nmx A {POSTERN}\nmx AAAA {POSTERN6}\n_25._tcp.mx TLSA {cert.tlsa()}\n")
        text = (f'{CHEAP_HASHES}tls {{ certificate = "{cert.chain}"\nkey = "{cert.key}" }}\n'
                f'dns {{ trust_anchor = "{self.anchor}"\nroot_hints = "{self.hints}"\n{dns} }}\n'
                f'queue {{ {limits} }}\nrelay {{ ca_file = "{self.authority.certificate.alone}"\n{relay} }}\n{extra}')
        site = Site(extra=text, listen={"smtp": (f"{POSTERN}:25", f"[{POSTERN6}]:25")} if public else None, **options)
        site.certificate = self.authority.certificate.alone
        self.sites.append(site)
        return site.start() if start else site

    def lookup(self, site, kind, name):
        """What postern sees."""
        return site.json("dns", "lookup", kind, name, check=False)

    # --- the end

    def close(self):
        for site in self.sites:
            site.close()
        for server in self.servers.values():
            server.stop()
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.setns(self.home, CLONE_NEWNET) == 0
        os.close(self.home)
        super().close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
