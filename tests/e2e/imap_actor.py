"""imap_actor.py - a session that acts by number: an operation is a word and three numbers, and means something in every state, so that a list of
them still runs when some are taken out. Each makes the change in the model first, then gives the command, then looks at what was told."""
from imap_model import SEEN, Mailbox, View, Wrong, fail_unless, numbers, owned, ranges
from imapwire import Connection
from mail import message
from postern_site import PATIENCE

NAMES = ("INBOX", "A", "INBOX", "B")
FLAGS = (r"\Seen", r"\Flagged", r"\Answered", r"\Deleted", r"\Deleted", "kw1", r"\Draft kw2")
KEYS = {"ALL": lambda f: True, "SEEN": lambda f: r"\Seen" in f, "UNSEEN": lambda f: r"\Seen" not in f, "FLAGGED": lambda f: r"\Flagged" in f,
        "UNDELETED": lambda f: r"\Deleted" not in f, "KEYWORD kw1": lambda f: "kw1" in f, "OR ANSWERED DRAFT": lambda f: {r"\Answered", r"\Draft"} & f}
STATES_MAX = 20


def spelled(response):
    if isinstance(response, bytes):
        return response.decode(errors="replace").splitlines()[0] if response else '""'
    return "(" + " ".join(map(spelled, response)) + ")"


class Session:
    def __init__(self, account, number, user):
        self.account, self.number, self.user, self.idling = account, number, user, None
        self.guest, self.revoked = user != account.user, False
        self.enter(number)

    # --- the connection

    def enter(self, how):
        """how: what is switched on."""
        site = self.account.site
        stream = site.stream(seconds=5 * PATIENCE)
        self.wire = Connection(stream, stream, (site.address(self.user), site.password(self.user)))
        self.view, self.idling, self.revoked = None, None, False
        self.qresync = how % 3 == 2
        self.condstore = how % 3 > 0
        self.rev2 = how % 2 == 1
        enable = " CONDSTORE" * (how % 3 == 1) + " QRESYNC" * self.qresync + " IMAP4rev2" * self.rev2
        if enable:
            self.say("ENABLE" + enable)

    def leave(self):
        """Without a word."""
        self.wire.source.close()

    def say(self, command):
        """(untagged responses, status, the words behind it)"""
        self.account.script.append(f"#   {self.number}: {command.splitlines()[0]}")
        said, answer = self.wire.ask(command.encode())
        self.note(said + [answer])
        return said, answer[0].decode(), b" ".join(w for w in answer[1:] if isinstance(w, bytes)).decode()

    def note(self, responses):
        self.account.script += [f"#      {spelled(response)}" for response in responses]

    def do(self, command, ok="OK", code="", may_expunge=True, asked=(), silent=()):
        """A command whose changes the model has made already (begin() was before them). What is left of the responses."""
        said, status, words = self.say(command)
        fail_unless(status == ok, command, "is answered by", status, words, "instead of", ok)
        fail_unless(words.startswith(code), command, "is answered by", words, "instead of", code)
        if self.view:
            said = self.view.take(said, may_expunge)
            self.view.end(may_expunge, asked, silent)
        return said

    def act(self, what, a, b, c):
        if self.view and (self.view.mailbox.deleted or self.revoked):
            self.lost()
        if self.idling and what != "idle":
            self.done()
        if self.view:
            self.view.begin()
        getattr(self, "op_" + what)(a, b, c)

    def lost(self):
        """The mailbox, or the right to read it, by others: the connection ends with BYE, at the next command or at once when it idles."""
        if not self.idling:
            self.wire.send(b"bye NOOP\r\n")
        line = [b""]
        try:
            while line[:2] != [b"*", b"BYE"]:
                line = self.wire.response()
        except AssertionError:
            raise Wrong("no BYE for a session whose mailbox was deleted") from None
        self.leave()
        self.enter(self.number)

    # --- what is chosen by numbers

    def box(self, a):
        """(name as the client says it, mailbox or None)"""
        name = NAMES[a % len(NAMES)]
        mailbox = self.account.boxes.get(name)
        return self.name(name), mailbox if mailbox and (mailbox.shared or not self.guest) else None

    def name(self, name):
        return f"Users/{self.account.site.address(self.account.user)}/{name}" if self.guest else name

    def known(self, mailbox):
        """May this session know of it?"""
        return self.account.boxes.get(mailbox.name) is mailbox and (mailbox.shared or not self.guest)

    def some(self, a, b):
        """(set as the client says it, UIDs) of some messages that the client knows; by UID or by number."""
        uids, last = self.view.uids, len(self.view.uids)
        first = 1 + a % last
        n = 1 + b % min(4, last)
        seqs = [s for s in range(first, first + n) if s <= last]
        chosen = [uids[s - 1] for s in seqs]
        return ("UID ", ranges(chosen), chosen) if (a + b) % 2 else ("", ranges(seqs), chosen)

    def there(self, uids):
        return [u for u in uids if u in self.view.mailbox.messages]

    def usable(self):
        """Is a mailbox with messages selected? If not, the operation is another one."""
        if self.view and self.view.uids:
            return True
        self.op_append(0, 1, 2) if self.view else self.op_select(0, 1, 0)
        return False

    # --- operations

    def op_noop(self, a, b, c):
        self.do("NOOP")

    def op_select(self, a, b, c):
        name, mailbox = self.box(a)
        self.view = None
        if mailbox is None:
            self.do(f"SELECT {name}", "NO", "[NONEXISTENT]")
            return
        self.open(name, mailbox, "EXAMINE" if b % 5 == 0 else "SELECT", "")

    def open(self, name, mailbox, verb, parameter):
        self.view = View(mailbox, verb == "EXAMINE", self)
        self.view.begin()
        said, status, words = self.say(f"{verb} {name}{parameter}")
        fail_unless(status == "OK" and words.startswith("[READ-ONLY]" if self.view.readonly else "[READ-WRITE]"), verb, status, words)
        rest = self.view.take(said, False)
        codes = {line[1]: line[2] for line in rest if line[0] == b"OK" and line[1].startswith(b"[")}
        self.account.check_validity(mailbox, int(codes[b"[UIDVALIDITY"].strip(b"]")))
        fail_unless(int(codes[b"[UIDNEXT"].strip(b"]")) == mailbox.uidnext, "UIDNEXT", codes[b"[UIDNEXT"], "is not", mailbox.uidnext)
        fail_unless(self.view.uids == list(mailbox.messages), "EXISTS", len(self.view.uids), "of", len(mailbox.messages))
        mailbox.highest(self.view.code)
        self.view.end(True, {u: () for u in self.view.uids})
        return rest

    def op_look(self, a, b, c):
        """A new look at everything."""
        self.op_select(a, 1, c)
        self.op_fetch(0, 1, 0) if not self.view.uids else self.fetch("UID ", "1:*", self.view.uids, "FLAGS")

    def op_close(self, a, b, c):
        if self.view is None:
            return self.op_noop(a, b, c)
        view, self.view = self.view, None
        if a % 2 and not view.readonly:
            view.mailbox.remove([u for u, m in view.mailbox.messages.items() if r"\Deleted" in m.flags])
        self.do("CLOSE" if a % 2 else "UNSELECT")

    def fetch(self, uid, what, uids, items):
        fail = "NO" if not uid and len(self.there(uids)) < len(uids) else "OK"
        names = [n for n in items.split()] + ["UID"] * bool(uid)
        self.do(f"{uid}FETCH {what} ({items})", fail, "[EXPUNGEISSUED]" if fail == "NO" else "", bool(uid),
                {u: {n.split("[")[0].encode() for n in names} for u in uids})

    def op_fetch(self, a, b, c):
        if self.usable():
            self.fetch(*self.some(a, b), ("FLAGS", "UID FLAGS", "UID FLAGS", "FLAGS MODSEQ" if self.condstore else "FLAGS", "RFC822.SIZE")[c % 5])

    def op_body(self, a, b, c):
        """Reading sets \\Seen, and that is part of the answer."""
        if self.usable():
            uid, what, uids = self.some(a, b)
            items, asked = ("BODY[TEXT]", "BODY.PEEK[]")[c % 2], {u: {b"BODY"} for u in uids}
            if c % 2 == 0 and not self.view.readonly:
                for u in self.view.mailbox.store(uids, lambda f: f | {SEEN}, self.user):
                    asked[u] = {b"BODY", b"FLAGS"}
            fail = "NO" if not uid and len(self.there(uids)) < len(uids) else "OK"
            self.do(f"{uid}FETCH {what} ({items})", fail, "[EXPUNGEISSUED]" if fail == "NO" else "", bool(uid), asked)

    def op_store(self, a, b, c):
        if not self.usable():
            return
        uid, what, uids = self.some(a, b)
        flags, sign, silent = FLAGS[c % len(FLAGS)], ("+", "-", "")[c // 7 % 3], ".SILENT" * (c // 21 % 2)
        box, there = self.view.mailbox, self.there(uids)
        if self.view.readonly:
            self.do(f"{uid}STORE {what} {sign}FLAGS{silent} ({flags})", "NO", "", bool(uid))
            return
        modifier, failed = self.unchanged_since(there, c)
        good, words = [u for u in there if u not in failed], set(flags.split())
        changed = box.store(good, {"+": lambda f: f | words, "-": lambda f: f - words, "": lambda f: words}[sign], self.user)
        tells = not silent or modifier  # RFC 2180 4.2.1: what is silent says nothing of messages that are gone
        fail = "NO" if not uid and tells and len(there) < len(uids) else "OK"
        code = "[EXPUNGEISSUED]" if fail == "NO" else ""
        if failed:
            code = "[MODIFIED " + ranges(failed if uid else [1 + self.view.uids.index(u) for u in failed])
        asked = {u: {b"FLAGS"} for u in there if not silent or u in failed}
        if silent and self.condstore:
            asked.update({u: {b"MODSEQ"} for u in (good if modifier else changed)})
        self.do(f"{uid}STORE {what} {modifier}{sign}FLAGS{silent} ({flags})", fail, code, bool(uid), asked, good if silent else ())

    def unchanged_since(self, uids, c):
        """("(UNCHANGEDSINCE n) ", UIDs that changed since) where the model knows all the MODSEQs."""
        box = self.view.mailbox
        modseqs = {u: box.modseqs.get(box.messages[u].stamp) for u in uids}
        if not self.condstore or c // 42 % 2 or None in modseqs.values():
            return "", set()
        return f"(UNCHANGEDSINCE {self.view.modseq}) ", {u for u, m in modseqs.items() if m > self.view.modseq}

    def op_expunge(self, a, b, c):
        if not self.usable():
            return
        if self.view.readonly:
            self.do("EXPUNGE", "NO")
            return
        deleted = [u for u, m in self.view.mailbox.messages.items() if r"\Deleted" in m.flags]
        if c % 2:
            self.view.mailbox.remove(deleted)
            self.do("EXPUNGE")
        else:
            last = 1 + a % self.view.uids[-1]
            self.view.mailbox.remove([u for u in deleted if u <= last])
            self.do(f"UID EXPUNGE 1:{last}")

    def op_copy(self, a, b, c, verb="COPY"):
        if not self.usable():
            return
        uid, what, uids = self.some(a, b)
        name, target = self.box(c)
        there = self.there(uids)
        if verb == "MOVE" and self.view.readonly:
            self.do(f"{uid}{verb} {what} {name}", "NO")
        elif target is None:
            self.do(f"{uid}{verb} {what} {name}", "NO", "[TRYCREATE]")
        else:
            self.transfer(f"{uid}{verb} {what} {name}", verb, there, target)

    def transfer(self, command, verb, uids, target):
        source = self.view.mailbox
        kept = {f"{SEEN}@{self.account.user}"} if verb == "MOVE" else set()  # what is moved its owner has seen as before
        new = target.add([owned(source.flags(u, self.user), self.user) | source.messages[u].flags & kept for u in uids]) if uids else []
        if verb == "MOVE":
            source.remove(uids, with_last=source is target)
        code = f"[COPYUID {target.validity or ''}"
        self.do(command, "OK", code if new and verb == "COPY" else "")

    def op_move(self, a, b, c):
        self.op_copy(a, b, c, "MOVE")

    def op_append(self, a, b, c):
        name, mailbox = self.box(a)
        each = [FLAGS[(b + i) % len(FLAGS)] for i in range(1 + c % 3)]
        data = message(f"appended {b}").decode()
        words = "".join(f" ({flags}) {{{len(data)}+}}\r\n{data}" for flags in each)
        if mailbox is None:  # refused before it is read, and nothing is told
            said, status, answer = self.say(f"APPEND {name}{words}")
            fail_unless((said, status) == ([], "NO") and answer.startswith("[TRYCREATE]"), "APPEND", said, status, answer)
            return
        first = mailbox.uidnext
        mailbox.add([owned(flags.split(), self.user) for flags in each])
        last = mailbox.uidnext - 1
        self.do(f"APPEND {name}{words}", "OK", f"[APPENDUID {mailbox.validity} {ranges(range(first, last + 1))}]" if mailbox.validity else "[APPENDUID ")

    def op_deliver(self, a, b, c):
        self.account.deliver()

    def op_search(self, a, b, c):
        if not self.usable():
            return
        key, uid = list(KEYS)[a % len(KEYS)], "UID " * (b % 2)
        right = [u for u in self.there(self.view.uids) if KEYS[key](self.view.mine(u))]
        if not uid:
            right = [1 + self.view.uids.index(u) for u in right]
        options = "RETURN (COUNT ALL) " * (c % 2)
        rest = self.do(f"{uid}SEARCH {options}{key}", may_expunge=bool(uid))
        self.check_search(rest, right, bool(options), uid)

    def check_search(self, rest, right, extended, uid):
        [line] = rest
        if line[0] == b"SEARCH":
            fail_unless(not extended and not self.rev2, "SEARCH where ESEARCH was due")
            found = [int(w) for w in line[1:]]
        else:
            fail_unless(extended or self.rev2, "ESEARCH where SEARCH was due")
            words = [w for w in line[2:] if w != b"UID"]
            fail_unless((b"UID" in line) == bool(uid), "ESEARCH with UID or without")
            values = dict(zip(words[::2], words[1::2]))
            found = numbers(values[b"ALL"].decode()) if b"ALL" in values else []
            fail_unless(not extended or int(values[b"COUNT"]) == len(right), "COUNT", values.get(b"COUNT"), "of", len(right))
        fail_unless(sorted(found) == right, "found", ranges(found), "instead of", ranges(right))

    def status(self, name):
        said, _, _ = self.say(f"STATUS {name} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN{' HIGHESTMODSEQ' * self.condstore})")
        [line] = [line for line in said if line[0] == b"STATUS"]
        return dict(zip(line[2][::2], line[2][1::2]))

    def op_status(self, a, b, c):
        name, mailbox = self.box(a)
        items = f"(MESSAGES UIDNEXT UIDVALIDITY UNSEEN{' HIGHESTMODSEQ' * self.condstore})"
        if mailbox is None:
            self.do(f"STATUS {name} {items}", "NO", "[NONEXISTENT]")
            return
        [line] = [r for r in self.do(f"STATUS {name} {items}") if r[0] == b"STATUS"]
        found = dict(zip(line[2][::2], (int(n) for n in line[2][1::2])))
        unseen = sum(SEEN not in mailbox.flags(u, self.user) for u in mailbox.messages)
        wanted = {b"MESSAGES": len(mailbox.messages), b"UIDNEXT": mailbox.uidnext, b"UNSEEN": unseen}
        fail_unless({k: found[k] for k in wanted} == wanted, "STATUS", found, "instead of", wanted)
        self.account.check_validity(mailbox, found[b"UIDVALIDITY"])
        if self.condstore:
            mailbox.highest(found[b"HIGHESTMODSEQ"])

    def op_create(self, a, b, c):
        name = "AB"[a % 2]
        if self.guest:  # nothing above it gives him "k"
            self.do(f"CREATE {self.name(name)}", "NO", "[NOPERM]")
        elif self.account.boxes.get(name):
            self.do(f"CREATE {name}", "NO", "[ALREADYEXISTS]")
        else:
            self.account.boxes[name] = Mailbox(name)
            self.do(f"CREATE {name}")
            self.account.share(name)

    def op_delete(self, a, b, c):
        name = "AB"[a % 2]
        mailbox = self.account.boxes.get(name)
        if mailbox is None or not self.known(mailbox):
            self.do(f"DELETE {self.name(name)}", "NO", "[NONEXISTENT]")
            return
        del self.account.boxes[name]
        mailbox.deleted = True
        if self.view and self.view.mailbox is mailbox:
            self.view = None
        self.do(f"DELETE {self.name(name)}")

    def op_rights(self, a, b, c):
        """The owner takes all rights from his guests, or gives them again."""
        name, mailbox = NAMES[a % len(NAMES)], self.account.boxes.get(NAMES[a % len(NAMES)])
        if mailbox and self.account.guests:
            mailbox.shared = b % 3 > 0
            self.account.share(name)
        if not self.revoked:
            self.do("NOOP")

    def op_idle(self, a, b, c):
        if self.view and not self.idling:
            self.say_idle()

    def say_idle(self):
        self.account.script.append(f"#   {self.number}: IDLE")
        self.wire.send(b"idle IDLE\r\n")
        said = []
        while (line := self.wire.response())[0] != b"+":
            said.append(line[1:])
        self.view.take(said, True)
        self.idling = True
        self.settle()

    def settle(self):
        """While it idles: what others did must be told without being asked for."""
        if not self.idling or self.view.mailbox.deleted or self.revoked:
            return
        view = self.view
        view.begin()
        while view.uids != list(view.mailbox.messages) or view.due & set(view.mailbox.messages) - set(view.told_flags):
            said = self.wire.response()[1:]
            self.note([said])
            view.take([said], True)
        view.end(True)

    def done(self):
        self.account.script.append(f"#   {self.number}: DONE")
        self.view.begin()
        self.wire.send(b"DONE\r\n")
        said, answer = self.wire.until(b"idle")
        self.note(said + [answer])
        self.view.take(said, True)
        self.view.end(True)
        self.idling = None

    def op_drop(self, a, b, c):
        """The connection is lost; what the client had is kept."""
        if self.view and self.condstore:
            self.account.states.insert(a % (1 + len(self.account.states)), self.view.kept())
            del self.account.states[STATES_MAX:]
        self.leave()
        self.enter(a)

    def op_resync(self, a, b, c):
        """An old state comes back: in the end it is what a new client sees."""
        states = [s for s in self.account.states if s.user == self.user and s.mailbox.name in self.account.boxes
                  and self.known(self.account.boxes[s.mailbox.name])]
        if not states:
            return self.op_drop(a, b, c)
        if not self.qresync:
            self.leave()
            self.enter(2 + 3 * (a % 2))
        old = states[a % len(states)]
        box = self.account.boxes[old.mailbox.name]
        known = f" {ranges(old.flags)}" if old.flags and b % 2 else ""
        rest = self.open(self.name(box.name), box, "SELECT", f" (QRESYNC ({old.validity} {old.modseq}{known}))")
        mine = dict(old.flags) if old.mailbox is box else {}
        for line in rest:
            if line[0] == b"VANISHED":
                fail_unless(old.mailbox is box, "VANISHED of another UIDVALIDITY")
                for uid in numbers(line[2].decode()):
                    mine.pop(uid, None)
        self.view.begin()
        mine.update({u: f for u, f in self.view.flags.items() if f is not None})
        last = max(old.flags, default=0) if old.mailbox is box else 0
        self.do(f"UID FETCH {last + 1}:4294967295 (FLAGS)", asked={u: {b"FLAGS"} for u in self.view.uids if u > last})
        mine.update({u: f for u, f in self.view.flags.items() if f is not None and u > last})
        wrong = {u for u in {*mine, *box.messages} if u not in mine or u not in box.messages or mine[u] != self.view.mine(u)}
        fail_unless(not wrong, "the old state came back with other messages or flags: UIDs", ranges(wrong))
        self.view.flags = mine
