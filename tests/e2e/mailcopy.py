"""mailcopy.py - copies all mailboxes of an account to another server, as imapsync does: IMAP on both sides, names, flags, dates and bytes as
they are."""
import base64
import re
from datetime import datetime

from imapwire import Connection, quoted

BATCH = 20  # messages of one FETCH and of one APPEND


def utf7(name):
    """RFC 3501 5.1.3."""
    def run(found):
        return "&" + base64.b64encode(found[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
    return re.sub(r"[^\x20-\x7e]+", run, name.replace("&", "&-")).encode()


def from_utf7(wire):
    def text(found):
        return base64.b64decode(found[1].replace(",", "/") + "===").decode("utf-16-be") or "&"
    return re.sub("&([^-]*)-", text, wire.decode())


class Side(Connection):
    """One of the two servers. Nothing is enabled, as with most programs that copy."""

    @staticmethod
    def wire(name):
        return quoted(utf7(name))

    def mailboxes(self):
        """{name: separator} of what can be selected."""
        found = {}
        for _, flags, separator, name in (r for r in self.command(b'LIST "" "*"') if r[0] == b"LIST"):
            if not {b"\\noselect", b"\\nonexistent"} & {f.lower() for f in flags}:
                found[from_utf7(name)] = separator.decode()
        return found

    def subscribed(self):
        return {from_utf7(r[3]) for r in self.command(b'LSUB "" "*"') if r[0] == b"LSUB"}

    def select(self, mailbox, command=b"SELECT"):
        said = self.command(command + b" " + self.wire(mailbox))
        return next(int(r[0]) for r in said if r[1:] == [b"EXISTS"])

    def messages(self, mailbox, body=b"BODY.PEEK[]"):
        """Yields lists of at most BATCH messages (flags, date, bytes) in the order of their numbers."""
        total = self.select(mailbox, b"EXAMINE")
        for first in range(1, total + 1, BATCH):
            said = self.command(b"FETCH %d:%d (FLAGS INTERNALDATE RFC822.SIZE %s)" % (first, min(total, first + BATCH - 1), body))
            yield [taken(r[2]) for r in said if r[1:2] == [b"FETCH"]]

    def append(self, mailbox, messages):
        """One command for all where MULTIAPPEND is offered."""
        if "MULTIAPPEND" not in self.capabilities:
            for one in messages:
                self.append_all(mailbox, [one])
        else:
            self.append_all(mailbox, messages)

    def append_all(self, mailbox, messages):
        parts = []
        for flags, date, data in messages:
            mark = b"~" if b"\0" in data else b""
            parts.append(b'(%s) "%s" %s{%d+}\r\n%s' % (b" ".join(flags), date, mark, len(data), data))
        self.command(b"APPEND " + self.wire(mailbox) + b" " + b" ".join(parts))

    def close(self):
        self.command(b"LOGOUT")
        self.source.close()
        self.sink.close()


def taken(items):
    """(flags, date, bytes) of a FETCH; the size that was told must be that of the bytes."""
    found = {name.split(b"[")[0].upper(): value for name, value in zip(items[::2], items[1::2])}
    data = next(found[name] for name in (b"BODY", b"BINARY") if name in found)
    assert int(found[b"RFC822.SIZE"]) == len(data)
    return sorted(f for f in found[b"FLAGS"] if f != b"\\Recent"), found[b"INTERNALDATE"], data


def instant(date):
    return datetime.strptime(date.decode().strip(), "%d-%b-%Y %H:%M:%S %z").timestamp()


def renamed(name, old, new):
    return name if name.upper() == "INBOX" else name.replace(old, new)


def copy(source, target):
    """All mailboxes, what is in them, and the subscriptions. Names change only in what separates their levels."""
    there = target.mailboxes()
    new = next(iter(there.values()))
    for name, old in source.mailboxes().items():
        far = renamed(name, old, new)
        if far not in there:
            target.command(b"CREATE " + target.wire(far))
        for batch in source.messages(name):
            target.append(far, batch)
    wanted, had = {renamed(name, old, new) for name in source.subscribed()}, target.subscribed()
    for command, names in ((b"SUBSCRIBE ", wanted - had), (b"UNSUBSCRIBE ", had - wanted)):
        for name in names:
            target.command(command + target.wire(name))


def picture(side, separator="/"):
    """{mailbox: [(flags, instant, bytes)]} of what is not empty, and the subscriptions, with one separator for all servers."""
    boxes = side.mailboxes()
    content = {}
    for name, own in boxes.items():
        messages = [(tuple(flags), instant(date), data) for batch in side.messages(name) for flags, date, data in batch]
        if messages:
            content[renamed(name, own, separator)] = messages
    return content, {renamed(name, own, separator) for name in side.subscribed()}
