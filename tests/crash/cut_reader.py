"""cut_reader.py - a user at work by IMAP while the disk remembers: knows where each of his messages is and with which flags, and writes down
what he was told (history.py)."""
import imaplib
import random
import re

from history import message

KEYWORDS = ("$Forwarded", "Later")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft")
BOXES = ("Work", "Work/Old", "Kept")
AT_ONCE = 4  # messages of one command, at most
imaplib._MAXLINE = 10_000_000


def expand(numbers):
    """The UIDs of a set, in its order."""
    ends = [part.partition(b":")[::2] for part in numbers.split(b",")]
    return [uid for first, last in ends for uid in range(int(first), int(last or first) + 1)]


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
                (self.create_one, 1), (self.rename_one, 1), (self.delete_one, 0.5)]
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
            if not item[1].strip():
                continue   # a bounce
            number = int(item[1].split()[1])
            self.history.fact(self.user, self.ids["INBOX"], uids={uid: number})
            if uid not in known and number in acknowledged and number not in self.at:
                self.at[number] = [["INBOX", uid, set()]]

    def pick(self):
        """[(number, place), …] of some messages in one mailbox, ascending by UID; no message twice."""
        places = self.places()
        if not places:
            return []
        box = self.rng.choice([self.box] * 3 + sorted(self.boxes))
        first = self.rng.choice(self.places(box) or places)
        there = dict(self.places(first[1][0]) + [first])
        more = self.rng.sample(sorted(there), min(len(there), self.rng.choice((1, 1, 1, AT_ONCE))))
        return sorted([(n, there[n]) for n in {first[0], *more}], key=lambda found: found[1][1])

    @staticmethod
    def uid_set(picked):
        return ",".join(str(place[1]) for _, place in picked)

    def uids_of(self, code, box, numbers):
        """The new UIDs of these messages, from a response code (APPENDUID, COPYUID)."""
        uids = expand(self.client.response(code)[1][-1].split()[-1])
        assert len(uids) == len(numbers), f"{code} for {len(numbers)} messages: {uids}"
        if box in self.ids:
            self.history.fact(self.user, self.ids[box], uids=dict(zip(uids, numbers)))
        return uids

    def append(self):
        number, box = self.load.numbers.next(), self.rng.choice(sorted(self.boxes))
        flags = set(self.rng.sample(FLAGS + KEYWORDS, self.rng.choice((0, 1, 2))))
        self.at[number] = []
        made = self.history.begin((self.subject(number), ((box, frozenset(flags)),)))
        self.must(self.client.append(f'"{box}"', f"({' '.join(sorted(flags))})", None, message(number, self.load.some_size(self.rng))), "APPEND")
        self.history.told(made)
        self.at[number] = [[box, *self.uids_of("APPENDUID", box, [number]), flags]]

    def flag(self):
        picked, flag = self.pick(), self.rng.choice(FLAGS + KEYWORDS)
        if not picked:
            return
        self.select(picked[0][1][0])
        on = flag not in picked[0][1][2]
        changes = [(n, place, [*place[:2], place[2] | {flag} if on else place[2] - {flag}]) for n, place in picked]
        self.store(changes, self.uid_set(picked), "+FLAGS" if on else "-FLAGS", f"({flag})")

    def store(self, changes, uids, item, value):
        """changes: [(number, place, what it becomes)]"""
        made = self.history.begin(*[(self.subject(n), self.change(n, old, new)) for n, old, new in changes])
        self.must(self.client.uid("STORE", uids, item, value), "STORE")
        self.history.told(made)
        for n, old, new in changes:
            self.apply(n, old, new)

    def transfer(self, verb):
        picked = self.pick()
        if not picked:
            return
        box = picked[0][1][0]
        target = self.rng.choice(sorted(self.boxes - {box}))
        self.select(box)
        moved = [(n, place, [target, 0, set(place[2])]) for n, place in picked]
        before = {n: self.at[n] for n, _, _ in moved}
        after = {n: [p for p in before[n] if verb == "COPY" or p is not old] + [new] for n, old, new in moved}
        self.at.update(after)
        states = [(self.subject(n), self.state(n)) for n in after]
        self.at.update(before)
        made = self.history.begin(*states)
        self.must(self.client.uid(verb, self.uid_set(picked), f'"{target}"'), verb)
        self.history.told(made)
        self.at.update(after)
        for (_, _, new), uid in zip(moved, self.uids_of("COPYUID", target, [n for n, _, _ in moved])):
            new[1] = uid

    def move(self):
        self.transfer("MOVE")

    def copy(self):
        self.transfer("COPY")

    def expunge(self):
        picked = self.pick()
        if len(self.places()) < 10:
            return
        self.select(picked[0][1][0])
        uids = self.uid_set(picked)
        marked = [(n, place, [*place[:2], place[2] | {"\\Deleted"}]) for n, place in picked]
        self.store(marked, uids, "+FLAGS.SILENT", "(\\Deleted)")
        made = self.history.begin(*[(self.subject(n), self.change(n, place, None)) for n, _, place in marked])
        self.must(self.client.uid("EXPUNGE", uids), "EXPUNGE")
        self.history.told(made)
        for n, _, place in marked:
            self.apply(n, place, None)

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

    def delete_one(self):
        spare = sorted(self.boxes - {"INBOX", "Work"})
        if len(spare) < 3:
            return
        box = self.rng.choice(spare)
        self.select(box)
        self.select("INBOX")
        lost = self.places(box)
        for number in {n for n, _ in lost}:
            self.at[number] = [p for p in self.at[number] if p[0] != box]
        self.history.deleted[self.user, self.ids[box]] = self.history.position()
        made = self.history.begin(((self.user, "box", box), None), *[(self.subject(n), self.state(n)) for n in {n for n, _ in lost}])
        self.must(self.client.delete(f'"{box}"'), "DELETE")
        self.history.told(made)
        self.boxes.remove(box)
        del self.ids[box]
