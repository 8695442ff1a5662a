"""Every channel between two processes, each end taken over in turn: what breaks the rules ends the channel and nothing else.

The pairs are those of src/role/table.c, the messages those of include/postern/ipc/calls.def; a new row of either is tried here
without anybody's doing. What the answers can do is in test_answers.py, what a row forbids in test_rights.py.
"""
import itertools
import os
import re

import pytest

import attack
import hostile
import taken

LINKS = sorted({(a.lower(), b.lower(), sign == "true") for a, b, sign in re.findall(
    r"\{ ROLE_(\w+), ROLE_(\w+), (\w+) \}", (taken.TOP / "src/role/table.c").read_text())})
ROWS = taken.rows()
# who is attacked, by whom, on which of their channels; the one for signatures is read by keys alone unless somebody signs
ATTACKS = [(victim, enemy, sign) for a, b, sign in LINKS for victim, enemy in ((a, b), (b, a)) if not sign or victim == "keys"]
NASTY_MESSAGES = 1000 if os.environ.get("POSTERN_LONG") else 100
LEFT_MAX = 2  # what a role may open in its life of its own accord: a mailbox, a spool file


def test_the_table_is_read():
    assert len(LINKS) == len(re.findall(r"\{ ROLE_\w+, ROLE_", (taken.TOP / "src/role/table.c").read_text())) > 15
    assert {role for link in LINKS for role in link[:2]} == set(taken.ROLES) - {"parent", "log", "cli"}


class Victim:
    """A role alone, and one channel to it on which we are the enemy, made anew as often as it ends."""

    def __init__(self, site, role, enemy, sign):
        self.site, self.enemy, self.sign = site, enemy, sign
        self.role = attack.alone(site, role, "store { processes = 1 }")
        if role == "keys":
            attack.hand_keys(self.role, site)
        self.sock = self.role.peer(enemy, use=int(sign))
        self.role.start()
        self.questions = itertools.count(1)

    def again(self):
        self.sock.close()
        self.sock = self.role.peer(self.enemy, use=int(self.sign))

    def lives(self):
        """It answers its parent."""
        taken.ask(self.role.parent, ROWS["counters"], number=0x7f000000 + next(self.questions))

    def ends_the_channel(self, what, data, fds):
        hostile.send(self.sock, data, fds)
        assert taken.ends(self.sock), f"{what}: the channel goes on\n{self.site.log_tail(5)}"
        self.again()

    def descriptors(self):
        self.lives()
        return self.role.settle()


@pytest.fixture
def victim(request):
    role, enemy, sign = request.param
    with attack.watched() as site:
        one = Victim(site, role, enemy, sign)
        yield one
        one.role.end()


def name_of(attack_row):
    victim, enemy, sign = attack_row
    return f"{victim}-by-{enemy}{'-sign' if sign else ''}"


def composed(row):
    return hostile.Composed(taken.ASK if row.is_call else taken.SAY, row, row.fields)


each_attack = pytest.mark.parametrize("victim", ATTACKS, indirect=True, ids=map(name_of, ATTACKS))


@each_attack
def test_k14_what_breaks_the_rules_ends_the_channel(victim):
    victim.again()
    before = victim.descriptors()
    for row in ROWS.values():
        message = composed(row)
        if not row.goes(victim.enemy, victim.role.role):
            victim.ends_the_channel(f"{row.name}, which is not the peer's to send", message.data, message.fds)
            message.close()
            continue
        for what, data, fds in hostile.all_broken(message, ROWS):
            victim.ends_the_channel(f"{row.name}: {what}", data, fds)
        message.close()
    victim.lives()
    assert victim.descriptors() <= before, victim.role.list_descriptors()


@each_attack
def test_what_keeps_the_rules_and_is_a_lie(victim):
    """Contents that nobody honest sends, questions with the same number, descriptors of every kind or none."""
    rng = hostile.generator(name_of((victim.role.role, victim.enemy, victim.sign)))
    sends = [row for row in ROWS.values() if row.goes(victim.enemy, victim.role.role)]
    before = victim.descriptors()
    for _ in range(NASTY_MESSAGES if sends else 0):
        row = rng.choice(sends)
        message = hostile.nasty(rng, taken.ASK if row.is_call else taken.SAY, row, row.fields, rng.choice([0, 1, 1, 7, 2**32 - 1]))
        if len(message.data) <= taken.MESSAGE_MAX:
            hostile.send(victim.sock, message.data, message.fds)
        message.close()
        if taken.is_over(victim.sock):
            victim.again()
    victim.lives()
    victim.again()
    assert victim.role.settle(20, before + LEFT_MAX) <= before + LEFT_MAX, victim.role.list_descriptors()
