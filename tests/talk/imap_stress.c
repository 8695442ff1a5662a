/* imap_stress.c - several sessions and deliveries on one mailbox in random order (attacks I26).
 *
 * Each client keeps what the server told it: numbers, UIDs, flags. In the end every client must have the same
 * mailbox as a new session sees, without having asked for it. The grammar is checked on the way, and so is that no
 * EXPUNGE comes during FETCH, STORE or SEARCH (RFC 9051 7.5.1). The last client has no numbers (RFC 9586): its list is one
 * of UIDs, and of messages that are only counted. Arguments: rounds, seed, sync threads of the store. */
#include "imap_flags.h"
#include "imap_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/core/cur.h>
#include <postern/core/log.h>
#include <postern/message/charset.h>
#include <postern/store/uidset.h>

enum { CLIENTS = 4, MESSAGES_MAX = 4000, FLAGS_SIZE = 120, VERIFIER = 9 };

struct known {
	uint32_t uid;            /* 0: not told yet */
	char flags[FLAGS_SIZE];  /* sorted words; "?": not told yet */
};

struct client {
	unsigned conn;
	struct known m[MESSAGES_MAX];
	uint32_t n;
	bool uidonly;
	bool no_expunge;         /* the command under way allows none */
	char doing[400];
};

static struct world world;
static struct client clients[VERIFIER + 1];
static unsigned seed = 1;

static unsigned
roll(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static void
on_fetch(struct client *c, uint32_t seq, struct str items)
{
	size_t uid = str_search(items, STR("UID "));
	size_t flags = str_search(items, STR("FLAGS ("));
	struct known *k = &c->m[seq - 1];

	if (uid < items.n) {
		uint32_t told = (uint32_t)strtoul(items.p + uid + 4, NULL, 10);

		if (k->uid != 0 && k->uid != told)
			log_panic("client %u, %s: number %u was UID %u, now %u", c->conn, c->doing, seq, k->uid, told);
		k->uid = told;
	}
	if (flags < items.n) {
		struct str list = str_sub(items, flags + 7, items.n);

		flags_sort(str_sub(list, 0, str_find(list, ')')), k->flags, sizeof(k->flags));
	}
}

static void
on_exists(struct client *c, uint32_t n)
{
	for (; c->n < n; c->n++) {
		c->m[c->n].uid = 0;
		strcpy(c->m[c->n].flags, "?");
	}
}

static void
on_expunge(struct client *c, uint32_t seq)
{
	if (c->no_expunge)
		log_panic("client %u: EXPUNGE during %s", c->conn, c->doing);
	memmove(&c->m[seq - 1], &c->m[seq], (c->n - seq) * sizeof(c->m[0]));
	c->n--;
}

/* Where the message is in a list without numbers: in any place, or one that is only counted becomes it. */
static uint32_t
find_uid(const struct client *c, uint32_t uid)
{
	uint32_t i = 0;

	while (i < c->n && c->m[i].uid != uid)
		i++;
	for (uint32_t j = 0; i == c->n && j < c->n; j++)
		if (c->m[j].uid == 0)
			i = j;
	if (i == c->n)
		log_panic("client %u, %s: UID %u is more than there are messages", c->conn, c->doing, uid);
	return i;
}

static void
on_uidfetch(struct client *c, uint32_t uid, struct str items)
{
	uint32_t i = find_uid(c, uid);

	c->m[i].uid = uid;
	on_fetch(c, i + 1, items);
}

static void
on_vanished(struct client *c, struct str set)
{
	struct uidset uids;

	uidset_init(&uids);
	if (!uidset_parse(&uids, set, SIZE_MAX))
		log_panic("client %u: VANISHED without a set", c->conn);
	for (uint32_t u = uidset_next(&uids, 1); u != 0; u = uidset_next(&uids, u + 1))
		on_expunge(c, find_uid(c, u) + 1);
	uidset_fini(&uids);
}

static void
on_line(struct client *c, struct str line)
{
	struct cur cur = cur_init(str_trim(line));
	uint32_t n;

	if (cur_take(&cur, "* VANISHED ")) {
		on_vanished(c, cur_rest(&cur));
		return;
	}
	if (!cur_take(&cur, "* ") || !ascii_is_digit((char)cur_peek(&cur)))
		return;
	n = (uint32_t)cur_number(&cur, UINT32_MAX);
	if (cur_take(&cur, " EXISTS"))
		on_exists(c, n);
	else if (cur_take(&cur, " EXPUNGE"))
		on_expunge(c, n);
	else if (cur_take(&cur, " FETCH "))
		on_fetch(c, n, cur_rest(&cur));
	else if (cur_take(&cur, " UIDFETCH "))
		on_uidfetch(c, n, cur_rest(&cur));
}

static void
listen_to(struct client *c)
{
	struct buf *said = &world.conns[c->conn].said;
	struct str all = buf_str(said);
	struct str line;

	while (str_cut(&all, '\n', &line))
		on_line(c, line);
	buf_clear(said);
}

/* Queues a command; nothing runs before all clients have theirs. */
static void __attribute__((format(printf, 2, 3)))
send_line(struct client *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->doing, sizeof(c->doing), format, args);
	va_end(args);
	buf_addf(&world.conns[c->conn].inbox, "t %s\r\n", c->doing);
}

static void
random_set(const struct client *c, char out[40])
{
	unsigned a = 1 + roll(c->n);
	unsigned b = 1 + roll(c->n);

	if (c->uidonly) {
		a = c->m[a - 1].uid != 0 ? c->m[a - 1].uid : 1;
		b = c->m[b - 1].uid != 0 ? c->m[b - 1].uid : 1;
	}
	snprintf(out, 40, roll(2) ? "%u" : "%u:%u", a, b);
}

/* What takes numbers, or UIDs from a client that has none; only among numbers no EXPUNGE may come. */
static void __attribute__((format(printf, 2, 3)))
send_numbers(struct client *c, const char *format, ...)
{
	char line[300];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	c->no_expunge = !c->uidonly;
	send_line(c, "%s%s", c->uidonly ? "UID " : "", line);
}

static void
random_command(struct client *c)
{
	static const char *const flags[] = { "\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "kw1", "kw2 \\Draft" };
	char set[40];

	if (c->n == 0 || roll(6) == 0) {
		send_line(c, "NOOP");
		return;
	}
	random_set(c, set);
	switch (roll(9)) {
	case 0:
		send_numbers(c, "FETCH %s (UID FLAGS)", set);
		break;
	case 1:
		send_line(c, "UID FETCH 1:* (FLAGS)");
		break;
	case 2:
	case 3:
		send_numbers(c, "STORE %s %cFLAGS (%s)", set, "+-"[roll(2)], flags[roll(6)]);
		break;
	case 4:
		send_numbers(c, "STORE %s +FLAGS.SILENT (own%u)", set, c->conn);
		break;
	case 5:
		send_line(c, "%s", roll(3) ? "EXPUNGE" : "UID EXPUNGE 1:50");
		break;
	case 6:
		send_numbers(c, "%s %s INBOX", roll(2) ? "COPY" : "MOVE", set);
		c->no_expunge = false;
		break;
	case 7:
		if (roll(2))
			send_numbers(c, "SEARCH FLAGGED");
		else
			send_numbers(c, "FETCH %s BODY[TEXT]", set);
		break;
	default:
		send_line(c, "APPEND INBOX (\\Seen) {9+}\r\nA: b\r\n\r\nx");
		break;
	}
}

/* A client that stored in silence knows what it stored (RFC 9051 6.4.6). */
static void
apply_silent(struct client *c)
{
	unsigned a = 0;
	unsigned b = 0;
	char own[12];

	if (strstr(c->doing, ".SILENT (own") == NULL)
		return;
	if (sscanf(strstr(c->doing, "STORE"), "STORE %u:%u", &a, &b) < 2)
		b = a;
	snprintf(own, sizeof(own), "own%u", c->conn);
	for (uint32_t i = 1; i <= c->n; i++) {
		struct known *k = &c->m[i - 1];
		uint32_t number = c->uidonly ? k->uid : i;
		char with[FLAGS_SIZE + 12];

		if (number < (a < b ? a : b) || number > (a < b ? b : a))
			continue;
		if (k->flags[0] == '?' || strstr(k->flags, own) != NULL)
			continue;
		snprintf(with, sizeof(with), "%s%s%s", k->flags, k->flags[0] != '\0' ? " " : "", own);
		flags_sort(str_of(with), k->flags, sizeof(k->flags));
	}
}

static void
select_inbox(struct client *c, unsigned conn)
{
	c->conn = conn;
	c->n = 0;
	c->uidonly = conn == CLIENTS;
	if (!world_login(&world, conn, STR("alice")))
		log_panic("login");
	if (c->uidonly)
		world_feed(&world, conn, STR("e ENABLE UIDONLY\r\n"));
	world_feed(&world, conn, STR("s SELECT INBOX\r\nf UID FETCH 1:* (FLAGS)\r\n"));
	listen_to(c);
}

static void
compare(const struct client *c, const struct client *truth)
{
	if (c->n != truth->n)
		log_panic("client %u has %u messages, there are %u", c->conn, c->n, truth->n);
	for (uint32_t i = 0; i < c->n; i++) {
		const struct known *k = &c->m[i];
		const struct known *t = c->uidonly && k->uid != 0 ? &truth->m[find_uid(truth, k->uid)] : &truth->m[i];

		if (k->uid != 0 && k->uid != t->uid)
			log_panic("client %u: number %u is UID %u, not %u", c->conn, i + 1, t->uid, k->uid);
		if (k->flags[0] != '?' && strcmp(k->flags, t->flags) != 0)
			log_panic("client %u: UID %u has (%s), not (%s)", c->conn, t->uid, t->flags, k->flags);
	}
}

static void
verify(void)
{
	struct client *truth = &clients[VERIFIER];

	for (unsigned i = 1; i <= CLIENTS; i++) {
		clients[i].no_expunge = false;
		send_line(&clients[i], "NOOP");
	}
	world_drive(&world);
	for (unsigned i = 1; i <= CLIENTS; i++)
		listen_to(&clients[i]);
	imap_session_free(world.conns[VERIFIER].session);
	world.conns[VERIFIER].session = NULL;
	select_inbox(truth, VERIFIER);
	for (unsigned i = 1; i <= CLIENTS; i++)
		compare(&clients[i], truth);
}

static void
one_round(void)
{
	for (unsigned i = 1; i <= CLIENTS; i++) {
		clients[i].no_expunge = false;
		if (clients[i].n < MESSAGES_MAX / 2)
			random_command(&clients[i]);
		else
			send_line(&clients[i], "%s", roll(2) ? "UID STORE 1:* +FLAGS (\\Deleted)" : "EXPUNGE");
	}
	if (roll(4) == 0 && !world_deliver(&world, STR("alice@example.test"), STR(""), STR("A: b\r\n\r\nbody\r\n")))
		log_panic("delivery");
	world_drive(&world);
	for (unsigned i = 1; i <= CLIENTS; i++) {
		listen_to(&clients[i]);
		apply_silent(&clients[i]);
	}
}

int
main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;

	seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	world.threads = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	charset_init();
	log_setup(2, "imap", LOG_TEXT, LEVEL_ERROR);
	world_init(&world);
	for (unsigned i = 1; i <= CLIENTS; i++)
		select_inbox(&clients[i], i);
	for (unsigned i = 0; i < rounds; i++) {
		one_round();
		if (i % 10 == 9)
			verify();
	}
	verify();
	printf("%u rounds, %u messages in the end\n", rounds, clients[1].n);
	world_fini(&world);
	charset_fini();
	return 0;
}
