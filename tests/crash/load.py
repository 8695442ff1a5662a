"""load.py - clients that send and store without pause, and remember what they were promised.

Every message has a token of its own. What was answered with 250 or OK is in `promised`: user → {token: message}, and what
was promised to hosts elsewhere in `owed`. A connection that breaks is made again; what it had not acknowledged is nobody's."""
import contextlib
import imaplib
import itertools
import smtplib
import threading

from mail import check_arrived, message
from wire import Wire

BROKEN = (OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error, AssertionError)


class Load:
    def __init__(self, site, users, workers=("deliver", "deliver", "append", "submit")):
        self.site, self.users = site, users
        self.promised = {user: {} for user in users}
        self.owed = set()
        self.numbers = itertools.count()
        self.over = threading.Event()
        self.workers = workers
        self.threads = [threading.Thread(target=self.work, args=(getattr(self, name), i)) for i, name in enumerate(workers)]

    def again(self):
        """A new load that remembers what this one was promised."""
        fresh = Load(self.site, self.users, self.workers)
        fresh.promised, fresh.owed, fresh.numbers = self.promised, self.owed, self.numbers
        return fresh

    def __enter__(self):
        self.over.clear()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def work(self, worker, seed):
        while not self.over.is_set():
            with contextlib.suppress(*BROKEN):
                worker(self.users[seed % len(self.users)])
            seed += 1
            self.over.wait(0.02)

    def make(self):
        number = next(self.numbers)
        token = f"token{number:06}x"
        return token, message(token, (token * 20 + "\r\n").encode() * (1 + number % 7 * 40) + (b"z" * 998 + b"\r\n") * (400 if number % 23 == 0 else 0))

    def deliver(self, user):
        with Wire(self.site, "smtp", timeout=10) as wire:
            wire.hello()
            for _ in range(10):
                if self.over.is_set():
                    return
                token, sent = self.make()
                wire.send(f"MAIL FROM:<s@remote.test>\r\nRCPT TO:<{user}@example.test>\r\nDATA\r\n")
                if [wire.reply()[0] for _ in range(3)] != [250, 250, 354]:
                    return
                if wire.code(sent + b".\r\n") != 250:
                    return
                self.promised[user][token] = sent

    def append(self, user):
        client = self.site.imap()
        with contextlib.closing(client.sock):
            client.sock.settimeout(10)
            client.login(self.site.address(user), self.site.password(user))
            for _ in range(10):
                if self.over.is_set():
                    return
                token, sent = self.make()
                if client.append("INBOX", r"(\Seen)", None, sent)[0] != "OK":
                    return
                self.promised[user][token] = sent

    def submit(self, user):
        with Wire(self.site, "submissions", timeout=10) as wire:
            wire.submission(user)
            for _ in range(5):
                if self.over.is_set():
                    return
                token, sent = self.make()
                wire.send(f"MAIL FROM:<{user}@example.test>\r\nRCPT TO:<{token}@remote.test>\r\nRCPT TO:<{user}@example.test>\r\nDATA\r\n")
                if [wire.reply()[0] for _ in range(4)] != [250, 250, 250, 354]:
                    return
                if wire.code(sent.replace(b"alice@", user.encode() + b"@") + b".\r\n") != 250:
                    return
                self.promised[user][token] = sent.replace(b"alice@", user.encode() + b"@")
                self.owed.add(f"{token}@remote.test")

    def count(self):
        return sum(map(len, self.promised.values())) + len(self.owed)

    def settle(self):
        """What the queue took over from a store that was gone is delivered at the next try; here it is now."""
        def local():
            return [r for m in self.site.json("queue", "list") for r in m["recipients"] if r["local"]]

        if local():
            self.site.postern("queue", "retry", "--to", "example.test", check=False)
        self.site.wait_for(lambda: not local(), 30, "the queue to deliver here")

    def check(self):
        """All that was promised is there, whole and once; what was not promised is there at most once."""
        self.settle()
        for user in self.users:
            found = {}
            for stored in self.site.inbox(user, 0):
                if b"report-type=delivery-status" in stored:
                    continue  # the server's own
                token = stored.split(b"Subject: ")[1].split(b"\r\n")[0].decode()
                assert token not in found, f"{token} is in {user}'s INBOX twice"
                found[token] = stored
            lost = [token for token in self.promised[user] if token not in found]
            assert not lost, f"{len(lost)} of {len(self.promised[user])} promised messages of {user} are lost: {lost[:5]}"
            for token, sent in self.promised[user].items():
                if found[token] != sent:  # delivered, not appended
                    check_arrived(found[token], sent)
        rows = [r["address"] for m in self.site.json("queue", "list") for r in m["recipients"]]
        assert len(rows) == len(set(rows))
        lost = self.owed - self.taken() - set(rows)
        assert not lost, f"lost from the queue: {sorted(lost)[:5]}"

    def taken(self):
        """Recipients elsewhere whose host has their mail."""
        return set()
