"""postern and Dovecot as the IMAP measurements see them: where a user's Maildir is, and how each comes to its first look at one."""

import os
import shutil
import time

from letters import link_as_new
from machine import Group
from postern_site import Site, free_ports
from servers import DOMAIN, DOVECOT_CONF, Peers, Postern, password, wait_for_port

NOBODY = 65534
QUIET_SECONDS = 0.3
LIMITS = "limits { sessions_per_user = 1000\n connections = 10000\n connections_per_source = 10000 }\n"


class Settles:
    """What a server does after its answer is waited for before the next number."""

    def settle(self, seconds=900):
        end = time.monotonic() + seconds
        quiet = 0
        while quiet < 3 and time.monotonic() < end:
            before = self.group.cpu_seconds()
            time.sleep(QUIET_SECONDS)
            quiet = quiet + 1 if self.group.cpu_seconds() - before < 0.01 else 0


class ImapPostern(Settles, Postern):
    def __init__(self, disk, users):
        self.group = Group(self.name)
        self.site = Site(users=users, domain=DOMAIN, where=disk.root, extra=LIMITS)
        self.smtp, self.imap, self.imaps = (self.site.ports[s] for s in ("smtp", "imap", "imaps"))

    def place(self, user):
        return self.maildirs([user])[0], (self.site.state / "mail").stat().st_uid

    def forget(self, user):
        """Its index is made when mail comes in, and stays: the first look is the one after a start."""
        self.stop()
        self.start()

    def unindex(self, user):
        """Without its search index, which begins with the first search for words."""
        self.stop()
        for file in self.place(user)[0].parent.glob("search.mdb*"):
            file.unlink()
        self.start()

    def deliver_again(self, user, source):
        self.forget(user)


class Dovecot(Settles, Peers):
    """Only Dovecot, configured as beside Postfix."""

    name = "dovecot"
    packages = ("dovecot-core",)

    def __init__(self, disk, users, certificate):
        self.group = Group(self.name)
        self.dir = disk.root / "dovecot"
        self.smtp, self.imap, self.imaps = free_ports(3)
        for d in (self.dir, self.dir / "mail"):
            d.mkdir()
            d.chmod(0o755)
        os.chown(self.dir / "mail", NOBODY, NOBODY)
        cert, key = (shutil.copy(f, self.dir) for f in certificate)
        (self.dir / "dovecot.conf").write_text(DOVECOT_CONF.format(dir=self.dir, imap=self.imap, imaps=self.imaps, cert=cert, key=key))
        (self.dir / "passwd").write_text("".join(f"{u}@{DOMAIN}:{password(u)}\n" for u in users))

    def start(self):
        self.run(*self.group.wrapper(), "dovecot", "-c", self.dir / "dovecot.conf")
        wait_for_port(self.imaps)

    def stop(self):
        self.stop_dovecot()

    def place(self, user):
        return self.maildirs([user])[0], NOBODY

    def unindex(self, user):
        """It has none, unless a plugin that is not Debian's makes one."""

    def forget(self, user):
        """Without index and cache, with its list of UIDs: nobody has looked at these messages."""
        for file in self.place(user)[0].glob("dovecot.index*"):
            file.unlink()

    def deliver_again(self, user, source):
        path, owner = self.place(user)
        shutil.rmtree(path.parent)
        link_as_new(source, path, owner)
