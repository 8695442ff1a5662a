"""The wall clock is set while the server runs, back and forth: what was promised is there, whole and once, what waits is tried, a mailbox
keeps its UIDVALIDITY and a new one of the same name has another."""
import os
import re

import pytest

import tamper
from load import Load
from postern_site import CHEAP_HASHES, Site

USERS = ("alice", "bob")
WORKERS = ("deliver", "append", "submit")
HOUR, DAY = 3600, 86400
LONG = bool(os.environ.get("POSTERN_LONG"))
# where the clock is, one after the other: seconds off
COURSE = (-HOUR, 2 * HOUR, -DAY, 0, 40 * DAY, -400 * DAY, 0) if LONG else (-DAY, 40 * DAY, 0)
NOBODY = 'route "*" { to = "127.0.0.1:1" tls = none }\nqueue { retry_first = 1s retry_last = 2s }\n'

pytestmark = pytest.mark.skipif(not tamper.PROGRAM.exists(), reason=f"{tamper.PROGRAM} was not built")


@pytest.fixture
def tampered():
    made = tamper.Tampered()
    yield made
    made.close()


@pytest.fixture
def site(tampered):
    with Site(users=USERS, extra=f"{CHEAP_HASHES}{NOBODY}", program=tampered.program) as made:
        made.start()
        yield made
        assert made.stop() == 0
        made.check_log()


class Clients:
    """Some work, and what it says of a mailbox."""

    def __init__(self, site):
        self.site, self.load, self.validity = site, Load(site, USERS, WORKERS), 0

    def work(self):
        """Until every kind of client got something, which nobody refuses because of the time."""
        self.load = self.load.again()
        begun, owed = self.load.count(), len(self.load.owed)
        with self.load:
            self.site.wait_for(lambda: self.load.count() > begun + 9 and len(self.load.owed) > owed, 30, "some work")

    def make_anew(self, name):
        """Deletes the mailbox and makes it again: its UIDVALIDITY has grown."""
        with self.site.imap("alice") as client:
            client.delete(name)
            assert client.create(name)[0] == "OK"
            client.append(name, None, None, b"Subject: x\r\n\r\nx\r\n")
            client.select(name)
            validity = int(client.response("UIDVALIDITY")[1][0])
        assert validity > self.validity, "a mailbox has the UIDVALIDITY of an earlier one of its name, or less"
        self.validity = validity


def validity_of_inbox(site):
    with site.imap("alice") as client:
        client.select("INBOX")
        return int(client.response("UIDVALIDITY")[1][0])


def deferred(site):
    return len(site.events("defer"))


def names(site):
    return [re.sub(r",U=.*", "", p.name) for p in (site.state / "mail").glob("**/Maildir/**/*") if ",S=" in p.name]


def test_the_clock_is_set(site, tampered):
    clients = Clients(site)
    clients.work()
    inbox = validity_of_inbox(site)
    for off in COURSE:
        tampered.set_clock(off)
        clients.make_anew("Again")
        clients.work()
        before = deferred(site)
        site.wait_for(lambda: deferred(site) > before, 20, f"mail that waits to be tried with the clock off by {off} s")
        assert validity_of_inbox(site) == inbox
    clients.load.check()
    assert len(names(site)) == len(set(names(site)))
    assert not [e for e in site.events("bounce") if e.get("dsn", "").startswith("5")], "mail was given up for what the clock said"
    for user in USERS:
        done = site.postern("store", "check", site.address(user), check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{site.log_tail(60)}"


@pytest.mark.parametrize("off", [-DAY, 40 * DAY])
def test_a_start_at_another_time(site, tampered, off):
    """The clock fell, or ran ahead, with the power."""
    clients = Clients(site)
    clients.work()
    assert site.stop() == 0
    tampered.set_clock(off)
    site.start()
    clients.load.check()
    clients.work()
    clients.load.check()
