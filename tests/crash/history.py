"""history.py - what clients were told and when, and what therefore may and must be found after a power cut.

Places in the disk's log are the clock. Each subject (a message of a user, a mailbox, a queued recipient) has a sequence of
changes, one at a time: begun at a place, acknowledged at a later one (or never). After a cut, the last change acknowledged
before it is there; of a change that was under way, the old or the new state, nothing between.
"""
import functools
import hashlib
import threading


class Change:
    __slots__ = ("begun", "told", "state")

    def __init__(self, begun, state):
        self.begun, self.state, self.told = begun, state, None


class History:
    def __init__(self, position):
        self.position = position
        self.subjects = {}
        self.sizes = {}           # number → size of the message's body
        self.received = {}        # address → place where a host elsewhere had the whole message and was about to say so
        self.gone = {}            # address → place where the operator saw that nothing is owed to it any more
        self.deleted = {}         # (user, UIDVALIDITY) → place where its DELETE began
        self.facts = []           # (place, user, UIDVALIDITY, {"uidnext": number} or {"uids": {uid: number}})
        self.kept = {}            # number → (place where it was acknowledged, place where its end began or None): in some account
        self.lock = threading.Lock()

    def keep(self, number):
        self.kept.setdefault(number, (self.position(), None))

    def let_go(self, number):
        self.kept[number] = (self.kept[number][0], self.position())

    def begin(self, *changes):
        """changes: (subject, state). Returns what told() takes."""
        now = self.position()
        with self.lock:
            made = []
            for subject, state in changes:
                made.append(Change(now, state))
                self.subjects.setdefault(subject, []).append(made[-1])
        return made

    def told(self, made):
        now = self.position()
        for change in made:
            change.told = now

    def refused(self, made):
        """Nothing of it may be there from now on: back to the state before."""
        now = self.position()
        with self.lock:
            for subject, changes in self.subjects.items():
                for change in [c for c in changes if c in made]:
                    at = changes.index(change)
                    back = Change(change.begun, changes[at - 1].state if at > 0 else None)
                    back.told = now
                    changes.insert(at + 1, back)

    def fact(self, user, box, **facts):
        self.facts.append((self.position(), user, box, facts))

    def acknowledged(self, kind=None):
        """Places where changes were; kind: of such subjects alone."""
        subjects = [changes for subject, changes in self.subjects.items() if kind in (None, subject[0])]
        return sorted(c.told for changes in subjects for c in changes if c.told is not None)

    def allowed(self, subject, cut):
        """The states that may be found. None: absent."""
        states = [None]
        for change in self.subjects.get(subject, ()):
            if change.told is not None and change.told <= cut:
                states = [change.state]
            elif change.begun <= cut:
                states.append(change.state)
        return states

    def passwords(self, name, cut):
        """Those that the account may have then."""
        return [state[0] for state in reversed(self.allowed(("account", name), cut)) if state]


LINE = 64


@functools.lru_cache(maxsize=2000)
def body(number, size):
    """The message with this number: its bytes follow from it."""
    text = hashlib.shake_256(b"%d" % number).hexdigest((size // (LINE + 2) + 1) * LINE // 2).encode()
    return b"\r\n".join(text[at:at + LINE] for at in range(0, len(text), LINE)) + b"\r\nend of %d\r\n" % number


def message(number, size, sender="sender@remote.test"):
    return (b"From: <%s>\r\nTo: <somebody@example.test>\r\nSubject: message %d\r\nX-Crash: %d %d\r\n\r\n" %
            (sender.encode(), number, number, size)) + body(number, size)


def read_message(data):
    """(number, whole) of a message that was found; number None: not one of ours."""
    head, _, rest = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.startswith(b"X-Crash: "):
            number, size = (int(word) for word in line.split()[1:3])
            return number, rest == body(number, size)
    return None, False
