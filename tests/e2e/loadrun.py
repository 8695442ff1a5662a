"""loadrun.py - many messages to many destinations, some of which are dead, slow or greylisting: who gets his mail when, and whether
each promised message comes exactly once."""
import collections
import contextlib
import itertools
import json
import random
import smtplib
import subprocess
import sys
import threading
import time
from pathlib import Path

from mail import message
from outlab import DEAD

HERE = Path(__file__).resolve().parent
BROKEN = (OSError, smtplib.SMTPException)
SENDERS = 8
KINDS = ("healthy", "dead", "slow", "grey")
SINK_HOLDS = 3.0  # seconds around the death of a process in which what it had not noted may be sent again


class Run:
    """A site and its destinations: d<i>.load.test. odd: how many of each of the kinds that are not healthy."""

    def __init__(self, world, destinations, odd, slow_seconds=2, grey_seconds=5, relay="", **options):
        self.world, self.destinations = world, destinations
        self.kinds = ["dead"] * odd + ["slow"] * odd + ["grey"] * odd + ["healthy"] * (destinations - 3 * odd)
        random.Random(1).shuffle(self.kinds)
        self.addresses = [world.dead() if kind == "dead" else world.address() for kind in self.kinds]
        world.zone("load.test", "".join(f"d{i} MX 10 mx{i}\nmx{i} A {a}\n" for i, a in enumerate(self.addresses)), signed=False)
        self.log = world.dir / "sink.log"
        self.log.unlink(missing_ok=True)  # of a run before
        self.sink = subprocess.Popen([sys.executable, HERE / "loadsink.py", self.log, str(slow_seconds), str(grey_seconds),
                                      *(",".join(self.of(k)) for k in ("slow", "grey"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.sink.stdout.readline() == b"ready\n"
        self.site = world.site(start=True, public=False, extra='relay_from = { "127.0.0.1" }', relay=f"connect_timeout = 10s\n{relay}", **options)
        self.promised = {}  # token → kind
        self.over = threading.Event()

    def of(self, kind):
        return [a for a, k in zip(self.addresses, self.kinds) if k == kind]

    # --- sending

    def send(self, count):
        """Sends as fast as it goes; a message is promised when it was answered with 250. What was not is sent again as another."""
        numbers, lock = itertools.count(len(self.promised)), threading.Lock()
        left = [count]

        def work(name):
            while left[0] > 0 and not self.over.is_set():
                with contextlib.suppress(*BROKEN), smtplib.SMTP("127.0.0.1", self.site.ports["smtp"], timeout=30) as client:
                    while left[0] > 0:
                        with lock:
                            n = next(numbers)
                        self.send_one(client, name, n)
                        with lock:
                            left[0] -= 1
                time.sleep(0.02)

        threads = [threading.Thread(target=work, args=(f"s{i}",)) for i in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def send_one(self, client, name, n):
        token, to = f"m{n:06}", n % self.destinations
        body = (b"x" * 70 + b"\r\n") * (n % 50) + f"end of {token}\r\n".encode()
        client.sendmail(f"{name}@{name}.example", [f"{token}@d{to}.load.test"], message(token, body))
        self.promised[token] = self.kinds[to]

    # --- what arrived

    def arrived(self):
        """{token: [times]}, each whole and for its recipient."""
        found = collections.defaultdict(list)
        for line in self.log.read_text().splitlines():
            when, token, state, recipients = line.split(" ")
            assert state == "whole" and recipients == f"{token}@d{int(token[1:]) % self.destinations}.load.test", line
            found[token].append(float(when))
        return found

    def lacking(self, kinds=KINDS):
        there = self.arrived()
        return [t for t, kind in self.promised.items() if kind in kinds and t not in there]

    def wait(self, kinds, seconds):
        """Until all that was promised to these kinds has arrived; how long it took."""
        began = time.monotonic()
        self.site.wait_for(lambda: not self.lacking(kinds), seconds, f"the mail of {kinds}; {len(self.lacking(kinds))} lack")
        return time.monotonic() - began

    def raise_the_dead(self):
        """Their addresses answer from now on, and the operator says so."""
        self.world.run("ip", "route", "replace", "local", DEAD, "dev", "lo")
        self.site.postern("queue", "retry", "--all")

    def check_once(self, deaths=()):
        """Each promised message arrived, and once; twice only where a death fell near the first time. Returns how many of each kind came
        twice: at slow hosts many a message is whole when the process dies that would have noted it."""
        assert not self.lacking(), self.lacking()[:10]
        twice = {t: sorted(times)[:-1] for t, times in self.arrived().items() if len(times) > 1}
        after = {t: [min((a - d for d in deaths), key=abs, default=1e9) for a in times] for t, times in twice.items()}
        odd = {t: times for t, times in after.items() if max(map(abs, times)) > SINK_HOLDS}
        assert not odd, f"{len(odd)} messages came twice without reason: {list(odd.items())[:10]}"
        return collections.Counter(self.promised.get(t, "not promised") for t in twice)

    def left(self):
        """Recipients in the queue by kind."""
        rows = [r["address"] for m in json.loads(self.site.postern("queue", "list", "--json", timeout=300).stdout) for r in m["recipients"]]
        return collections.Counter(self.kinds[int(a.split("@d")[1].split(".")[0])] for a in rows)

    def close(self):
        self.over.set()
        self.sink.stdin.close()
        self.sink.wait(20)
        with contextlib.suppress(AssertionError):
            self.world.run("ip", "route", "replace", DEAD, "dev", "dead0")
