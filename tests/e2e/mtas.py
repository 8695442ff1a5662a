"""mtas.py - Debian's Postfix, Exim and OpenSMTPD as hosts of the laboratory: each takes mail for reader@<name>.test into a Maildir,
and sends from anybody to anywhere."""
import contextlib
import os
import smtplib
import socket
import subprocess
import time
from pathlib import Path

from authority import RSA
from postern_site import deadline
from unpacked import USERS, Space

RESOLVER = "192.0.2.53"

POSTFIX_MAIN = """compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = {host}
mydestination =
inet_interfaces = {address}
inet_protocols = ipv4
mynetworks = 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24
smtpd_relay_restrictions = permit_mynetworks reject_unauth_destination
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {dir}
virtual_mailbox_maps = inline:{{ {{ reader@{domain} = mail/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1000
alias_maps =
alias_database =
biff = no
smtpd_tls_security_level = may
smtpd_tls_cert_file = {chain}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
smtp_dns_support_level = dnssec
smtp_tls_security_level = dane
smtp_tls_loglevel = 1
minimal_backoff_time = 2s
maximal_backoff_time = 2s
queue_run_delay = 2s
smtp_address_preference = any
"""
POSTFIX_MASTER = """{address}:25 inet n - n - - smtpd
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
virtual   unix  - n n -    - virtual
anvil     unix  - - n -    1 anvil
scache    unix  - - n -    1 scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""
EXIM = """primary_hostname = {host}
spool_directory = {dir}/spool
log_file_path = {dir}/log.%s
log_selector = +tls_certificate_verified +tls_cipher +tls_sni
local_interfaces = {address}
daemon_smtp_ports = 25
disable_ipv6 = true
host_lookup =
rfc1413_hosts =
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
tls_advertise_hosts = *
tls_certificate = {chain}
tls_privatekey = {key}
dns_dnssec_ok = 1
acl_smtp_rcpt = known
acl_smtp_data = all
never_users =
begin acl
known:
  require verify = recipient
  accept
all:
  accept
begin routers
here:
  driver = accept
  domains = {domain}
  local_parts = reader
  transport = maildir
elsewhere:
  driver = dnslookup
  domains = ! {domain}
  dnssec_request_domains = *
  transport = remote
begin transports
maildir:
  driver = appendfile
  directory = {dir}/mail
  maildir_format
  user = reader
  group = reader
remote:
  driver = smtp
  dnssec_request_domains = *
  hosts_try_dane = *
begin retry
* * F,1h,2s
"""
OPENSMTPD = """pki {host} cert "{chain}"
pki {host} key "{key}"
table readers {{ reader@{domain} = reader }}
listen on {address} port 25 tls pki {host} hostname {host}
action "in" maildir "{dir}/mail" virtual <readers>
action "out" relay src {address} helo {host}
match from any for domain "{domain}" action "in"
match from any for any action "out"
"""


class Mta:
    """One of them. kind: of its key; dane: its zone is signed and has a TLSA record."""
    kind, dane = None, True

    def __init__(self, world):
        self.world, self.name = world, type(self).__name__.lower()
        self.domain, self.host, self.address = f"{self.name}.test", f"mx.{self.name}.test", world.address()
        world.run("ip", "addr", "add", f"{self.address}/32", "dev", "lo")  # Postfix looks for it there
        self.dir = world.dir / self.name
        self.dir.mkdir(mode=0o755)
        self.space = Space(self.name, self.dir / "space", RESOLVER)
        self.process = None
        self.certificate = world.authority.issue(self.host, kind=self.kind)
        tlsa = f"_25._tcp.mx TLSA {self.certificate.tlsa()}\n" if self.dane else ""
        world.zone(self.domain, f"@ MX 10 mx\nmx A {self.address}\n{tlsa}", signed=self.dane)
        self.words = {"dir": self.dir, "domain": self.domain, "host": self.host, "address": self.address, "uid": USERS["reader"],
                      "chain": self.certificate.chain, "key": self.certificate.key}
        self.make("mail", "reader")
        self.configure()

    def make(self, name, owner, mode=0o755):
        (self.dir / name).mkdir(mode=mode)
        os.chown(self.dir / name, USERS[owner], USERS[owner])

    def start(self, *command):
        with open(self.dir / "log.start", "ab") as log:
            self.process = subprocess.Popen(self.space.words(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = deadline(20)
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection((self.address, 25), 1).close()
                return self
            assert time.monotonic() < end and self.process.poll() is None, f"{self.name} does not start: {self.log()}"
            time.sleep(0.05)

    def log(self):
        return "".join(f.read_text(errors="replace") for f in sorted(self.dir.glob("log*")))

    def mailbox(self):
        return [f.read_bytes() for f in (self.dir / "mail").glob("new/*")]

    def send(self, sender, recipients, data, options=(), rcpt_options=()):
        with smtplib.SMTP(self.address, 25, timeout=30) as client:
            client.sendmail(sender, recipients, data, mail_options=list(options), rcpt_options=list(rcpt_options))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()

    def close(self):
        if self.process:
            self.stop()
            self.process.wait(20)
        self.space.close()


class Postfix(Mta):
    def configure(self):
        self.make("data", "postfix")
        (self.dir / "spool").mkdir()
        self.space.put("/etc/postfix/main.cf", POSTFIX_MAIN.format(**self.words))
        self.space.put("/etc/postfix/master.cf", POSTFIX_MASTER.format(**self.words))

    def start(self):
        return super().start("postfix", "start-fg")

    def stop(self):
        self.space.run("postfix", "stop")  # the foreground process is a shell, the others are its heirs

    def finger(self, level, domain):
        """posttls-finger: what Postfix makes of a domain's mail server."""
        done = self.space.run("posttls-finger", "-l", level, "-L", "summary", domain, check=False)
        return done.stdout + done.stderr


class Exim(Mta):
    def configure(self):
        self.make("spool", "Debian-exim")
        os.chown(self.dir, USERS["Debian-exim"], USERS["Debian-exim"])
        self.space.put("/etc/exim4/exim4.conf", EXIM.format(**self.words))

    def start(self):
        return super().start("exim4", "-bdf", "-q2s")


class Opensmtpd(Mta):
    """6.8 offers STARTTLS and then cannot sign with OpenSSL 3.0.14 or later, whatever the key: a handshake that always fails."""
    kind, dane = RSA, False

    def configure(self):
        key = self.dir / "key"
        key.write_text(Path(self.certificate.key).read_text())
        key.chmod(0o600)
        self.space.put("/etc/smtpd.conf", OPENSMTPD.format(**{**self.words, "key": key}))
        self.space.run("mkdir", "-p", "-m", "711", "/var/spool/smtpd", "/var/lib/opensmtpd/empty", "/run/opensmtpd")

    def start(self):
        return super().start("smtpd", "-d")
