"""kill -9 under mailboxes that users lend to each other: what was answered OK of rights, \\Seen and messages on their way between the accounts is
there (cut_guests.py, cut_check.py; the power fails in test_powercut.py)."""
import contextlib
import imaplib
import os
import signal
import threading

import pytest

from cut_check import Found, Inspection, compare
from cut_guests import GUESTS, LENT, OWNER, Guests
from cut_mail import USERS, Numbers
from history import History
from postern_site import CHEAP_HASHES, NOWHERE, Site
from test_crash import gone

LONG = bool(os.environ.get("POSTERN_LONG"))
ROUNDS = 25 if LONG else 1
CONF = CHEAP_HASHES + "\n" + NOWHERE + "\nstore { processes = 1 }\nimap { processes = 1 shared = yes }\n"
WORK_BEFORE = 30  # commands before somebody is killed
PATIENCE = 30


class Ticks:
    def __init__(self):
        self.lock, self.now = threading.Lock(), 0

    def __call__(self):
        with self.lock:
            self.now += 1
            return self.now


class Clients:
    """What Guests wants of a load; the clock of its history counts."""

    def __init__(self, site, seed):
        self.site, self.seed, self.history, self.numbers = site, seed, History(Ticks()), Numbers()
        self.counts, self.wrong = {}, []
        self.struck, self.ended = threading.Event(), threading.Event()

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def done(self):
        return sum(self.counts.values())

    def over(self):
        return self.ended.is_set()

    @staticmethod
    def some_size(rng):
        return rng.choice((200, 900, 9000, 40_000))

    def work(self):
        """Until it is over, or a connection breaks or has nothing behind it any more."""
        try:
            Guests(self).run()
        except Exception as e:
            if not self.struck.is_set():
                self.wrong.append(f"{type(e).__name__}: {e}")


@pytest.fixture
def site():
    with Site(users=(*USERS, OWNER), extra=CONF) as made:
        made.start()
        yield made
        if made.process is not None:
            assert made.stop() == 0
        made.check_log(killed=True)


def lets_all_in(site):
    with contextlib.suppress(OSError, EOFError, imaplib.IMAP4.error):
        for user in (*GUESTS, OWNER):
            site.imap(user).logout()
        return True
    return False


def strike(site, victim):
    if victim == "parent":
        pids = [pid for _, _, pid in site.processes()]
        site.kill()
        gone(pids)
        site.start()
    else:
        os.kill(site.pids(victim)[0], signal.SIGKILL)
    site.wait_for(lambda: lets_all_in(site), PATIENCE, "all to be let in")


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("victim", ["store", "parent", *(("imap",) if LONG else ())])
def test_what_guests_were_told_outlives_a_kill(site, victim, seed):
    clients = Clients(site, seed)
    worker = threading.Thread(target=clients.work)
    worker.start()
    site.wait_for(lambda: clients.done() > WORK_BEFORE or not worker.is_alive(), PATIENCE, "some work")
    clients.struck.set()
    strike(site, victim)
    clients.ended.set()
    worker.join(PATIENCE)
    assert not worker.is_alive() and not clients.wrong, clients.wrong
    found = Found()
    Inspection(site, found, {}, lambda _: [], LENT).read()
    wrong = compare(clients.history, clients.history.position(), found)
    assert not wrong, "\n".join([*wrong[:10], str(clients.counts)])
