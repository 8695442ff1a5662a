"""cut_guests.py - mailboxes that one user lends to others, at work while the disk remembers: rights given and taken, each guest's \\Seen,
mail on its way between the accounts in both directions. What everybody was told is written down (history.py).

Subjects: a message of an account, as of any (with the flags that its owner sees); ("rights", mailbox, guest): the letters; ("seen", guest,
message): whether he has seen it where it is lent. `history.kept`: what must be somewhere, whichever account has it."""
import random

from cut_reader import FLAGS, KEYWORDS, expand
from history import message

OWNER = "olga"                # gets no mail: nobody opens her account but who works here
GUESTS = ("bob", "carol")
LENT = ("Common", "Lent")
TAKEN = "Taken"               # of a guest: where he puts what he takes
RIGHTS = ("lr", "lrs", "lrsw", "lrswi", "lrswite", "lrite", "lrswitea", "i", "")
COVERED = {"\\Seen": "s", "\\Deleted": "t"}  # other flags need "w" (RFC 4314 4)


def without_virtual(letters):
    """RFC 4314 2.1.1: "c" and "d" are told, too, and stand for others."""
    return "".join(sorted(set(letters) - set("cd")))


class Lent:
    """A message in the owner's mailbox."""

    def __init__(self, uid, flags, seen=()):
        self.uid, self.flags, self.seen = uid, set(flags), set(seen)


class Guests:
    """All three at work, one command after the other."""

    def __init__(self, load):
        self.load, self.history = load, load.history
        self.rng = random.Random(load.seed * 1000 + 7)
        self.owner = load.site.imap(OWNER)
        self.guests = {guest: load.site.imap(guest) for guest in GUESTS}
        self.lent = {box: {} for box in LENT}        # number → Lent
        self.taken = {guest: {} for guest in GUESTS}  # number → [uid, flags]
        self.rights = {(box, guest): "" for box in LENT for guest in GUESTS}

    def run(self):
        for client, user, box in [(self.owner, OWNER, box) for box in LENT] + [(self.guests[g], g, TAKEN) for g in GUESTS]:
            self.acknowledged("CREATE", [((user, "box", box), "there")], client.create, box)
        for guest in GUESTS:
            self.set_rights(LENT[0], guest, "lrswite")
        ways = [(self.give, 5), (self.take_away, 3), (self.owner_appends, 3), (self.owner_flags, 2), (self.guest_appends, 4), (self.sees, 8),
                (self.flags, 4), (self.takes, 6), (self.gives_back, 6), (self.expunges, 2), (self.is_refused, 3)]
        work, weights = zip(*ways)
        while not self.load.over():
            self.rng.choices(work, weights)[0]()
        for client in (self.owner, *self.guests.values()):
            client.logout()

    # -- commands and what they change

    def must(self, result, what):
        if result[0] != "OK":
            raise AssertionError(f"guests: {what}: {result}")
        return result[1]

    def acknowledged(self, what, changes, command, *words):
        made = self.history.begin(*changes)
        self.must(command(*words), what)
        self.history.told(made)
        self.load.count(f"guests' {what}")

    def name_for(self, guest, box):
        return f"Users/{self.load.site.address(OWNER)}/{box}"

    def select(self, client, name, readonly=False):
        self.must(client.select(f'"{name}"', readonly), f"SELECT {name}")

    def uids(self, client, code, user, numbers):
        """The new UIDs of these messages; they are the user's for ever."""
        words = client.response(code)[1][-1].split()
        uids = expand(words[-1])
        assert len(uids) == len(numbers), f"{code} for {numbers}: {words}"
        self.history.fact(user, int(words[0]), uids=dict(zip(uids, numbers)))
        return uids

    def owners(self, number, box, flags):
        """The change of the owner's message; flags None: it is gone, and with it what guests have seen."""
        if flags is not None:
            return [((OWNER, number), ((box, frozenset(flags)),))]
        return [((OWNER, number), None), *[(("seen", guest, number), None) for guest in GUESTS]]

    def guests_own(self, guest, number, flags):
        return [((guest, number), ((TAKEN, frozenset(flags)),) if flags is not None else None)]

    def where(self, letters):
        """(guest, mailbox) where these rights are given."""
        found = [(guest, box) for (box, guest), have in self.rights.items() if set(letters) <= set(have)]
        return self.rng.choice(found) if found else (None, None)

    def message_in(self, box):
        return self.rng.choice(sorted(self.lent[box].items())) if box and self.lent[box] else (None, None)

    def allowed(self, box, guest, flags):
        have = self.rights[box, guest]
        return {flag for flag in flags if COVERED.get(flag, "w") in have}

    def some_flags(self):
        return set(self.rng.sample(FLAGS + KEYWORDS, self.rng.choice((0, 1, 2))))

    # -- rights

    def set_rights(self, box, guest, letters):
        change = [(("rights", box, guest), without_virtual(letters) or None)]
        address = self.load.site.address(guest)
        if letters:
            self.acknowledged("SETACL", change, self.owner.setacl, box, address, letters)
        else:
            self.acknowledged("DELETEACL", change, self.owner.deleteacl, box, address)
        self.rights[box, guest] = letters

    def give(self):
        self.set_rights(self.rng.choice(LENT), self.rng.choice(GUESTS), self.rng.choice(RIGHTS))

    def take_away(self):
        guest, box = self.where("l")
        if guest:
            self.set_rights(box, guest, "")

    def is_refused(self):
        """What was taken away is gone at once."""
        guest, box = self.rng.choice(GUESTS), self.rng.choice(LENT)
        have = self.rights[box, guest]
        if {"l", "i"} <= set(have):
            return
        number = self.load.numbers.next()
        answer = self.guests[guest].append(f'"{self.name_for(guest, box)}"', "()", None, message(number, 200))
        if answer[0] != "NO":
            raise AssertionError(f"{guest} with {have!r} on {box}: APPEND: {answer}")
        self.load.count("guests' refusal")

    # -- messages come

    def owner_appends(self):
        number, box, flags = self.load.numbers.next(), self.rng.choice(LENT), self.some_flags()
        self.acknowledged("APPEND", self.owners(number, box, flags), self.owner.append, box, f"({' '.join(sorted(flags))})", None,
                          message(number, self.load.some_size(self.rng)))
        self.put(self.owner, "APPENDUID", number, box, flags)

    def put(self, client, code, number, box, flags, seen=()):
        """It is in the owner's mailbox from now on."""
        self.lent[box][number] = Lent(self.uids(client, code, OWNER, [number])[0], flags, seen)
        self.history.keep(number)

    def guest_appends(self):
        guest, box = self.where("lri")
        if not guest:
            return
        number, flags = self.load.numbers.next(), self.some_flags()
        kept = self.allowed(box, guest, flags)
        seen = {guest} if "\\Seen" in kept else set()
        changes = self.owners(number, box, kept - {"\\Seen"}) + [(("seen", g, number), "seen") for g in seen]
        self.acknowledged("APPEND by a guest", changes, self.guests[guest].append, f'"{self.name_for(guest, box)}"',
                          f"({' '.join(sorted(flags))})", None, message(number, self.load.some_size(self.rng)))
        self.put(self.guests[guest], "APPENDUID", number, box, kept - {"\\Seen"}, seen)

    # -- flags

    def store(self, client, name, what, lent, changes, on, flag):
        self.select(client, name)
        self.acknowledged(what, changes, client.uid, "STORE", str(lent.uid), "+FLAGS" if on else "-FLAGS", f"({flag})")
        self.must(client.unselect(), "UNSELECT")

    def turn(self, client, name, what, box, number, flag):
        lent = self.lent[box][number]
        flags = lent.flags ^ {flag}
        self.store(client, name, what, lent, self.owners(number, box, flags), flag in flags, flag)
        lent.flags = flags

    def owner_flags(self):
        box = self.rng.choice(LENT)
        number, _ = self.message_in(box)
        if number:
            self.turn(self.owner, box, "STORE", box, number, self.rng.choice(FLAGS + KEYWORDS))

    def flags(self):
        guest, box = self.where("lrw")
        number, _ = self.message_in(box)
        if number:
            self.turn(self.guests[guest], self.name_for(guest, box), "STORE by a guest", box, number, self.rng.choice(("\\Flagged", *KEYWORDS)))

    def sees(self):
        guest, box = self.where("lrs")
        number, lent = self.message_in(box)
        if number is None:
            return
        on = guest not in lent.seen
        changes = [(("seen", guest, number), "seen" if on else None)]
        self.store(self.guests[guest], self.name_for(guest, box), "\\Seen of a guest", lent, changes, on, "\\Seen")
        lent.seen ^= {guest}

    # -- between the accounts

    def takes(self):
        """COPY or MOVE out of what is lent."""
        verb = self.rng.choice(("COPY", "MOVE"))
        guest, box = self.where("lr" if verb == "COPY" else "lrte")
        number, lent = self.message_in(box)
        if number is None or number in self.taken[guest]:
            return
        client, seen = self.guests[guest], {"\\Seen"} if guest in lent.seen else set()
        flags = lent.flags - {"\\Seen"} | seen
        changes = self.guests_own(guest, number, flags) + (self.owners(number, box, None) if verb == "MOVE" else [])
        self.select(client, self.name_for(guest, box), readonly=verb == "COPY")
        self.acknowledged(f"{verb} out", changes, client.uid, verb, str(lent.uid), TAKEN)
        self.taken[guest][number] = [self.uids(client, "COPYUID", guest, [number])[0], flags]
        self.must(client.unselect(), "UNSELECT")
        if verb == "MOVE":
            del self.lent[box][number]

    def gives_back(self):
        """COPY or MOVE into what is lent, of what is not there."""
        guest, box = self.where("lri")
        lent = {number for there in self.lent.values() for number in there}
        spare = [n for n in self.taken.get(guest, ()) if n not in lent]
        if not spare:
            return
        verb, number, client = self.rng.choice(("COPY", "MOVE")), self.rng.choice(spare), self.guests[guest]
        uid, flags = self.taken[guest][number]
        kept = self.allowed(box, guest, flags)
        seen = {guest} if "\\Seen" in kept else set()
        changes = self.owners(number, box, kept - {"\\Seen"}) + [(("seen", g, number), "seen") for g in seen]
        changes += self.guests_own(guest, number, None) if verb == "MOVE" else []
        self.select(client, TAKEN)
        self.acknowledged(f"{verb} in", changes, client.uid, verb, str(uid), f'"{self.name_for(guest, box)}"')
        self.put(client, "COPYUID", number, box, kept - {"\\Seen"}, seen)
        self.must(client.unselect(), "UNSELECT")
        if verb == "MOVE":
            del self.taken[guest][number]

    def expunges(self):
        guest, box = self.where("lrte")
        number, lent = self.message_in(box)
        if number is None or len(self.lent[box]) < 4:
            return
        client = self.guests[guest]
        self.select(client, self.name_for(guest, box))
        marked = self.owners(number, box, lent.flags | {"\\Deleted"})
        self.acknowledged("STORE by a guest", marked, client.uid, "STORE", str(lent.uid), "+FLAGS.SILENT", "(\\Deleted)")
        if not any(number in taken for taken in self.taken.values()):
            self.history.let_go(number)
        self.acknowledged("EXPUNGE by a guest", self.owners(number, box, None), client.uid, "EXPUNGE", str(lent.uid))
        self.must(client.unselect(), "UNSELECT")
        del self.lent[box][number]
