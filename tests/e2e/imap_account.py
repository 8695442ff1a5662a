"""imap_account.py - an account with sessions that act one after the other (imap_actor.py), and with what is true of it (imap_model.py)."""
from imap_actor import NAMES, Session
from imap_model import Mailbox, fail_unless
from mail import message


class Account:
    """The truth and those who act on it."""

    def __init__(self, site, user, guests=()):
        """Three sessions of the user himself, or two, and one of each guest."""
        self.site, self.user, self.guests = site, user, guests
        self.boxes = {"INBOX": Mailbox("INBOX")}
        self.validities = {}
        self.states, self.script, self.sessions = [], [], []
        self.observer = Session(self, 0, user)
        if guests:
            self.share("INBOX")
        self.sessions = [Session(self, i + 1, who) for i, who in enumerate([user] * (2 if guests else 3) + list(guests))]

    def run(self, operations):
        for session in self.sessions:
            session.act("select", 0, 1, 0)
        for who, what, *abc in operations:
            session = self.sessions[who % len(self.sessions)]
            self.script.append(f"{who} {what} {abc[0]} {abc[1]} {abc[2]}")
            session.act(what, *abc)
            for other in self.sessions:
                other.settle()
        for session in self.sessions:
            session.act("noop", 0, 0, 0)
        for name in list(self.boxes):
            self.observer.act("look", NAMES.index(name), 0, 0)

    def share(self, name):
        """The list of rights as the model has it; whoever may not know of the mailbox any more loses it."""
        for guest in self.guests:
            rights = "lrswipkxtea" if self.boxes[name].shared else '""'
            self.observer.do(f"SETACL {name} {self.site.address(guest)} {rights}")
        for session in self.sessions:
            if session.guest and session.view and session.view.mailbox is self.boxes[name] and not self.boxes[name].shared:
                session.revoked = True

    def deliver(self):
        """A message from elsewhere, and the wait for it."""
        with self.site.smtp() as client:
            client.sendmail("s@remote.test", [self.site.address(self.user)], message("from elsewhere"))
        inbox = self.boxes["INBOX"]
        self.site.wait_for(lambda: int(self.observer.status("INBOX")[b"UIDNEXT"]) > inbox.uidnext, 20, "the delivery")
        inbox.add([()])

    def check_validity(self, mailbox, told):
        """A mailbox keeps its UIDVALIDITY; a new one of the same name has a higher one."""
        if mailbox.validity is None:
            fail_unless(told > self.validities.get(mailbox.name, 0), "UIDVALIDITY", told, "was used before")
            mailbox.validity = self.validities[mailbox.name] = told
        fail_unless(told == mailbox.validity, "UIDVALIDITY", told, "was", mailbox.validity)

    def close(self):
        for session in (self.observer, *self.sessions):
            session.leave()
