"""The two servers under measurement, with one face: start, stop, ports, where the messages of a user lie."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from machine import Group
from postern_site import Site, free_ports

DOMAIN = "example.test"
USERS = [f"u{i}" for i in range(10)]  # who gets the load
IDLERS = [f"s{i}" for i in range(10)]  # whose INBOX idle sessions have open
BIG = "big"  # whose INBOX is large
EVERYBODY = [*USERS, *IDLERS, BIG]


def password(user):
    return f"{user}-secret"


def wait_for_port(port, seconds=30):
    end = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def count_files(directories):
    total = 0
    for d in directories:
        for sub in ("new", "cur"):
            try:
                with os.scandir(d / sub) as entries:
                    total += sum(1 for _ in entries)
            except FileNotFoundError:
                pass
    return total


class Postern:
    name = "postern"

    def __init__(self, disk):
        self.group = Group(self.name)
        self.site = Site(users=EVERYBODY, domain=DOMAIN, where=disk.root,
                         extra="limits { sessions_per_user = 1000\n connections = 10000 }\n")
        self.smtp = self.site.ports["smtp"]
        self.imap = self.site.ports["imap"]
        self.imaps = self.site.ports["imaps"]

    def start(self):
        self.site.start(wrapper=self.group.wrapper())

    def stop(self):
        self.site.stop()

    def maildirs(self, users):
        return [self.site.state / "mail" / DOMAIN / user / "Maildir" for user in users]

    def certificate(self):
        return self.site.state / "keys/self-signed.pem", self.site.state / "keys/self-signed.key"

    def version(self):
        return "postern, release build of " + subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True,
                                                             cwd=Path(__file__).parent).stdout.strip()

    def close(self):
        self.site.close()
        self.group.close()


MAIN_CF = """compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
maillog_file = {dir}/postfix.log
maillog_file_prefixes = {dir}
myhostname = mx.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 192.0.2.1
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{dir}/users
virtual_transport = lmtp:unix:{dir}/lmtp
alias_maps =
alias_database =
default_process_limit = 200
in_flow_delay = 0
biff = no
"""

MASTER_CF = """127.0.0.1:{smtp} inet n - n - - smtpd
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
proxywrite unix - - n -    1 proxymap
showq     unix  n - n -    - showq
error     unix  - - n -    - error
retry     unix  - - n -    - error
lmtp      unix  - - n -    - lmtp
anvil     unix  - - n -    1 anvil
scache    unix  - - n -    1 scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""

DOVECOT_CONF = """protocols = imap lmtp
listen = 127.0.0.1
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
mail_location = maildir:~/Maildir
mail_max_userip_connections = 0
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/passwd
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={dir}/mail/%n
}}
namespace inbox {{
  inbox = yes
}}
default_vsz_limit = 4 G
default_client_limit = 8000
default_process_limit = 4000
service anvil {{
  client_limit = 20000
}}
service auth {{
  client_limit = 20000
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 4000
}}
service lmtp {{
  unix_listener {dir}/lmtp {{
    mode = 0666
  }}
}}
"""


class Peers:
    """Postfix and Dovecot as Debian packages them, each with its own configuration and directories, Postfix handing over by LMTP."""

    name = "postfix+dovecot"

    def __init__(self, disk, certificate):
        self.group = Group(self.name)
        self.dir = disk.root / "peers"
        self.smtp, self.imap, self.imaps = free_ports(3)
        self.make_directories()
        cert, key = (shutil.copy(f, self.dir) for f in certificate)
        words = dict(dir=self.dir, domain=DOMAIN, smtp=self.smtp, imap=self.imap, imaps=self.imaps, cert=cert, key=key)
        (self.dir / "postfix/main.cf").write_text(MAIN_CF.format(**words))
        (self.dir / "postfix/master.cf").write_text(MASTER_CF.format(**words))
        (self.dir / "dovecot.conf").write_text(DOVECOT_CONF.format(**words))
        (self.dir / "users").write_text("".join(f"{u}@{DOMAIN} {u}\n" for u in EVERYBODY))
        (self.dir / "passwd").write_text("".join(f"{u}@{DOMAIN}:{password(u)}\n" for u in EVERYBODY))

    def make_directories(self):
        for name in ("", "postfix", "spool", "data", "mail"):
            (self.dir / name).mkdir()
        for name in ("", "spool", "mail"):
            (self.dir / name).chmod(0o755)
        shutil.chown(self.dir / "data", "postfix", "postfix")
        shutil.chown(self.dir / "mail", 65534, 65534)

    def run(self, *words, check=True):
        """What daemons write goes to a file: a pipe would stay open as long as they live."""
        with open(self.dir / "start.log", "ab") as log:
            done = subprocess.run([*map(str, words)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60)
        if check and done.returncode != 0:
            raise RuntimeError(f"{words}: {(self.dir / 'start.log').read_text()}")

    def start(self):
        self.run(*self.group.wrapper(), "dovecot", "-c", self.dir / "dovecot.conf")
        self.run(*self.group.wrapper(), "postfix", "-c", self.dir / "postfix", "start")
        for port in (self.smtp, self.imaps):
            wait_for_port(port)

    def stop(self):
        self.run("postfix", "-c", self.dir / "postfix", "stop", check=False)
        self.stop_dovecot()

    def stop_dovecot(self):
        self.run("doveadm", "-c", self.dir / "dovecot.conf", "stop", check=False)
        end = time.monotonic() + 20
        while self.group.pids() and time.monotonic() < end:
            time.sleep(0.1)
        for pid in self.group.pids():
            os.kill(pid, signal.SIGKILL)

    def maildirs(self, users):
        return [self.dir / "mail" / user / "Maildir" for user in users]

    packages = ("postfix", "dovecot-core")

    def version(self):
        words = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *self.packages], capture_output=True,
                               text=True).stdout.split("\n")
        return ", ".join(w for w in words if w)

    def close(self):
        self.stop()
        self.group.close()
