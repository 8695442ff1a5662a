"""powercut.py - a server at work on a disk that remembers, then every disk that a power cut could have left, and what
must be on it.

   python3 powercut.py [--filesystem ext4|xfs] [--seconds N] [--images N] [--seed N]      by hand
   test_powercut.py                                                                      from ./test crash

The checker knows nothing of the inside: it starts the server on the disk, reads every mailbox by IMAP and the queue by
`postern queue`, counts the files of the Maildirs, and compares with what the clients had been told (history.py).
"""
import argparse
import imaplib
import os
import random
import re
import shutil
import smtplib
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from disk import Images, LoggedDisk, Mounted  # noqa: E402
from history import History, body, message, read_message  # noqa: E402
import postern_site as sites  # noqa: E402

CONF = """auth { hash_memory = 64K hash_passes = 1 }
store { processes = 2 }
""" + sites.NOWHERE
USERS = ("alice", "bob", "carol")
KEYWORDS = ("$Forwarded", "Later")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft")
BOXES = ("Work", "Work/Old", "Kept")
imaplib._MAXLINE = 10_000_000


SIZES = (1_200_000, 300_000, 40_000, 9000, 3000, 900, 200)


def some_size(rng):
    return rng.choice(SIZES[:2] if rng.random() < 0.07 else SIZES[2:])


class Numbers:
    def __init__(self):
        self.lock, self.last = threading.Lock(), 0

    def next(self):
        with self.lock:
            self.last += 1
            return self.last


class Workload:
    """Clients that write down what they were told. Each thread ends at `until` or with the server."""

    def __init__(self, site, history, seconds, seed):
        self.site, self.history, self.seed = site, history, seed
        self.numbers = Numbers()
        self.end = time.monotonic() + seconds
        self.arrived = {user: [] for user in USERS}   # numbers whose delivery was acknowledged
        self.errors = []
        self.counts = {}

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def guarded(self, work, *args):
        try:
            work(*args)
        except Exception as e:  # a client that fails fails the run
            self.errors.append(f"{work.__name__}{args}: {type(e).__name__}: {e}")

    def run(self):
        jobs = [(self.sender, i) for i in range(3)] + [(self.submitter, i) for i in range(2)] + [(self.reader, u) for u in USERS]
        threads = [threading.Thread(target=self.guarded, args=job) for job in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def over(self):
        return time.monotonic() >= self.end

    # -- mail comes in

    def sender(self, i):
        rng = random.Random(self.seed * 100 + i)
        client = None
        while not self.over():
            if client is None:
                client = self.site.smtp("smtp")
                client.ehlo()
            users = rng.sample(USERS, rng.choice((1, 1, 1, 2, 3)))
            broken = rng.random() < 0.06
            self.deliver(client, "sender@remote.test", users, (), some_size(rng), broken)
            if rng.random() < 0.1:
                client.quit()
                client = None
        if client:
            client.quit()

    def submitter(self, i):
        rng = random.Random(self.seed * 100 + 50 + i)
        user = USERS[i]
        client = self.site.smtp("submission")
        client.starttls(context=self.site.tls())
        client.login(self.site.address(user), self.site.password(user))
        while not self.over():
            local = rng.sample(USERS, rng.choice((0, 0, 1, 2)))
            self.deliver(client, self.site.address(user), local, ("far", "near")[:rng.choice((1, 1, 2))], some_size(rng), False)
            time.sleep(0.02)
        client.quit()

    def deliver(self, client, sender, users, far, size, broken):
        number = self.numbers.next()
        data = message(number, size, sender)
        if broken:
            data = data[:-40] + b"a bare\nline end\r\n"
        made = self.history.begin(*[((u, number), (("INBOX", frozenset()),)) for u in users],
                                  *[(("queue", f"{number}@{name}.test"), "waits") for name in far])
        client.mail(sender)
        for user in users:
            client.rcpt(self.site.address(user))
        for name in far:
            client.rcpt(f"{number}@{name}.test")
        client.putcmd("data")
        code, text = client.getreply()
        if code == 354:
            client.send(data + b".\r\n")
            code, text = client.getreply()
        if code == 250:
            self.history.told(made)
            for user in users:
                self.arrived[user].append(number)
            self.count("queued" if far else "delivered")
        else:
            self.history.refused(made)
            self.count("refused")
            if not broken:
                raise AssertionError(f"message {number}: {code} {text}")
        if broken and code == 250:
            raise AssertionError(f"message {number} with a bare LF was taken")

    # -- a user at work

    def reader(self, user):
        Reader(self, user).run()


class Reader:
    """One user's mail program: knows where each of his messages is and with which flags."""

    def __init__(self, load, user):
        self.load, self.user, self.history = load, user, load.history
        self.rng = random.Random(load.seed * 1000 + sum(user.encode()))
        self.client = load.site.imap(user)
        self.at = {}          # number → [[mailbox, uid, flags], …]
        self.box = None
        self.ids = {}
        self.boxes = {"INBOX"}
        self.fresh = 0

    def run(self):
        for box in BOXES:
            self.create(box)
        ways = [(self.append, 6), (self.flag, 8), (self.move, 5), (self.copy, 2), (self.expunge, 4), (self.look, 4),
                (self.create_one, 1), (self.rename_one, 1)]
        work, weights = zip(*ways)
        self.look()
        while not self.load.over():
            self.rng.choices(work, weights)[0]()
        self.client.logout()

    def must(self, result, what):
        if result[0] != "OK":
            raise AssertionError(f"{self.user}: {what}: {result}")
        self.load.count(what)
        return result[1]

    def select(self, box):
        if self.box != box:
            self.must(self.client.select(f'"{box}"'), "SELECT")
            self.box = box
            self.note_header()

    def number_of(self, code):
        data = self.client.response(code)[1]
        return int(data[-1]) if data and data[-1] is not None else None

    def note_header(self):
        self.ids[self.box] = self.number_of("UIDVALIDITY")   # no two mailboxes of a user have the same
        self.history.fact(self.user, self.ids[self.box], uidnext=self.number_of("UIDNEXT"))

    def state(self, number):
        found = sorted((box, tuple(sorted(flags))) for box, _, flags in self.at.get(number, ()))
        return tuple((box, frozenset(flags)) for box, flags in found) or None

    def subject(self, number):
        return (self.user, number)

    def places(self, box=None):
        return [(number, place) for number, places in self.at.items() for place in places if box in (None, place[0])]

    def change(self, number, old, new):
        """The state of the message when the place `old` has become `new` (None: gone)."""
        kept = self.at[number]
        self.at[number] = [p for p in kept if p is not old] + ([new] if new else [])
        state = self.state(number)
        self.at[number] = kept
        return state

    def apply(self, number, old, new):
        self.at[number] = [p for p in self.at[number] if p is not old] + ([new] if new else [])

    def look(self):
        """Learns what was delivered meanwhile."""
        self.box = None
        self.select("INBOX")
        known = {place[1] for _, place in self.places("INBOX")}
        acknowledged = set(self.load.arrived[self.user])
        data = self.must(self.client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (X-CRASH)])"), "FETCH")
        for item in data:
            if not isinstance(item, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
            number = int(item[1].split()[1])
            self.history.fact(self.user, self.ids["INBOX"], uids={uid: number})
            if uid not in known and number in acknowledged and number not in self.at:
                self.at[number] = [["INBOX", uid, set()]]

    def pick(self):
        places = self.places()
        if not places:
            return None, None
        box = self.rng.choice([self.box] * 3 + sorted(self.boxes))
        return self.rng.choice(self.places(box) or places)

    def uids_of(self, code, box, numbers):
        """The pair of UID sets in a response code (APPENDUID, COPYUID), single UIDs here."""
        data = self.client.response(code)[1][-1].split()
        uid = int(data[-1])
        if box in self.ids:
            self.history.fact(self.user, self.ids[box], uids={uid: numbers})
        return uid

    def append(self):
        number, box = self.load.numbers.next(), self.rng.choice(sorted(self.boxes))
        flags = set(self.rng.sample(FLAGS + KEYWORDS, self.rng.choice((0, 1, 2))))
        self.at[number] = []
        made = self.history.begin((self.subject(number), ((box, frozenset(flags)),)))
        self.must(self.client.append(f'"{box}"', f"({' '.join(sorted(flags))})", None, message(number, some_size(self.rng))), "APPEND")
        self.history.told(made)
        self.at[number] = [[box, self.uids_of("APPENDUID", box, number), flags]]

    def flag(self):
        number, place = self.pick()
        if number is None:
            return
        self.select(place[0])
        flag = self.rng.choice(FLAGS + KEYWORDS)
        new = [place[0], place[1], place[2] ^ {flag}]
        made = self.history.begin((self.subject(number), self.change(number, place, new)))
        self.must(self.client.uid("STORE", str(place[1]), "+FLAGS" if flag in new[2] else "-FLAGS", f"({flag})"), "STORE")
        self.history.told(made)
        self.apply(number, place, new)

    def transfer(self, verb):
        number, place = self.pick()
        if number is None:
            return
        target = self.rng.choice(sorted(self.boxes - {place[0]}))
        self.select(place[0])
        new = [target, 0, set(place[2])]
        kept = None if verb == "MOVE" else place
        places = [p for p in self.at[number] if p is not place] + ([kept] if kept else []) + [new]
        before, self.at[number] = self.at[number], places
        state, self.at[number] = self.state(number), before
        made = self.history.begin((self.subject(number), state))
        self.must(self.client.uid(verb, str(place[1]), f'"{target}"'), verb)
        self.history.told(made)
        self.at[number] = places
        new[1] = self.uids_of("COPYUID", target, number)

    def move(self):
        self.transfer("MOVE")

    def copy(self):
        self.transfer("COPY")

    def expunge(self):
        number, place = self.pick()
        if number is None or len(self.places()) < 10:
            return
        self.select(place[0])
        marked = [place[0], place[1], place[2] | {"\\Deleted"}]
        made = self.history.begin((self.subject(number), self.change(number, place, marked)))
        self.must(self.client.uid("STORE", str(place[1]), "+FLAGS.SILENT", "(\\Deleted)"), "STORE")
        self.history.told(made)
        self.apply(number, place, marked)
        made = self.history.begin((self.subject(number), self.change(number, marked, None)))
        self.must(self.client.uid("EXPUNGE", str(place[1])), "EXPUNGE")
        self.history.told(made)
        self.apply(number, marked, None)

    def create(self, box):
        made = self.history.begin(((self.user, "box", box), "there"))
        self.must(self.client.create(f'"{box}"'), "CREATE")
        self.history.told(made)
        self.boxes.add(box)

    def create_one(self):
        self.fresh += 1
        self.create(f"New {self.fresh}")

    def rename_one(self):
        self.fresh += 1
        old, new = self.rng.choice(sorted(self.boxes - {"INBOX", "Work"})), f"Box {self.fresh}"
        moved = [(number, place) for number, place in self.places(old)]
        for _, place in moved:
            place[0] = new
        made = self.history.begin(((self.user, "box", old), None), ((self.user, "box", new), "there"),
                                  *[(self.subject(n), self.state(n)) for n in {number for number, _ in moved}])
        self.must(self.client.rename(f'"{old}"', f'"{new}"'), "RENAME")
        self.history.told(made)
        self.boxes = self.boxes - {old} | {new}
        self.box = None if self.box == old else self.box
        if old in self.ids:
            self.ids[new] = self.ids.pop(old)


class Found:
    """What the server shows of a disk."""

    def __init__(self):
        self.messages = {}   # (user, number) → [(mailbox, flags), …]
        self.uidnext = {}    # (user, UIDVALIDITY) → UIDNEXT
        self.uids = {}       # (user, UIDVALIDITY) → {uid: number}
        self.boxes = set()   # (user, name)
        self.queue = {}      # address → how often
        self.faults = []


class Inspection:
    def __init__(self, site, found):
        self.site, self.found = site, found

    def read(self):
        for user in USERS:
            self.read_user(user)
        self.read_queue()
        for user in USERS:
            self.check_files(user)

    def read_user(self, user):
        client = self.site.imap(user)
        for line in client.list()[1]:
            if line and b"\\NonExistent" not in line:
                box = re.search(rb'"/" "?([^"]*)"?$', line).group(1).decode()
                self.found.boxes.add((user, box))
                self.read_box(client, user, box)
        client.logout()

    def read_box(self, client, user, box):
        answer = client.select(f'"{box}"', readonly=True)
        if answer[0] != "OK":
            self.found.faults.append(f"{user}: EXAMINE {box}: {answer}")
            return
        number = {code: int(client.response(code)[1][-1]) for code in ("UIDVALIDITY", "UIDNEXT", "EXISTS")}
        key = (user, number["UIDVALIDITY"])
        self.found.uidnext[key] = number["UIDNEXT"]
        self.found.uids[key] = {}
        _, data = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
        got = [item for item in data if isinstance(item, tuple)]
        if len(got) != number["EXISTS"]:
            self.found.faults.append(f"{user} {box}: {number['EXISTS']} messages exist, {len(got)} were fetched")
        for head, content in got:
            self.read_message(user, box, key, head, content)

    def read_message(self, user, box, key, head, content):
        uid = int(re.search(rb"UID (\d+)", head).group(1))
        flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", head).group(1).decode().split()) - {"\\Recent"}
        number, whole = read_message(content)
        if number is None or not whole:
            self.found.faults.append(f"{user} {box}: UID {uid} is not a whole message ({len(content)} bytes)")
            return
        self.found.uids[key][uid] = number
        self.found.messages.setdefault((user, number), []).append((box, flags))

    def read_queue(self):
        queued = self.site.json("queue", "list")
        for entry in queued if isinstance(queued, list) else queued["messages"]:
            for recipient in entry["recipients"]:
                address = recipient["address"]
                self.found.queue[address] = self.found.queue.get(address, 0) + 1
            self.check_content(entry)

    def check_content(self, entry):
        """The body is in the ledger's file or in the spool, in one piece."""
        number = int(entry["recipients"][0]["address"].split("@")[0])
        spool = self.site.state / "queue/spool" / entry["id"]
        place = spool if spool.exists() else self.site.state / "queue/queue.mdb"
        content = place.read_bytes()
        if not any(body(number, size) in content for size in SIZES):
            self.found.faults.append(f"queue: the content of {entry['id']} ({number}) is not whole in {place.name}")

    def check_files(self, user):
        """In the Maildir there is a file for each message, no more, and `store check` has nothing to say."""
        want = sum(len(uids) for (owner, _), uids in self.found.uids.items() if owner == user)
        maildir = self.site.state / "mail" / self.site.domain / user / "Maildir"
        end = time.monotonic() + 10   # file actions follow in the background
        while True:
            have = sum(len(files) for top, _, files in os.walk(maildir) if Path(top).name in ("cur", "new"))
            checked = self.site.postern("store", "check", self.site.address(user), check=False)
            if (have == want and checked.returncode == 0) or time.monotonic() > end:
                break
            time.sleep(0.1)
        if have != want:
            self.found.faults.append(f"{user}: {have} files in cur and new for {want} messages")
        if checked.returncode != 0:
            self.found.faults.append(f"{user}: store check: {checked.stdout.strip()} {checked.stderr.strip()}")


def compare(history, cut, found):
    """What is wrong with what was found after a cut there."""
    wrong = list(found.faults)
    for subject in history.subjects:
        allowed = history.allowed(subject, cut)
        if subject[0] == "queue":
            state = {0: None, 1: "waits"}.get(found.queue.get(subject[1], 0), "twice")
        elif subject[1] == "box":
            state = "there" if (subject[0], subject[2]) in found.boxes else None
        else:
            places = sorted((box, tuple(sorted(flags))) for box, flags in found.messages.get(subject, ()))
            state = tuple((box, frozenset(flags)) for box, flags in places) or None
        if state not in allowed:
            wrong.append(f"{subject}: found {state}, allowed {allowed}")
    for subject in found.messages:
        if subject not in history.subjects:
            wrong.append(f"{subject}: nobody sent it")
    return wrong + compare_facts(history, cut, found)


def compare_facts(history, cut, found):
    """No UID twice, UIDNEXT has not fallen, no mailbox has lost its UIDVALIDITY."""
    wrong = []
    for place, user, box, facts in history.facts:
        if place > cut:
            continue
        uidnext = found.uidnext.get((user, box))
        if uidnext is None:
            wrong.append(f"{user}: no mailbox has UIDVALIDITY {box} any more")
            continue
        if facts.get("uidnext", 0) > uidnext:
            wrong.append(f"{user} {box}: UIDNEXT was {facts['uidnext']}, is {uidnext}")
        for uid, number in facts.get("uids", {}).items():
            now = found.uids[user, box].get(uid, number)
            if uid >= uidnext or now != number:
                wrong.append(f"{user} {box}: UID {uid} was message {number}, is {now}; UIDNEXT {uidnext}")
    return wrong


def choose_cuts(history, images, begin, n, rng):
    """Places just after acknowledgements, just before them, at flushes, and anywhere; ascending."""
    told = [place for place in history.acknowledged() if place > begin]
    flushes = [place for place in images.flush_ends() if place > begin]
    ends = [record.end for record in images.records if record.end > begin]
    cuts = {ends[-1]}
    while len(cuts) < min(n, len(set(ends))):
        way = rng.random()
        cuts.add(rng.choice(told) if way < 0.4 and told else rng.choice(flushes) if way < 0.6 else rng.choice(ends))
    return sorted(cuts)


def worst_cuts(history, begin, n):
    """Just after acknowledgements, spread over the run: with everything lost that no flush kept."""
    told = [place for place in history.acknowledged() if place > begin]
    return sorted({told[(i + 1) * len(told) // n - 1] for i in range(n)}) if told else []


class Run:
    def __init__(self, filesystem="ext4", program=None, logger=None, seconds=4, images=15, seed=1, worst=False):
        self.worst = worst
        self.filesystem, self.seconds, self.images, self.seed = filesystem, seconds, images, seed
        self.program = Path(program or sites.PROGRAM)
        self.logger = logger or self.program.parent / "tests/crash/fuse_log"
        self.cuts = []            # (cut, dropped, [what is wrong])
        self.seconds_per_image = 0.0

    def run(self):
        memory = Path("/dev/shm")
        where = memory if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30 else None
        work = Path(tempfile.mkdtemp(prefix="postern-cut-", dir=where))
        mount = Path(tempfile.mkdtemp(prefix="postern-cut-"))
        mount.chmod(0o755)
        try:
            self.run_in(work, mount)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            mount.rmdir()
        return [(cut, dropped, wrong) for cut, dropped, wrong in self.cuts if wrong]

    def run_in(self, work, mount):
        site = None
        try:
            with LoggedDisk(self.filesystem, self.logger, work, mount) as disk:
                site, history, begin = self.work_on(disk, work, mount)
            self.check_images(disk, site, history, begin, mount)
        finally:
            if site is not None:
                site.kill()

    def work_on(self, disk, work, mount):
        mount.chmod(0o755)
        site = sites.Site(USERS, extra=CONF, where=mount, program=self.program)
        site.log_path = work / "postern.log"
        try:
            site.start()
            disk.sync()   # the configuration, which nobody promised to keep
            history = History(disk.position)
            begin = disk.position()
            load = Workload(site, history, self.seconds, self.seed)
            load.run()
        finally:
            site.kill()
            time.sleep(0.3)   # the children end with their parent
        if load.errors:
            raise AssertionError("\n".join(load.errors) + "\n" + site.log_tail())
        self.counts = load.counts
        return site, history, begin

    def check_images(self, disk, site, history, begin, mount):
        rng = random.Random(self.seed)
        images = Images(disk)
        began = time.monotonic()
        cuts = worst_cuts(history, begin, self.images) if self.worst else choose_cuts(history, images, begin, self.images, rng)
        for i, cut in enumerate(cuts):
            drops = (lambda: False) if self.worst else (lambda: rng.random() < 0.5) if i % 2 else None
            image = images.make(cut, drops)
            self.cuts.append((cut, bool(drops), self.check_image(image, site, history, cut, mount)))
        images.close()
        self.seconds_per_image = (time.monotonic() - began) / max(1, len(self.cuts))

    def check_image(self, image, site, history, cut, mount):
        found = Found()
        try:
            with Mounted(self.filesystem, image, mount):
                try:
                    site.start()
                    Inspection(site, found).read()
                finally:
                    site.kill()
                    time.sleep(0.1)
        except (OSError, AssertionError, imaplib.IMAP4.error, smtplib.SMTPException) as e:
            return found.faults + [f"the disk could not be read: {type(e).__name__}: {e}"]
        return compare(history, cut, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filesystem", default="ext4", choices=("ext4", "xfs"))
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--images", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program")
    parser.add_argument("--logger")
    options = parser.parse_args()
    run = Run(**vars(options))
    bad = run.run()
    for cut, dropped, wrong in bad:
        print(f"cut at {cut}{', unflushed writes dropped' if dropped else ''}:")
        for line in wrong[:20]:
            print(f"  {line}")
    print(f"{run.filesystem}: {run.counts}\n{len(run.cuts)} disks, {len(bad)} wrong, {run.seconds_per_image:.2f} s each")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
