"""cut_mail.py - what clients and hosts elsewhere do while the disk remembers: mail comes in, is submitted, goes out; the operator
changes accounts and looks at the queue. Each writes down what it was told (history.py)."""
import contextlib
import random
import smtplib
import threading
import time

from badmx import Server
from cut_guests import Guests
from cut_reader import Reader
from history import message, read_message

USERS = ("alice", "bob", "carol")
SIZES = (1_200_000, 300_000, 40_000, 9000, 3000, 900, 200)
# What a run has to have done, and how much longer it may take for that on a machine that has other work.
NEEDED = ("delivered", "queued", "APPEND", "STORE", "MOVE", "user add", "queue list")
PATIENCE = 30
# What hosts elsewhere say to RCPT: taken, refused for good (a bounce follows), refused for now.
ELSEWHERE = {"far": "250 2.1.5 ok", "near": "550 5.1.1 nobody", "slow": "451 4.3.0 later"}


class Numbers:
    def __init__(self):
        self.lock, self.last = threading.Lock(), 0

    def next(self):
        with self.lock:
            self.last += 1
            return self.last


class Elsewhere(Server):
    """The hosts elsewhere: every message that was heard whole is noted, with its place, before the 250."""

    def __init__(self, port, history, errors):
        self.history, self.errors = history, errors
        super().__init__("127.0.0.1", port, name="elsewhere.test", script={"rcpt": self.judge, "dot": self.note})

    @staticmethod
    def judge(_, argument):
        return ELSEWHERE[argument.partition(".test>")[0].rpartition("@")[2]]

    def note(self, session, _):
        mail = session.mails.pop()
        _, whole = read_message(mail.data)
        if not whole:
            self.errors.append(f"mail for {mail.recipients} arrived elsewhere in part")
        for address in mail.recipients:
            self.history.received.setdefault(address, self.history.position())
        return "250 2.0.0 taken"

    def remember(self, session):
        """The history is what is kept, and the sessions of now, to end them."""
        self.sessions = [s for s in self.sessions if not s.end] + [session]


class Workload:
    """Clients that write down what they were told. Each thread ends when the time is over and what is needed was done, or with the
    server. large: how many of the messages are larger than what the queue's ledger takes; guests: whether mailboxes are lent, too."""

    def __init__(self, site, history, port, seconds, seed, large=0.07, guests=False):
        self.site, self.history, self.port, self.seed, self.large, self.guests = site, history, port, seed, large, guests
        self.numbers = Numbers()
        self.end = time.monotonic() + seconds
        self.arrived = {user: [] for user in USERS}   # numbers whose delivery was acknowledged
        self.owed = []                                # addresses elsewhere whose mail was acknowledged
        self.errors = []
        self.counts = {}
        self.needed = (*NEEDED, "guests' SETACL") if guests else NEEDED

    def missed(self):
        return [what for what in self.needed if not self.counts.get(what)]

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def guarded(self, work, *args):
        try:
            work(*args)
        except Exception as e:  # a client that fails fails the run
            self.errors.append(f"{work.__name__}{args}: {type(e).__name__}: {e}")

    def run(self):
        senders, submitters = (1, 1) if self.guests else (3, 2)  # the disk is slow, and all share it
        jobs = [(self.sender, i) for i in range(senders)] + [(self.submitter, i) for i in range(submitters)] + [(self.reader, u) for u in USERS]
        jobs += [(self.operator,)] + [(self.lenders,)] * self.guests
        threads = [threading.Thread(target=self.guarded, args=job) for job in jobs]
        with Elsewhere(self.port, self.history, self.errors):
            for t in threads:
                t.start()
            for t in threads:
                t.join()

    def some_size(self, rng):
        return rng.choice(SIZES[:2] if rng.random() < self.large else SIZES[2:])

    def over(self):
        now = time.monotonic()
        return now >= self.end + PATIENCE or bool(self.errors) or (now >= self.end and not self.missed())

    def reader(self, user):
        Reader(self, user).run()

    def operator(self):
        Operator(self).run()

    def lenders(self):
        Guests(self).run()

    # -- mail comes in

    def sender(self, i):
        rng = random.Random(self.seed * 100 + i)
        with contextlib.ExitStack() as stack:
            client = None
            while not self.over():
                if client is None:
                    client = stack.enter_context(self.site.smtp("smtp"))
                    client.ehlo()
                users = rng.sample(USERS, rng.choice((1, 1, 1, 2, 3)))
                self.deliver(client, "sender@remote.test", users, (), self.some_size(rng), rng.random() < 0.06)
                if rng.random() < 0.1:
                    client.quit()
                    client = None

    def submitter(self, i):
        rng = random.Random(self.seed * 100 + 50 + i)
        user = USERS[i]
        with self.site.smtp("submission") as client:
            client.starttls(context=self.site.tls())
            client.login(self.site.address(user), self.site.password(user))
            while not self.over():
                local = rng.sample(USERS, rng.choice((0, 0, 1, 2)))
                far = rng.sample(sorted(ELSEWHERE), rng.choice((1, 1, 2)))
                self.deliver(client, self.site.address(user), local, far, self.some_size(rng), False)
                time.sleep(0.02)

    def deliver(self, client, sender, users, far, size, broken):
        number = self.numbers.next()
        self.history.sizes[number] = size
        data = message(number, size, sender)
        if broken:
            data = data[:-40] + b"a bare\nline end\r\n"
        elsewhere = [f"{number}@{name}.test" for name in far]
        made = self.history.begin(*[((u, number), (("INBOX", frozenset()),)) for u in users],
                                  *[(("queue", address), "waits") for address in elsewhere])
        client.mail(sender)
        for address in (*map(self.site.address, users), *elsewhere):
            client.rcpt(address)
        client.putcmd("data")
        code, text = client.getreply()
        if code == 354:
            client.send(data + b".\r\n")
            code, text = client.getreply()
        if code == 250:
            self.history.told(made)
            self.owed += elsewhere
            for user in users:
                self.arrived[user].append(number)
            self.count("queued" if far else "delivered")
        else:
            self.history.refused(made)
            self.count("refused")
        if broken == (code == 250):
            raise smtplib.SMTPException(f"message {number}, {'with a bare LF' if broken else 'good'}: {code} {text}")


class Operator:
    """Changes accounts and aliases that no client uses, takes mail out of the queue, looks whether mail is still owed."""

    def __init__(self, load):
        self.load, self.site, self.history = load, load.site, load.history
        self.rng = random.Random(load.seed * 1000 + 999)
        self.accounts, self.aliases, self.fresh = {}, {}, 0

    def run(self):
        ways = (self.add, self.passwd, self.quota, self.switch, self.remove, self.add_alias, self.remove_alias, self.look_at_queue, self.take_out)
        while not self.load.over():
            self.rng.choices(ways, (5, 3, 2, 2, 1, 3, 1, 5, 3))[0]()

    def command(self, changes, *words, stdin=""):
        made = self.history.begin(*changes)
        self.site.postern(*words, stdin=stdin)
        self.history.told(made)
        self.load.count(" ".join(words[:2]))

    def change(self, name, state, *words, stdin=""):
        """state: (password, quota, disabled), or None."""
        self.command([(("account", name), state)], "user", words[0], self.site.address(name), *words[1:], stdin=stdin)
        self.accounts[name] = state

    def some(self):
        there = sorted(name for name, state in self.accounts.items() if state)
        name = self.rng.choice(there) if there else None
        return name, self.accounts.get(name)

    def add(self):
        self.fresh += 1
        password = f"first-{self.fresh}"
        self.change(f"guest{self.fresh}", (password, None, False), "add", "--password-stdin", stdin=password + "\n")

    def passwd(self):
        name, state = self.some()
        if name:
            self.fresh += 1
            self.change(name, (f"next-{self.fresh}", *state[1:]), "passwd", "--password-stdin", stdin=f"next-{self.fresh}\n")

    def quota(self):
        name, state = self.some()
        if name:
            size = self.rng.randrange(1, 100)
            self.change(name, (state[0], size << 20, state[2]), "quota", f"{size}M")

    def switch(self):
        name, state = self.some()
        if name:
            self.change(name, (*state[:2], not state[2]), "enable" if state[2] else "disable")

    def remove(self):
        name, _ = self.some()
        if name:
            self.change(name, None, "del")

    def add_alias(self):
        self.fresh += 1
        name, targets = f"list{self.fresh}", tuple(sorted(map(self.site.address, self.rng.sample(USERS, 2))))
        self.command([(("alias", name), targets)], "alias", "add", self.site.address(name), *targets)
        self.aliases[name] = targets

    def remove_alias(self):
        if self.aliases:
            name = self.rng.choice(sorted(self.aliases))
            self.command([(("alias", name), None)], "alias", "del", self.site.address(name))
            del self.aliases[name]

    def look_at_queue(self):
        owed = list(self.load.owed)
        listed = {r["address"] for entry in self.site.json("queue", "list") for r in entry["recipients"]}
        now = self.history.position()
        for address in owed:
            if address not in listed:
                self.history.gone.setdefault(address, now)
        self.load.count("queue list")

    def take_out(self):
        """A message to which only the slow are left, and which its sender has had acknowledged."""
        owed = set(self.load.owed)
        waiting = [(entry["id"], [r["address"] for r in entry["recipients"]]) for entry in self.site.json("queue", "list")]
        slow = [(entry, to) for entry, to in waiting if all(a in owed and a.endswith("@slow.test") for a in to)]
        if slow:
            entry, to = self.rng.choice(slow)
            self.command([(("queue", address), None) for address in to], "queue", "delete", entry)
