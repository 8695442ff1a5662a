"""The three servers of relay.py with one face: each takes mail on a port and hands it to the sink. Postfix and Exim are Debian's,
unpacked and not installed (tests/e2e/unpacked.py)."""

import contextlib
import os
import signal
import subprocess
import time

from machine import Group
from postern_site import Site, free_ports
from servers import wait_for_port
from unpacked import USERS, Space, version

POSTFIX_MAIN = """compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = permit_mynetworks reject
alias_maps =
alias_database =
default_process_limit = 200
in_flow_delay = 0
biff = no
"""
POSTFIX_MASTER = """127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60   1 pickup
cleanup   unix  n - n -    0 cleanup
qmgr      unix  n - n 300  1 qmgr
rewrite   unix  - - n -    - trivial-rewrite
bounce    unix  - - n -    0 bounce
defer     unix  - - n -    0 bounce
trace     unix  - - n -    0 bounce
verify    unix  - - n -    1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -    - proxymap
smtp      unix  - - n -    - smtp
relay     unix  - - n -    - smtp
error     unix  - - n -    - error
retry     unix  - - n -    - error
anvil     unix  - - n -    1 anvil
scache    unix  - - n -    1 scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""
EXIM = """primary_hostname = mx.example.test
spool_directory = {dir}/spool
log_file_path = {dir}/log.%s
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
disable_ipv6 = true
host_lookup =
rfc1413_hosts =
tls_advertise_hosts =
chunking_advertise_hosts =
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 200
acl_smtp_rcpt = all
acl_smtp_data = all
never_users =
begin acl
all:
  accept
begin routers
sink:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = sink
begin transports
sink:
  driver = smtp
  port = {sink}
  allow_localhost
  hosts_try_dane =
  hosts_try_chunking =
begin retry
* * F,1h,2s
"""


class Postern:
    name = "postern"

    def __init__(self, disk, sink):
        self.group = Group(self.name)
        self.site = Site(users=("alice",), where=disk.root, extra='relay_from = { "127.0.0.1" }\nlimits { connections = 10000 }\n'
                         f'route "*" {{ to = "127.0.0.1:{sink}" }}\n')
        self.port = self.site.ports["smtp"]

    def start(self):
        self.site.start(wrapper=self.group.wrapper())

    def version(self):
        return "postern, release build of " + subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()

    def waits(self):
        """Is anything left in the queue?"""
        return len(self.site.json("queue", "list"))

    def close(self):
        self.site.close()
        self.group.close()


class Peer:
    """A server in its own mount namespace, its queue on the disk that all use."""

    def __init__(self, disk, sink):
        self.group = Group(self.name)
        self.dir = disk.root / self.name
        self.dir.mkdir()
        self.dir.chmod(0o755)
        self.space = Space(self.name, disk.dir / f"{self.name}-space")
        self.port, = free_ports(1)
        self.words = {"dir": self.dir, "port": self.port, "sink": sink}
        self.configure()

    def make(self, name, owner):
        (self.dir / name).mkdir()
        os.chown(self.dir / name, USERS[owner], USERS[owner])

    def start(self):
        with open(self.dir / "log.start", "ab") as log:
            self.process = subprocess.Popen([*self.group.wrapper(), *self.space.words(*self.command)], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        wait_for_port(self.port)

    def version(self):
        return f"{self.name} {version(self.name)}"

    def close(self):
        for signo in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.group.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signo)
            end = time.monotonic() + 10
            while self.group.pids() and time.monotonic() < end:
                time.sleep(0.05)
        self.process.wait(10)
        self.space.close()
        self.group.close()


class Postfix(Peer):
    name = "postfix"
    command = ("postfix", "start-fg")

    def configure(self):
        self.make("data", "postfix")
        (self.dir / "spool").mkdir()
        self.space.put("/etc/postfix/main.cf", POSTFIX_MAIN.format(**self.words))
        self.space.put("/etc/postfix/master.cf", POSTFIX_MASTER.format(**self.words))


class Exim(Peer):
    name = "exim"
    command = ("exim4", "-bdf", "-q10s")

    def configure(self):
        self.make("spool", "Debian-exim")
        os.chown(self.dir, USERS["Debian-exim"], USERS["Debian-exim"])
        self.space.put("/etc/exim4/exim4.conf", EXIM.format(**self.words))
