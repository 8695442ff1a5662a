/* imap_resync.c - a client that comes back with any old state ends up with what a new client sees (RFC 7162 3.2, 6).
 *
 * Live clients and deliveries change a mailbox at random. Clients lose their connection at any line of an answer and
 * keep what they had: UIDs, flags, and the mod-sequence that RFC 7162 6 lets them believe in. Later such a state
 * comes back by SELECT (QRESYNC …) or UID FETCH … (CHANGEDSINCE … VANISHED), with or without known UIDs, match data and
 * sequence numbers (RFC 9586), takes in what is new, and must be equal to the mailbox. Arguments: rounds, seed, sync threads; the same
 * arguments give the same run, which is what a failure prints. */
#include "imap_flags.h"
#include "imap_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/core/cur.h>
#include <postern/core/log.h>
#include <postern/message/charset.h>
#include <postern/store/uidset.h>

enum { CLIENTS = 3, STATES = 30, MESSAGES_MAX = 600, FLAGS_SIZE = 100, BACK = 8, TRUTH = 9 };

struct known {
	uint32_t uid;           /* 0: told by EXISTS only */
	char flags[FLAGS_SIZE]; /* sorted; "?": not told */
};

struct mirror {
	struct known m[MESSAGES_MAX];
	uint32_t n;
	uint64_t modseq;  /* the client's own, as of the last tagged answer */
	uint64_t highest; /* in FETCH responses since then */
	uint64_t code;    /* HIGHESTMODSEQ since then, 0: none */
	char sign;        /* of the STORE under way … */
	const char *flag; /* … and its flag */
};

static struct world world;
static struct mirror mirrors[TRUTH + 1];
static struct mirror states[STATES]; /* the newest first */
static unsigned nstates;
static unsigned rounds = 300;
static unsigned first_seed = 1;
static unsigned seed;
static unsigned long resyncs;

static unsigned
roll(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static _Noreturn void
fail(const char *what, uint32_t uid)
{
	fprintf(stderr, "imap_resync: %s, UID %u; replay: imap_resync %u %u %u\n", what, uid, rounds, first_seed,
	    world.threads);
	abort();
}

/* --- what a client keeps --- */

/* MODSEQ without flags: the client's own STORE, in silence. */
static void
apply_own(const struct mirror *c, struct known *k)
{
	struct str list = str_of(k->flags);
	struct str word;
	char left[2 * FLAGS_SIZE] = "";

	if (k->flags[0] == '?' || c->flag == NULL)
		return;
	while (str_cut(&list, ' ', &word))
		if (!str_eq(word, str_of(c->flag)))
			snprintf(left + strlen(left), sizeof(left) - strlen(left), " %.*s", STR_ARG(word));
	if (c->sign == '+')
		snprintf(left + strlen(left), sizeof(left) - strlen(left), " %s", c->flag);
	flags_sort(str_of(left[0] == ' ' ? left + 1 : left), k->flags, sizeof(k->flags));
}

static void
remove_at(struct mirror *c, uint32_t i)
{
	memmove(&c->m[i], &c->m[i + 1], (c->n - i - 1) * sizeof(c->m[0]));
	c->n--;
}

/* The message itself, or (now) one that is only counted where its UID has to be. */
static void
vanish_one(struct mirror *c, uint32_t uid, bool earlier)
{
	uint32_t counted = UINT32_MAX;

	for (uint32_t i = 0; i < c->n && (c->m[i].uid == 0 || c->m[i].uid <= uid); i++) {
		if (c->m[i].uid == uid) {
			remove_at(c, i);
			return;
		}
		counted = c->m[i].uid == 0 ? i : UINT32_MAX;
	}
	if (earlier)
		return;
	if (counted == UINT32_MAX)
		fail("VANISHED of what the client was never told", uid);
	remove_at(c, counted);
}

static void
on_vanished(struct mirror *c, struct str set, bool earlier)
{
	struct uidset uids;

	uidset_init(&uids);
	if (!uidset_parse(&uids, set, SIZE_MAX))
		fail("VANISHED without a set", 0);
	for (uint32_t u = uidset_next(&uids, 1); u != 0; u = u < UINT32_MAX ? uidset_next(&uids, u + 1) : 0)
		vanish_one(c, u, earlier);
	uidset_fini(&uids);
}

static uint64_t
number_behind(struct str line, struct str word)
{
	size_t at = str_search(line, word);

	return at < line.n ? strtoull(line.p + at + word.n, NULL, 10) : 0;
}

static void
on_fetch(struct mirror *c, uint32_t seq, struct str items)
{
	size_t flags = str_search(items, STR("FLAGS ("));
	uint32_t uid = (uint32_t)number_behind(items, STR("UID "));
	uint64_t modseq = number_behind(items, STR("MODSEQ ("));
	struct known *k = &c->m[seq - 1];

	if (seq == 0 || seq > c->n || (uid != 0 && k->uid != 0 && k->uid != uid))
		fail("FETCH of another message than the client has there", uid);
	if (uid != 0)
		k->uid = uid;
	if (modseq > c->highest)
		c->highest = modseq;
	if (flags < items.n) {
		struct str list = str_sub(items, flags + 7, items.n);

		flags_sort(str_sub(list, 0, str_find(list, ')')), k->flags, sizeof(k->flags));
	} else if (modseq != 0) {
		apply_own(c, k);
	}
}

static void
on_exists(struct mirror *c, uint32_t n)
{
	if (n >= MESSAGES_MAX)
		fail("too many messages for the test", 0);
	for (; c->n < n; c->n++)
		c->m[c->n] = (struct known){ .flags = "?" };
}

static void
on_expunge(struct mirror *c, uint32_t seq)
{
	remove_at(c, seq - 1);
}

/* RFC 7162 6: the code if there was one, else the highest MODSEQ; both only with the tagged answer. */
static void
on_tagged(struct mirror *c)
{
	if (c->code != 0)
		c->modseq = c->code;
	else if (c->highest > c->modseq)
		c->modseq = c->highest;
	c->code = 0;
	c->highest = 0;
}

static void
on_numbered(struct mirror *c, struct cur *cur)
{
	uint32_t n = (uint32_t)cur_number(cur, UINT32_MAX);

	if (cur_take(cur, " EXISTS"))
		on_exists(c, n);
	else if (cur_take(cur, " EXPUNGE"))
		on_expunge(c, n);
	else if (cur_take(cur, " FETCH "))
		on_fetch(c, n, cur_rest(cur));
}

static void
on_line(struct mirror *c, struct str line)
{
	struct cur cur = cur_init(str_trim(line));

	if (number_behind(line, STR("[HIGHESTMODSEQ ")) != 0)
		c->code = number_behind(line, STR("[HIGHESTMODSEQ "));
	if (cur_take(&cur, "t "))
		on_tagged(c);
	else if (cur_take(&cur, "* VANISHED (EARLIER) "))
		on_vanished(c, cur_rest(&cur), true);
	else if (cur_take(&cur, "* VANISHED "))
		on_vanished(c, cur_rest(&cur), false);
	else if (cur_take(&cur, "* ") && ascii_is_digit((char)cur_peek(&cur)))
		on_numbered(c, &cur);
}

/* The lines up to a limit; what comes after it is lost. */
static void
listen_to(unsigned conn, unsigned lines)
{
	struct buf *said = &world.conns[conn].said;
	struct str all = buf_str(said);
	struct str line;

	for (unsigned i = 0; i < lines && str_cut(&all, '\n', &line); i++)
		on_line(&mirrors[conn], line);
	buf_clear(said);
}

static void __attribute__((format(printf, 2, 3)))
say(unsigned conn, const char *format, ...)
{
	struct buf *inbox = &world.conns[conn].inbox;
	va_list args;
	char line[6000];

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	buf_addf(inbox, "t %s\r\n", line);
}

/* --- live clients --- */

static void
begin(unsigned conn)
{
	imap_session_free(world.conns[conn].session);
	world.conns[conn].session = NULL;
	buf_clear(&world.conns[conn].inbox);
	mirrors[conn] = (struct mirror){ 0 };
	if (!world_login(&world, conn, STR("alice")))
		fail("login", 0);
}

static void
begin_live(unsigned conn)
{
	begin(conn);
	say(conn, conn == 1 ? "ENABLE CONDSTORE" : "ENABLE QRESYNC");
	say(conn, "SELECT INBOX");
	say(conn, "UID FETCH 1:* (FLAGS)");
	world_drive(&world);
	listen_to(conn, UINT32_MAX);
}

/* More often new messages than old, so that there is a part that stays as it was. */
static void
random_set(const struct mirror *c, char out[40])
{
	unsigned half = roll(8) > 0 ? c->n / 2 : 0;
	unsigned a = 1 + half + roll(c->n - half);
	unsigned b = a + roll(3);

	snprintf(out, 40, "%u:%u", a, b > c->n ? c->n : b);
}

static void
random_store(unsigned conn, const char *set)
{
	static const char *const flags[] = { "\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "\\Deleted", "kw1" };
	struct mirror *c = &mirrors[conn];

	c->sign = "+-"[roll(2)];
	c->flag = flags[roll(6)];
	if (roll(3) == 0)
		say(conn, "STORE %s (UNCHANGEDSINCE %llu) %cFLAGS.SILENT (%s)", set, (unsigned long long)c->modseq, c->sign,
		    c->flag);
	else
		say(conn, "STORE %s %cFLAGS%s (%s)", set, c->sign, roll(2) ? ".SILENT" : "", c->flag);
}

static void
random_command(unsigned conn)
{
	const struct mirror *c = &mirrors[conn];
	unsigned what = c->n == 0 ? 0 : c->n > MESSAGES_MAX / 2 ? 8 : roll(10);
	char set[40] = "";

	if (what > 0)
		random_set(c, set);
	switch (what) {
	case 0:
		say(conn, "APPEND INBOX (\\Seen) {9+}\r\nA: b\r\n\r\nx");
		break;
	case 1:
	case 2:
	case 3:
		random_store(conn, set);
		break;
	case 4:
		say(conn, "%s", roll(2) ? "EXPUNGE" : "UID EXPUNGE 1:*");
		break;
	case 5:
		say(conn, "FETCH %s (FLAGS MODSEQ)", set);
		break;
	case 6:
		say(conn, "%s %s INBOX", roll(2) ? "COPY" : "MOVE", set);
		break;
	case 7:
		say(conn, "UID FETCH 1:* (FLAGS)");
		break;
	case 8:
		say(conn, "UID STORE 1:* +FLAGS (\\Deleted)");
		break;
	default:
		say(conn, "%s", roll(2) ? "NOOP" : "FETCH 1 BODY[]");
		break;
	}
}

/* The connection is gone after some lines of the answer; the state is kept up to the first message without UID and flags. */
static void
lose(unsigned conn)
{
	struct mirror *c = &mirrors[conn];
	struct mirror *old = &states[0];

	memmove(&states[1], &states[0], (STATES - 1) * sizeof(states[0]));
	if (nstates < STATES)
		nstates++;
	listen_to(conn, roll(2) ? 0 : roll(8));
	*old = *c;
	for (old->n = 0; old->n < c->n && c->m[old->n].uid != 0 && c->m[old->n].flags[0] != '?';)
		old->n++;
	begin_live(conn);
}

/* --- coming back --- */

static void
add_known(struct buf *out, const struct mirror *c)
{
	struct uidset uids;

	uidset_init(&uids);
	for (uint32_t i = 0; i < c->n; i++)
		uidset_add(&uids, c->m[i].uid, c->m[i].uid);
	buf_add_char(out, ' ');
	uidset_write(&uids, out);
	uidset_fini(&uids);
}

static void
add_match(struct buf *out, const struct mirror *c)
{
	struct buf uids;

	buf_init(&uids, SIZE_MAX);
	buf_add_cstr(out, " (");
	for (uint32_t i = roll(3); i < c->n; i += 1 + roll(5)) {
		buf_addf(out, uids.n > 0 ? ",%u" : "%u", i + 1);
		buf_addf(&uids, uids.n > 0 ? ",%u" : "%u", c->m[i].uid);
	}
	if (uids.n == 0) {
		buf_addf(out, "%u", c->n);
		buf_addf(&uids, "%u", c->m[c->n - 1].uid);
	}
	buf_add_char(out, ' ');
	buf_add(out, buf_str(&uids));
	buf_add_char(out, ')');
	buf_fini(&uids);
}

static void
say_select(const struct mirror *old, bool uidonly)
{
	struct buf line;

	buf_init(&line, SIZE_MAX);
	buf_addf(&line, "SELECT INBOX (QRESYNC (1777636800 %llu", (unsigned long long)old->modseq);
	if (old->n > 0 && roll(2))
		add_known(&line, old);
	if (old->n > 0 && !uidonly && roll(2))
		add_match(&line, old);
	buf_add_cstr(&line, "))");
	say(BACK, "%s", buf_cstr(&line));
	buf_fini(&line);
}

/* After SELECT numbers are those of the mailbox: the old list is taken apart by UIDs, what is told by numbers goes into a
 * list of its own, and both are laid over each other in the end. */
static void
merge(struct mirror *told, const struct mirror *old)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < told->n; i++) {
		struct known *k = &told->m[i];

		if (k->uid != 0) {
			while (at < old->n && old->m[at].uid <= k->uid)
				at++;
			continue;
		}
		if (at == old->n)
			fail("fewer messages are left of the old state than the mailbox has", old->n);
		*k = old->m[at++];
	}
	if (at < old->n)
		fail("the old state keeps what is gone", old->m[at].uid);
}

/* UIDFETCH says what it is about: it goes right into the old list. */
static void
on_uidfetch(struct mirror *old, uint32_t uid, struct str items)
{
	uint32_t i = 0;

	while (i < old->n && old->m[i].uid < uid)
		i++;
	if (i == old->n || old->m[i].uid != uid) {
		memmove(&old->m[i + 1], &old->m[i], (old->n - i) * sizeof(old->m[0]));
		old->m[i] = (struct known){ .uid = uid, .flags = "?" };
		old->n++;
	}
	on_fetch(old, i + 1, items);
}

static void
hear(struct mirror *old)
{
	struct str all = buf_str(&world.conns[BACK].said);
	struct str line;

	while (str_cut(&all, '\n', &line)) {
		struct cur cur = cur_init(str_trim(line));
		size_t uidfetch = str_search(line, STR(" UIDFETCH "));

		if (uidfetch < line.n)
			on_uidfetch(old, (uint32_t)number_behind(line, STR("* ")), str_sub(line, uidfetch, line.n));
		else if (cur_take(&cur, "* VANISHED (EARLIER) "))
			on_vanished(old, cur_rest(&cur), true);
		else if (cur_take(&cur, "* VANISHED"))
			fail("a plain VANISHED in a mailbox at rest", 0);
		else
			on_line(&mirrors[BACK], line);
	}
	buf_clear(&world.conns[BACK].said);
}

/* Without numbers the old list is the new one; EXISTS still counts. */
static void
take(struct mirror *told, const struct mirror *old)
{
	if (told->n != old->n)
		fail("another number of messages than EXISTS said", old->n);
	*told = *old;
}

static void
compare(const struct mirror *c, const struct mirror *truth)
{
	if (c->n != truth->n)
		fail("another number of messages", c->n);
	for (uint32_t i = 0; i < c->n; i++) {
		if (c->m[i].uid != truth->m[i].uid)
			fail("another message", truth->m[i].uid);
		if (strcmp(c->m[i].flags, truth->m[i].flags) != 0)
			fail("other flags", truth->m[i].uid);
	}
}

static void
come_back(void)
{
	struct mirror old = states[roll(1 + roll(nstates))];
	uint32_t last = old.n > 0 ? old.m[old.n - 1].uid : 0;
	bool uidonly = roll(2);

	begin(BACK);
	say(BACK, "ENABLE QRESYNC%s", uidonly ? " UIDONLY" : "");
	if (roll(2)) {
		say_select(&old, uidonly);
	} else {
		say(BACK, "SELECT INBOX");
		say(BACK, "UID FETCH 1:* (FLAGS) (CHANGEDSINCE %llu VANISHED)", (unsigned long long)old.modseq);
	}
	say(BACK, "UID FETCH %u:4294967295 (FLAGS)", last + 1);
	world_drive(&world);
	hear(&old);
	if (uidonly)
		take(&mirrors[BACK], &old);
	else
		merge(&mirrors[BACK], &old);
	begin(TRUTH);
	say(TRUTH, "SELECT INBOX");
	say(TRUTH, "UID FETCH 1:* (FLAGS)");
	world_drive(&world);
	listen_to(TRUTH, UINT32_MAX);
	compare(&mirrors[BACK], &mirrors[TRUTH]);
	resyncs++;
}

static void
one_round(void)
{
	for (unsigned i = 1; i <= CLIENTS; i++)
		random_command(i);
	if (roll(4) == 0 && !world_deliver(&world, STR("alice@example.test"), STR(""), STR("A: b\r\n\r\nbody\r\n")))
		fail("delivery", 0);
	world_drive(&world);
	for (unsigned i = 1; i <= CLIENTS; i++) {
		if (i > 1 && roll(5) == 0)
			lose(i);
		else
			listen_to(i, UINT32_MAX);
	}
	if (nstates > 0 && roll(2))
		come_back();
}

static unsigned
argument(int argc, char **argv, int i, unsigned otherwise)
{
	return argc > i ? (unsigned)strtoul(argv[i], NULL, 10) : otherwise;
}

int
main(int argc, char **argv)
{
	rounds = argument(argc, argv, 1, rounds);
	first_seed = argument(argc, argv, 2, first_seed);
	world.threads = argument(argc, argv, 3, 0);
	seed = first_seed;
	charset_init();
	log_setup(2, "imap", LOG_TEXT, LEVEL_ERROR);
	world_init(&world);
	for (unsigned i = 1; i <= CLIENTS; i++)
		begin_live(i);
	for (unsigned i = 0; i < rounds; i++)
		one_round();
	printf("%u rounds, %lu old states came back\n", rounds, resyncs);
	world_fini(&world);
	charset_fini();
	return 0;
}
