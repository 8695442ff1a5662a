/* imap_contexts.c - contexts of RFC 5267 under random work: sessions (one with NOTIFY), deliveries, flags, expunges.
 *
 * Each client keeps the results of its contexts by what it is told: the first answer, ADDTO, REMOVEFROM, and, where results
 * are sequence numbers, EXPUNGE. Whenever all is told they must be what the same search finds anew, in the same order.
 * Arguments: rounds, seed, sync threads of the store. A failure prints what the client said and heard since the start. */
#include "imap_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include <postern/core/cur.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/message/charset.h>

enum { CLIENTS = 3, CONTEXTS = 6, RESULTS_MAX = 4000, MESSAGES_MAX = 60 };

struct results {
	uint32_t p[RESULTS_MAX];
	uint32_t n;
};

struct known {
	char tag[16];     /* "": none */
	char command[200]; /* what follows RETURN (…) */
	bool uid;
	bool sorted;
	struct results results;
};

struct client {
	unsigned conn;
	uint32_t exists;
	unsigned tags;
	struct known known[CONTEXTS];
	struct results fresh; /* what the last search without UPDATE found */
	struct buf history;
};

static struct world world;
static struct client clients[CLIENTS + 1];
static unsigned seed = 1;

static unsigned
roll(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static void __attribute__((noreturn))
fail(const struct client *c, const char *why, const struct known *k)
{
	fwrite(c->history.p, 1, c->history.n, stderr);
	fprintf(stderr, "client %u, context %s (%s): %s\n", c->conn, k->tag, k->command, why);
	exit(1);
}

/* --- lists --- */

static void
insert(struct results *r, uint32_t at, uint32_t number)
{
	memmove(r->p + at + 1, r->p + at, (r->n - at) * sizeof(*r->p));
	r->p[at] = number;
	r->n++;
}

static void
take(struct results *r, uint32_t at)
{
	r->n--;
	memmove(r->p + at, r->p + at + 1, (r->n - at) * sizeof(*r->p));
}

static uint32_t
index_of(const struct results *r, uint32_t number)
{
	uint32_t i = 0;

	while (i < r->n && r->p[i] != number)
		i++;
	return i;
}

/* The place in mailbox order. */
static uint32_t
place_of(const struct results *r, uint32_t number)
{
	uint32_t i = 0;

	while (i < r->n && r->p[i] < number)
		i++;
	return i;
}

static void
add(const struct client *c, struct known *k, uint32_t *position, uint32_t number)
{
	if (index_of(&k->results, number) < k->results.n)
		fail(c, "added twice", k);
	if (*position == 0) {
		insert(&k->results, place_of(&k->results, number), number);
		return;
	}
	if (*position > k->results.n + 1)
		fail(c, "added behind the end", k);
	insert(&k->results, *position - 1, number);
	++*position;
}

static void
drop(const struct client *c, struct known *k, uint32_t position, uint32_t number)
{
	uint32_t at = position > 0 ? position - 1 : index_of(&k->results, number);

	if (at >= k->results.n || k->results.p[at] != number)
		fail(c, "removed what is not there", k);
	take(&k->results, at);
}

/* --- what the server says --- */

static void
on_range(const struct client *c, struct known *k, bool adds, uint32_t *position, uint32_t first, uint32_t last)
{
	if (k->sorted == (*position == 0))
		fail(c, "a position that does not fit the order", k);
	for (uint32_t n = first; n <= last; n++) {
		if (adds)
			add(c, k, position, n);
		else
			drop(c, k, *position, n);
	}
}

static uint32_t
number(struct cur *cur)
{
	return (uint32_t)cur_number(cur, UINT32_MAX);
}

/* position SP set *(SP position SP set) ")" */
static void
on_update(const struct client *c, struct known *k, struct cur *cur, bool adds)
{
	do {
		uint32_t position = number(cur);

		cur_want(cur, " ");
		do {
			uint32_t first = number(cur);

			on_range(c, k, adds, &position, first, cur_take(cur, ":") ? number(cur) : first);
		} while (cur_take(cur, ","));
	} while (cur_take(cur, " "));
}

static void
read_all(struct results *r, struct cur *cur)
{
	r->n = 0;
	if (!cur_take(cur, " ALL "))
		return;
	do {
		uint32_t first = number(cur);
		uint32_t last = cur_take(cur, ":") ? number(cur) : first;

		for (uint32_t n = first; n <= last; n++)
			insert(r, r->n, n);
	} while (cur_take(cur, ","));
}

static struct known *
find(struct client *c, struct str tag)
{
	for (unsigned i = 0; i < CONTEXTS; i++)
		if (str_eq(str_of(c->known[i].tag), tag))
			return &c->known[i];
	return NULL;
}

static void
on_esearch(struct client *c, struct cur *cur)
{
	struct str rest = cur_rest(cur);
	struct str tag = str_sub(rest, 0, str_find(rest, '"'));
	struct known *k = find(c, tag);

	cur_bytes(cur, tag.n + 2);
	cur_take(cur, " UID");
	if (cur_take(cur, " ADDTO ("))
		on_update(c, k, cur, true);
	else if (cur_take(cur, " REMOVEFROM ("))
		on_update(c, k, cur, false);
	else
		read_all(k != NULL ? &k->results : &c->fresh, cur);
}

/* What was behind it has another number now; it is no result itself. */
static void
on_expunge(struct client *c, uint32_t seq)
{
	c->exists--;
	for (unsigned i = 0; i < CONTEXTS; i++) {
		struct known *k = &c->known[i];

		if (k->uid)
			continue;
		if (k->tag[0] != '\0' && index_of(&k->results, seq) < k->results.n)
			fail(c, "a result was expunged that had not been removed", k);
		for (uint32_t j = 0; j < k->results.n; j++)
			k->results.p[j] -= k->results.p[j] > seq;
	}
}

static void
on_line(struct client *c, struct str line)
{
	struct cur cur = cur_init(line);
	uint32_t n;

	if (cur_take(&cur, "* ESEARCH (TAG \"")) {
		on_esearch(c, &cur);
		return;
	}
	if (!cur_take(&cur, "* ") || !ascii_is_digit((char)cur_peek(&cur)))
		return;
	n = number(&cur);
	if (cur_take(&cur, " EXISTS"))
		c->exists = n;
	else if (cur_take(&cur, " EXPUNGE"))
		on_expunge(c, n);
}

static void
listen_to(struct client *c)
{
	struct buf *said = &world.conns[c->conn].said;
	struct str all = buf_str(said);
	struct str line;

	buf_add(&c->history, all);
	while (str_cut(&all, '\n', &line))
		on_line(c, line);
	buf_clear(said);
}

/* --- what clients say --- */

static void __attribute__((format(printf, 2, 3)))
send_line(struct client *c, const char *format, ...)
{
	char line[600];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	buf_addf(&c->history, "C: %s\n", line);
	buf_addf(&world.conns[c->conn].inbox, "%s\r\n", line);
}

static const char *
program(void)
{
	static const char *const programs[] = { "ALL", "UNSEEN", "FLAGGED", "OR FLAGGED SEEN", "UNDELETED UNKEYWORD kw1",
		"KEYWORD kw2", "SUBJECT \"a\"", "NOT SUBJECT \"b\" UNSEEN", "BODY \"x\" UNDELETED", "HEADER X-Kind odd",
		"LARGER 60", "OR KEYWORD kw3 (SEEN UNFLAGGED)" };

	return programs[roll(sizeof(programs) / sizeof(*programs))];
}

static const char *
order(void)
{
	static const char *const orders[] = { "SUBJECT", "REVERSE SUBJECT", "SIZE", "REVERSE SIZE SUBJECT", "FROM REVERSE DATE",
		"ARRIVAL", "REVERSE ARRIVAL", "DISPLAYFROM REVERSE SIZE" };

	return orders[roll(sizeof(orders) / sizeof(*orders))];
}

/* The command of a context, with these return options. */
static void
send_search(struct client *c, const char *tag, const struct known *k, const char *returns)
{
	send_line(c, "%s %s%s RETURN (%s) %s", tag, k->uid ? "UID " : "", k->sorted ? "SORT" : "SEARCH", returns, k->command);
}

static void
new_context(struct client *c)
{
	struct known *k = &c->known[roll(CONTEXTS)];

	if (k->tag[0] != '\0')
		send_line(c, "x CANCELUPDATE \"%s\"", k->tag);
	k->uid = roll(2) == 0;
	k->sorted = roll(2) == 0;
	k->results.n = 0;
	snprintf(k->tag, sizeof(k->tag), "k%u", ++c->tags);
	if (k->sorted)
		snprintf(k->command, sizeof(k->command), "(%s) UTF-8 %s", order(), program());
	else
		snprintf(k->command, sizeof(k->command), "%s", program());
	send_search(c, k->tag, k, "UPDATE ALL");
}

static void
random_set(const struct client *c, char out[40])
{
	unsigned a = 1 + roll(c->exists);
	unsigned b = 1 + roll(c->exists);

	snprintf(out, 40, roll(2) ? "%u" : "%u:%u", a, b);
}

static void
random_command(struct client *c)
{
	static const char *const flags[] = { "\\Seen", "\\Flagged", "\\Deleted", "kw1", "kw2", "kw3" };
	char set[40];

	if (c->exists == 0 || roll(8) == 0) {
		new_context(c);
		return;
	}
	random_set(c, set);
	switch (roll(7)) {
	case 0:
		send_line(c, "t FETCH %s (UID FLAGS)", set);
		break;
	case 1:
	case 2:
		send_line(c, "t STORE %s %cFLAGS (%s)", set, "+-"[roll(2)], flags[roll(6)]);
		break;
	case 3:
		send_line(c, "t STORE %s +FLAGS.SILENT (%s)", set, flags[roll(6)]);
		break;
	case 4:
		send_line(c, "t %s", roll(2) ? "EXPUNGE" : "UID EXPUNGE 1:50");
		break;
	case 5:
		send_line(c, "t %s %s INBOX", c->exists < MESSAGES_MAX && roll(2) ? "COPY" : "MOVE", set);
		break;
	default:
		send_line(c, "t IDLE\r\nDONE");
		break;
	}
}

static void
deliver(void)
{
	struct buf m;
	bool ok;

	buf_init(&m, SIZE_MAX);
	buf_addf(&m, "From: %c <u%u@example.test>\r\nSubject: %c%c\r\nX-Kind: %s\r\n\r\n%s%.*s\r\n", (char)('a' + roll(4)), roll(4),
		(char)('a' + roll(3)), (char)('a' + roll(3)), roll(2) ? "odd" : "even", roll(2) ? "x" : "y", (int)roll(20),
		"....................");
	ok = world_deliver(&world, STR("alice@example.test"), STR(""), buf_str(&m));
	buf_fini(&m);
	if (!ok)
		log_panic("delivery");
}

/* --- the proof --- */

static void
compare(struct client *c, const struct known *k)
{
	send_search(c, "fresh", k, "ALL");
	world_drive(&world);
	listen_to(c);
	if (c->fresh.n != k->results.n || memcmp(c->fresh.p, k->results.p, k->results.n * sizeof(k->results.p[0])) != 0)
		fail(c, "a new search finds something else", k);
}

static void
verify(void)
{
	for (unsigned i = 1; i <= CLIENTS; i++) {
		send_line(&clients[i], "t NOOP");
		world_drive(&world);
		listen_to(&clients[i]);
	}
	for (unsigned i = 1; i <= CLIENTS; i++)
		for (unsigned j = 0; j < CONTEXTS; j++)
			if (clients[i].known[j].tag[0] != '\0')
				compare(&clients[i], &clients[i].known[j]);
}

static void
one_round(void)
{
	for (unsigned i = 1; i <= CLIENTS; i++)
		random_command(&clients[i]);
	if (roll(3) == 0 && clients[1].exists < MESSAGES_MAX)
		deliver();
	world_drive(&world);
	for (unsigned i = 1; i <= CLIENTS; i++)
		listen_to(&clients[i]);
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
	for (unsigned i = 1; i <= CLIENTS; i++) {
		clients[i].conn = i;
		buf_init(&clients[i].history, SIZE_MAX);
		if (!world_login(&world, i, STR("alice")))
			log_panic("login");
		world_feed(&world, i, STR("s SELECT INBOX\r\n"));
		if (i == CLIENTS) /* hears at any time */
			world_feed(&world, i, STR("n NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))\r\n"));
		listen_to(&clients[i]);
	}
	for (unsigned i = 0; i < rounds; i++) {
		one_round();
		if (i % 10 == 9)
			verify();
	}
	verify();
	printf("%u rounds, %u contexts of the first client\n", rounds, clients[1].tags);
	for (unsigned i = 1; i <= CLIENTS; i++)
		buf_fini(&clients[i].history);
	world_fini(&world);
	charset_fini();
	return 0;
}
