"""cut_check.py - what a server shows of a disk that a power cut left, and what is wrong with it.

It knows nothing of the inside: it reads every mailbox by IMAP, queue and accounts by postern's commands, counts the files of the
Maildirs, and compares with what clients, operator and hosts elsewhere had been told (history.py)."""
import os
import re
import time
from pathlib import Path

from cut_guests import GUESTS, OWNER, without_virtual
from cut_mail import USERS
from history import body, read_message

SETTLE_SECONDS = 10   # file actions and mail that is owed here follow in the background
BOUNCED = re.compile(rb"^Final-Recipient: rfc822; ?(\S+)\r$", re.M)


class Found:
    """What the server shows."""

    def __init__(self):
        self.messages = {}   # (user, number) → [(mailbox, flags), …]
        self.uidnext = {}    # (user, UIDVALIDITY) → UIDNEXT
        self.uids = {}       # (user, UIDVALIDITY) → {uid: number or what else it is}
        self.boxes = set()   # (user, name)
        self.queue = {}      # address → how often
        self.bounced = {}    # address → how many notifications say that it failed
        self.accounts = {}   # name → (password, quota, disabled)
        self.aliases = {}    # name → targets
        self.rights = {}     # (mailbox of the owner's, guest) → letters
        self.seen = set()    # (guest, number): has \\Seen in what is lent to him
        self.faults = []


class Inspection:
    """passwords(name): those that the account may have. lent: mailboxes that the owner has lent, if anybody does so."""

    def __init__(self, site, found, sizes, passwords, lent=()):
        self.site, self.found, self.sizes, self.passwords, self.lent = site, found, sizes, passwords, lent
        self.users = (*USERS, OWNER) if lent else USERS

    def read(self):
        offered = {guest: self.offered_to(guest) for guest in GUESTS if self.lent}  # before her account is opened
        self.read_queue()
        for user in self.users:
            self.read_user(user)
        self.read_rights(offered)
        for user in self.users:
            self.check_files(user)
        self.read_accounts()

    # -- what is lent

    def offered_to(self, guest):
        """{mailbox: letters} of what the guest finds in the owner's account, by name and in the list."""
        prefix, found = f"Users/{self.site.address(OWNER)}/", {}
        client = self.site.imap(guest)
        listed = {line.decode().partition(prefix)[2].rstrip('"') for line in client.list('""', f'"{prefix}*"')[1] if line}
        for box in self.lent:
            answer = client.myrights(f'"{prefix}{box}"')
            if answer[0] == "OK":
                found[box] = without_virtual(answer[1][0].decode().split()[-1])
        client.logout()
        if listed != set(found):
            self.found.faults.append(f"{guest}: the list has {sorted(listed)}, there is {sorted(found)}")
        return found

    def read_rights(self, offered):
        """What the owner's lists say, and then what the guests have seen: all are let in."""
        client = self.site.imap(OWNER) if self.lent else None
        for box in self.lent:
            answer = client.getacl(box)
            if answer[0] != "OK":
                continue
            words = answer[1][0].decode().split()[1:]
            letters = {name: without_virtual(have) for name, have in zip(words[::2], words[1::2])}
            for guest in GUESTS:
                have = letters.get(self.site.address(guest))
                self.found.rights[box, guest] = have
                if (have if have and "l" in have else None) != offered[guest].get(box):
                    self.found.faults.append(f"{guest} finds {box} with {offered[guest].get(box)}, its list says {have}")
                client.setacl(box, self.site.address(guest), "lr")
                self.read_seen(guest, box)
        if client:
            client.logout()

    def read_seen(self, guest, box):
        client = self.site.imap(guest)
        client.select(f'"Users/{self.site.address(OWNER)}/{box}"', readonly=True)
        for item in client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (X-CRASH)])")[1]:
            if isinstance(item, tuple) and b"\\Seen" in item[0]:
                self.found.seen.add((guest, int(item[1].split()[1])))
        client.logout()

    def read_user(self, user):
        client = self.site.imap(user)
        for line in client.list()[1]:
            if line and b"\\NonExistent" not in line:
                box = re.search(rb'"/" "?([^"]*)"?$', line).group(1).decode()
                if not box.startswith("Users/"):  # somebody else's
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
        data = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")[1] if number["EXISTS"] else []
        got = [item for item in data if isinstance(item, tuple)]
        if len(got) != number["EXISTS"]:
            self.found.faults.append(f"{user} {box}: {number['EXISTS']} messages exist, {len(got)} were fetched")
        for head, content in got:
            self.read_message(user, box, key, head, content)

    def read_message(self, user, box, key, head, content):
        uid = int(re.search(rb"UID (\d+)", head).group(1))
        flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", head).group(1).decode().split()) - {"\\Recent"}
        number, whole = read_message(content)
        if number is None and content.endswith(b"--\r\n") and BOUNCED.search(content):
            self.found.uids[key][uid] = "a bounce"
            for address in BOUNCED.findall(content):
                self.found.bounced[address.decode()] = self.found.bounced.get(address.decode(), 0) + 1
        elif not whole:
            self.found.uids[key][uid] = "broken"
            self.found.faults.append(f"{user} {box}: UID {uid} is not a whole message ({len(content)} bytes)")
        else:
            self.found.uids[key][uid] = number
            self.found.messages.setdefault((user, number), []).append((box, flags))

    # -- the queue

    def queued(self):
        """The queue, once nothing in it is owed to anybody here."""
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            entries = self.site.json("queue", "list")
            if not any(r["local"] for entry in entries for r in entry["recipients"]):
                return entries
            if time.monotonic() > end:
                self.found.faults.append("queue: mail for users here was not delivered")
                return entries
            self.site.postern("queue", "retry", "--to", self.site.domain, check=False)
            time.sleep(0.05)

    def read_queue(self):
        ledger = None
        for entry in self.queued():
            for recipient in entry["recipients"]:
                address = recipient["address"]
                self.found.queue[address] = self.found.queue.get(address, 0) + 1
            spool = self.site.state / "queue/spool" / entry["id"]
            ledger = ledger or (self.site.state / "queue/queue.mdb").read_bytes()
            self.check_content(entry, spool.read_bytes() if spool.exists() else ledger)

    def check_content(self, entry, content):
        """The body is in the ledger's file or in the spool, in one piece."""
        numbers = [int(local) for local, _, _ in (r["address"].partition("@") for r in entry["recipients"]) if local.isdigit()]
        number = numbers[0] if numbers else 0
        if body(number, self.sizes.get(number, 0)) not in content:
            self.found.faults.append(f"queue: the content of {entry['id']} ({number}) is not whole")

    # -- files and accounts

    def check_files(self, user):
        """In the Maildir there is a file for each message, no more, and `store check` has nothing to say."""
        want = sum(len(uids) for (owner, _), uids in self.found.uids.items() if owner == user)
        maildir = self.site.state / "mail" / self.site.domain / user / "Maildir"
        end = time.monotonic() + SETTLE_SECONDS
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

    def read_accounts(self):
        for account in self.site.json("user", "list"):
            name = account["address"].partition("@")[0]
            if name not in self.users:
                self.found.accounts[name] = (self.password_of(name), account["quota"], account["disabled"])
        for alias in self.site.json("alias", "list"):
            self.found.aliases[alias["alias"].partition("@")[0]] = tuple(sorted(alias["targets"]))

    def password_of(self, name):
        for password in self.passwords(name):
            done = self.site.postern("user", "check", self.site.address(name), "--password-stdin", stdin=password + "\n", check=False)
            if done.returncode == 0 or "the password is right" in done.stderr:
                return password
        return None


def found_state(found, subject):
    """What became of a subject, in the words of the history."""
    kind, name = subject[0], subject[-1]
    if kind == "rights":
        return found.rights.get(subject[1:])
    if kind == "seen":
        return "seen" if subject[1:] in found.seen else None
    if kind == "account":
        return found.accounts.get(name)
    if kind == "alias":
        return found.aliases.get(name)
    if subject[1] == "box":
        return "there" if (kind, name) in found.boxes else None
    places = sorted((box, tuple(sorted(flags))) for box, flags in found.messages.get(subject, ()))
    return tuple((box, frozenset(flags)) for box, flags in places) or None


def compare(history, cut, found):
    """What is wrong with what was found after a cut there."""
    wrong = list(found.faults)
    for subject in history.subjects:
        allowed = history.allowed(subject, cut)
        if subject[0] == "queue":
            wrong += compare_owed(history, cut, found, subject[1], allowed)
            continue
        state = found_state(found, subject)
        if state not in allowed:
            wrong.append(f"{subject}: found {state}, allowed {allowed}")
    known = {subject for subject in history.subjects}
    strange = [s for s in (*found.messages, *(("account", n) for n in found.accounts), *(("alias", n) for n in found.aliases),
                           *(("queue", a) for a in (*found.queue, *found.bounced))) if s not in known]
    return wrong + [f"{subject}: nobody made it" for subject in strange] + compare_facts(history, cut, found) + compare_kept(history, cut, found)


def compare_kept(history, cut, found):
    """What was on its way between accounts is in one of them."""
    there = {number for _, number in found.messages}
    return [f"message {number}: in no account" for number, (told, gone) in history.kept.items()
            if told <= cut and not (gone is not None and gone <= cut) and number not in there]


def compare_owed(history, cut, found, address, allowed):
    """Mail for elsewhere that was acknowledged is in exactly one of queue and bounce, or a host elsewhere had it. What the operator had
    seen to be settled does not come again."""
    queued, bounced = found.queue.get(address, 0), found.bounced.get(address, 0)
    received = history.received.get(address, cut + 1) <= cut
    settled = history.gone.get(address, cut + 1) <= cut
    wrong = []
    if queued + bounced > 1:
        wrong.append(f"{address}: {queued} times in the queue, {bounced} bounces")
    if queued and "waits" not in allowed:
        wrong.append(f"{address}: in the queue, where it was never or is no more")
    if queued and settled:
        wrong.append(f"{address}: in the queue again, which had let it go")
    if None not in allowed and not queued and not bounced and not received:
        wrong.append(f"{address}: lost from the queue")
    return wrong


def compare_facts(history, cut, found):
    """No UID twice, UIDNEXT has not fallen, no mailbox has lost its UIDVALIDITY."""
    wrong = []
    for place, user, box, facts in history.facts:
        uidnext = found.uidnext.get((user, box))
        if place > cut or (uidnext is None and history.deleted.get((user, box), cut + 1) <= cut):
            continue
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
