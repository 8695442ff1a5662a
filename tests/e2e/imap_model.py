"""imap_model.py - what is true of an account's mailboxes, and what each session has to be told of it: the reference that test_imap_model.py
compares the server with. Commands are given one after the other, so that every answer can be known beforehand."""


def fail_unless(condition, *words):
    if not condition:
        raise Wrong(" ".join(str(w) for w in words))


class Wrong(AssertionError):
    """The server said something else than the model."""


def ranges(numbers):
    """{1, 2, 3, 7} → 1:3,7"""
    out = []
    for n in sorted(numbers):
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return ",".join(f"{a}:{b}" if a != b else str(a) for a, b in out)


def numbers(text):
    """1:3,7 → [1, 2, 3, 7]"""
    found = []
    for part in text.split(","):
        a, _, b = part.partition(":")
        found += range(int(a), int(b or a) + 1)
    return found


SEEN = r"\Seen"


def seen_by(flags, user):
    """Flags as this user has them: what others have seen is theirs."""
    return frozenset(SEEN if f == f"{SEEN}@{user}" else f for f in flags if "@" not in f or f == f"{SEEN}@{user}")


def owned(flags, user):
    """Flags of a message that only this user has seen."""
    return frozenset(f"{SEEN}@{user}" if f == SEEN else f for f in flags)


class Message:
    """\\Seen is kept for each user, as \\Seen@user."""

    def __init__(self, uid, flags, stamp):
        self.uid, self.flags, self.stamp = uid, frozenset(flags), stamp


class Mailbox:
    """shared: guests know of it. stamp counts the commits. What MODSEQ the server gave to each is learned when it is told: later commits must have higher ones, and a commit keeps
    its own."""

    def __init__(self, name):
        self.name, self.validity, self.uidnext, self.stamp, self.deleted, self.shared = name, None, 1, 0, False, True
        self.messages, self.gone, self.modseqs = {}, {}, {}

    def commit(self):
        self.stamp += 1
        return self.stamp

    def learn(self, stamp, modseq):
        fail_unless(self.modseqs.setdefault(stamp, modseq) == modseq, "commit", stamp, "had MODSEQ", self.modseqs[stamp], "and now", modseq)
        for other, value in self.modseqs.items():
            fail_unless((value < modseq) == (other < stamp) and (value > modseq) == (other > stamp), "MODSEQ", modseq, "of commit", stamp,
                        "but", value, "of commit", other)

    def highest(self, modseq):
        """HIGHESTMODSEQ of a SELECT or STATUS."""
        self.learn(self.stamp, modseq)

    def add(self, flags_of_each):
        """One commit; the new UIDs."""
        stamp, uids = self.commit(), []
        for flags in flags_of_each:
            self.messages[self.uidnext] = Message(self.uidnext, flags, stamp)
            uids.append(self.uidnext)
            self.uidnext += 1
        return uids

    def store(self, uids, change, user):
        """change(flags) → flags, as this user has them. UIDs of messages that have others now."""
        changed = [u for u in uids if u in self.messages and change(self.flags(u, user)) != self.flags(u, user)]
        if changed:
            stamp = self.commit()
            for u in changed:
                others = {f for f in self.messages[u].flags if "@" in f and f != f"{SEEN}@{user}"}
                self.messages[u].flags, self.messages[u].stamp = owned(change(self.flags(u, user)), user) | others, stamp
        return changed

    def flags(self, uid, user):
        return seen_by(self.messages[uid].flags, user)

    def remove(self, uids, with_last=False):
        """with_last: part of the commit before."""
        there = [u for u in uids if u in self.messages]
        if there:
            stamp = self.stamp if with_last else self.commit()
            for u in there:
                del self.messages[u]
                self.gone[u] = stamp
        return there


class State:
    """What a client keeps of a mailbox when its connection is lost: enough to come back with QRESYNC."""

    def __init__(self, mailbox, flags, modseq, user):
        self.mailbox, self.validity, self.flags, self.modseq, self.user = mailbox, mailbox.validity, dict(flags), modseq, user


class View:
    """What one session knows of the mailbox it has selected: UIDs by number, up to which commit it knows each, what the client has of its flags."""

    def __init__(self, mailbox, readonly, session):
        self.mailbox, self.readonly, self.session = mailbox, readonly, session
        self.uids, self.known, self.flags = [], {}, {}
        self.modseq = self.highest = self.code = 0

    def pending(self):
        """UIDs whose flags others changed, not told yet."""
        return {u for u in self.uids if u in self.mailbox.messages and self.mailbox.messages[u].stamp > self.known[u]}

    def begin(self):
        """Before the command: what others changed is to be told whatever the command is, as it is now or after the command."""
        self.due, self.told, self.told_flags = self.pending(), {}, {}
        self.before = {u: (self.mine(u), m.stamp) for u, m in self.mailbox.messages.items()}

    def mine(self, uid):
        return self.mailbox.flags(uid, self.session.user)

    def uid(self, seq):
        fail_unless(1 <= seq <= len(self.uids), "there is no message", seq)
        return self.uids[seq - 1]

    # --- responses

    def take(self, said, may_expunge):
        """Applies the responses in their order; what is no update is returned."""
        rest = []
        for line in said:
            words = [w for w in line[:2] if isinstance(w, bytes)]
            if words[1:] == [b"EXISTS"]:
                self.exists(int(words[0]))
            elif words[1:] == [b"EXPUNGE"]:
                fail_unless(may_expunge and not self.session.qresync, "EXPUNGE is not allowed here")
                self.vanish(self.uid(int(words[0])))
            elif words[0] == b"VANISHED" and line[1] != [b"EARLIER"]:
                fail_unless(may_expunge and self.session.qresync, "VANISHED is not allowed here")
                for uid in numbers(line[1].decode()):
                    self.vanish(uid)
            elif words[1:] == [b"FETCH"]:
                self.fetch(int(words[0]), line[2])
            elif words[:2] == [b"OK", b"[HIGHESTMODSEQ"]:
                self.code = int(line[2].strip(b"]"))
            elif words[1:] != [b"RECENT"] and words[0] != b"FLAGS" and words[:2] != [b"OK", b"[PERMANENTFLAGS"]:
                rest.append(line)
        return rest

    def vanish(self, uid):
        fail_unless(uid in self.uids, "the client was never told of UID", uid)
        fail_unless(uid not in self.mailbox.messages, "UID", uid, "is there, but was told to be gone")
        self.uids.remove(uid)
        self.flags.pop(uid, None)

    def exists(self, n):
        last = self.uids[-1] if self.uids else 0
        for uid, m in self.mailbox.messages.items():
            if uid > last:
                self.uids.append(uid)
                self.known[uid], self.flags[uid] = m.stamp, None
        fail_unless(n == len(self.uids), "EXISTS", n, "where there are", len(self.uids))

    def fetch(self, seq, items):
        found = dict(zip(items[::2], items[1::2]))
        uid = self.uid(seq)
        m = self.mailbox.messages.get(uid)
        fail_unless(m is not None, "FETCH of UID", uid, "that is gone")
        fail_unless(int(found.get(b"UID", uid)) == uid, "number", seq, "is UID", uid, "but was told as", found.get(b"UID"))
        flags, stamp = self.version(uid, m, found)
        if b"MODSEQ" in found:
            fail_unless(self.session.condstore, "MODSEQ for a client that did not ask for it")
            self.mailbox.learn(stamp, int(found[b"MODSEQ"][0]))
            self.highest = max(self.highest, int(found[b"MODSEQ"][0]))
        if b"FLAGS" in found:
            self.flags[uid] = flags
            self.told_flags[uid] = self.told_flags.get(uid, set()) | set(found)
        if stamp == m.stamp:
            self.told.setdefault(uid, set()).update(name.split(b"[")[0] for name in found)

    def version(self, uid, m, found):
        """(flags, stamp) of what was told: what is true now, or was before the command did its work."""
        if b"FLAGS" not in found:
            return self.mine(uid), m.stamp
        told = {f.decode() for f in found[b"FLAGS"]} - {r"\Recent"}
        for flags, stamp in ((self.mine(uid), m.stamp), self.before.get(uid, (self.mine(uid), m.stamp))):
            if told == flags:
                return flags, stamp
        raise Wrong(f"UID {uid} was told with {sorted(told)} but has {sorted(self.mine(uid))}")

    # --- after the command

    def end(self, may_expunge, asked=(), silent=()):
        """asked: {uid: items} that had to come. silent: UIDs that the client changed itself with .SILENT."""
        there = self.mailbox.messages
        if may_expunge:
            fail_unless(self.uids == list(there), "the client has", ranges(self.uids), "but there is", ranges(there))
        fail_unless(set(there) <= set(self.uids), "the client was not told of", ranges(set(there) - set(self.uids)))
        asked = dict(asked)
        for uid in asked:
            fail_unless(uid not in there or set(asked[uid]) <= self.told.get(uid, set()), "UID", uid, "was not told with", asked[uid],
                        "but with", self.told.get(uid))
        for uid in self.due & set(there):
            fail_unless(uid in self.told_flags, "the client was not told that others changed UID", uid)
            fail_unless(not self.session.qresync or uid in asked or b"UID" in self.told_flags[uid], "FETCH without UID for a client of QRESYNC")
        extra = set(self.told) - set(asked) - self.due
        fail_unless(not extra, "FETCH that nobody asked for, of UIDs", ranges(extra))
        for uid in silent:
            if self.flags.get(uid) is not None:
                self.flags[uid] = self.mine(uid)
        for uid in self.uids:
            if uid in there:
                self.known[uid] = there[uid].stamp
        self.believe()

    def believe(self):
        """RFC 7162 6: the state that a client may believe in after a tagged answer; it must not lie behind what was not told."""
        if self.code or self.highest > self.modseq:
            self.modseq = self.code or self.highest
        self.code = self.highest = 0
        for uid in set(self.uids) - set(self.mailbox.messages):
            modseq = self.mailbox.modseqs.get(self.mailbox.gone[uid])
            fail_unless(modseq is None or self.modseq < modseq, "the client may believe in", self.modseq, "but UID", uid, "went at", modseq,
                        "and it was not told")

    def kept(self):
        """A state for later: up to the first message without UID or flags."""
        flags = {}
        for uid in self.uids:
            if self.flags.get(uid) is None:
                break
            flags[uid] = self.flags[uid]
        return State(self.mailbox, flags, self.modseq, self.session.user)
