/* queue_sts.c - tests of MTA-STS discovery by the queue: what dns and fetch say, and what the queue learns of it. Both are played
 * at the other ends of real channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/dns/answer.h>
#include <postern/tls/sts.h>

#include "../../../src/role/queue_sts.h"

#define RECORD "v=STSv1; id=one;"
#define POLICY "version: STSv1\r\nmode: enforce\r\nmx: a.test\r\nmax_age: 86400\r\nunknown: x\r\n"
#define KEPT "version: STSv1\nmode: enforce\nmax_age: 86400\nmx: a.test\n"
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

enum { TTL = 300 };

enum file { SEALED, UNSEALED, PIPE, DISK, NOTHING };

/* One case: what dns and fetch say, what the queue knows, what comes of it. */
struct row {
	const char *name;
	enum dns_status dns;
	const char *texts[3];
	const char *known;
	bool refresh;
	enum tlsrpt_result fetched;
	enum file file;
	const char *body;

	enum queue_sts_news news;
	enum tlsrpt_result result;
	uint32_t ttl;
	const char *policy;
	const char *words; /* some of them */
	unsigned fetches;
};

static const struct row rows[] = {
	{ "new", DNS_INSECURE, { RECORD }, "", .body = POLICY, .news = QUEUE_STS_NEW, .ttl = TTL, .policy = KEPT, .fetches = 1 },
	{ "new, proved", DNS_SECURE, { "v=spf1 -all", RECORD }, "", .body = POLICY, .news = QUEUE_STS_NEW, .ttl = TTL, .policy = KEPT,
	    .fetches = 1 },
	{ "another id", DNS_SECURE, { RECORD }, "two", .body = POLICY, .news = QUEUE_STS_NEW, .ttl = TTL, .policy = KEPT, .fetches = 1 },
	{ "an id in other letters", DNS_SECURE, { RECORD }, "ONE", .body = POLICY, .news = QUEUE_STS_NEW, .ttl = TTL, .policy = KEPT,
	    .fetches = 1 },
	{ "the known id", DNS_SECURE, { RECORD }, "one", .news = QUEUE_STS_SAME, .ttl = TTL },
	{ "the known id, refreshed", DNS_SECURE, { RECORD }, "one", true, .body = POLICY, .news = QUEUE_STS_NEW, .ttl = TTL, .policy = KEPT,
	    .fetches = 1 },

	{ "no name", DNS_NXDOMAIN, { NULL }, "one", .news = QUEUE_STS_NONE, .ttl = TTL },
	{ "no record", DNS_NODATA, { NULL }, "", .news = QUEUE_STS_NONE, .ttl = TTL },
	{ "other records", DNS_SECURE, { "v=spf1 -all" }, "", .news = QUEUE_STS_NONE, .ttl = TTL, .words = "none" },
	{ "two records", DNS_SECURE, { RECORD, RECORD }, "", .news = QUEUE_STS_NONE, .ttl = TTL, .words = "more than one" },
	{ "a wrong record", DNS_SECURE, { "v=STSv1; id=a-b" }, "", .news = QUEUE_STS_NONE, .ttl = TTL, .words = "letters and digits" },

	{ "bogus", DNS_BOGUS, { NULL }, "one", .news = QUEUE_STS_FAILED, .result = TLSRPT_STS_POLICY_FETCH_ERROR, .ttl = STS_RETRY_S,
	    .words = "_mta-sts.a.test: bogus: because" },
	{ "no DNS", DNS_FAILED, { NULL }, "", .news = QUEUE_STS_FAILED, .result = TLSRPT_STS_POLICY_FETCH_ERROR, .ttl = STS_RETRY_S,
	    .words = "failed" },

	{ "not fetched", DNS_SECURE, { RECORD }, "", .fetched = TLSRPT_STS_POLICY_FETCH_ERROR, .news = QUEUE_STS_FAILED,
	    .result = TLSRPT_STS_POLICY_FETCH_ERROR, .ttl = STS_RETRY_S, .words = "be?cause", .fetches = 1 },
	{ "a wrong certificate", DNS_SECURE, { RECORD }, "", .fetched = TLSRPT_STS_WEBPKI_INVALID, .news = QUEUE_STS_FAILED,
	    .result = TLSRPT_STS_WEBPKI_INVALID, .ttl = STS_RETRY_S, .words = "be?cause", .fetches = 1 },
	{ "a wrong policy", DNS_SECURE, { RECORD }, "", .fetched = TLSRPT_STS_POLICY_INVALID, .news = QUEUE_STS_FAILED,
	    .result = TLSRPT_STS_POLICY_INVALID, .ttl = STS_RETRY_S, .words = "be?cause", .fetches = 1 },

	/* a fetch process that was taken over */
	{ "a result that is none", DNS_SECURE, { RECORD }, "", .fetched = TLSRPT_TLSA_INVALID, .news = QUEUE_STS_FAILED,
	    .result = TLSRPT_STS_POLICY_FETCH_ERROR, .ttl = STS_RETRY_S, .words = "be?cause", .fetches = 1 },
	{ "no policy after all", DNS_SECURE, { RECORD }, "", .body = "hello", .news = QUEUE_STS_FAILED, .result = TLSRPT_STS_POLICY_INVALID,
	    .ttl = STS_RETRY_S, .words = "line 1", .fetches = 1 },
	{ "no file", DNS_SECURE, { RECORD }, "", .file = NOTHING, .news = QUEUE_STS_FAILED, .result = TLSRPT_STS_POLICY_FETCH_ERROR,
	    .ttl = STS_RETRY_S, .words = "no sealed file", .fetches = 1 },
	{ "an open file", DNS_SECURE, { RECORD }, "", .file = UNSEALED, .body = POLICY, .news = QUEUE_STS_FAILED,
	    .result = TLSRPT_STS_POLICY_FETCH_ERROR, .ttl = STS_RETRY_S, .words = "no sealed file", .fetches = 1 },
	{ "a pipe", DNS_SECURE, { RECORD }, "", .file = PIPE, .body = POLICY, .news = QUEUE_STS_FAILED,
	    .result = TLSRPT_STS_POLICY_FETCH_ERROR, .ttl = STS_RETRY_S, .words = "no sealed file", .fetches = 1 },
	{ "a file on disk", DNS_SECURE, { RECORD }, "", .file = DISK, .news = QUEUE_STS_FAILED,
	    .result = TLSRPT_STS_POLICY_FETCH_ERROR, .ttl = STS_RETRY_S, .words = "no sealed file", .fetches = 1 },
};

static struct world {
	struct loop *loop;
	struct ipc_chan *to_dns, *to_fetch, *dns, *fetch;
	const struct row *row;
	struct buf body; /* what fetch gives; the row's when this is empty */
	char asked_name[300], asked_domain[300];
	unsigned fetches, answers;
	struct queue_sts got;
	char id[64], words[500], policy[QUEUE_STS_MAX + 1];
} w;

/* --- the peers --- */

static void
play_dns(void *ctx, struct ipc_question *q, const struct lookup_ask *ask)
{
	struct dns_record records[3] = { 0 };
	struct dns_answer a = { .status = w.row->dns, .secure = w.row->dns == DNS_SECURE, .ttl = TTL, .canonical = ask->name,
		.records = records };
	struct lookup_answer out;
	struct arena arena;

	(void)ctx;
	assert_int_equal(ask->type, DNS_TXT);
	snprintf(w.asked_name, sizeof w.asked_name, "%.*s", STR_ARG(ask->name));
	for (; a.nrecords < 3 && w.row->texts[a.nrecords] != NULL; a.nrecords++)
		records[a.nrecords].text = str_of(w.row->texts[a.nrecords]);
	if (a.status == DNS_BOGUS || a.status == DNS_FAILED)
		a.why = STR("because");
	arena_init(&arena);
	dns_answer_pack(&a, DNS_TXT, &arena, &out);
	answer_lookup(q, &out);
	arena_fini(&arena);
}

static int
file_of(enum file kind, struct str body)
{
	int fd = -1, pair[2];

	switch (kind) {
	case SEALED:
	case UNSEALED:
		fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		assert_true(io_write_all(fd, body));
		assert_int_equal(fcntl(fd, F_ADD_SEALS, kind == SEALED ? SEALS : F_SEAL_GROW), 0);
		return fd;
	case PIPE:
		assert_int_equal(pipe(pair), 0);
		close(pair[1]);
		return pair[0];
	case DISK:
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	case NOTHING:
		break;
	}
	return fd;
}

static void
play_fetch(void *ctx, struct ipc_question *q, const struct fetch_policy_ask *ask)
{
	struct str body = w.body.n > 0 ? buf_str(&w.body) : str_of(w.row->body);
	int fd = w.row->fetched == TLSRPT_OK ? file_of(w.row->file, body) : -1;

	(void)ctx;
	w.fetches++;
	snprintf(w.asked_domain, sizeof w.asked_domain, "%.*s", STR_ARG(ask->domain));
	answer_fetch_policy(q, &(struct fetch_policy_answer){ .result = (uint8_t)w.row->fetched, .why = STR("be\ncause"), .body = fd });
	io_close(&fd);
}

/* --- one look --- */

static void
on_news(void *ctx, const struct queue_sts *s)
{
	(void)ctx;
	w.answers++;
	w.got = *s;
	snprintf(w.id, sizeof w.id, "%.*s", STR_ARG(s->id));
	snprintf(w.words, sizeof w.words, "%.*s", STR_ARG(s->words));
	snprintf(w.policy, sizeof w.policy, "%.*s", STR_ARG(s->policy));
}

static void
look(const struct row *row)
{
	w.row = row;
	w.fetches = w.answers = 0;
	queue_sts_look(&(struct queue_sts_query){ .dns = w.to_dns, .fetch = w.to_fetch, .domain = STR("a.test"),
	    .known_id = str_of(row->known), .refresh = row->refresh }, on_news, NULL);
	assert_int_equal(w.answers, 0);
	while (w.answers == 0)
		loop_once(w.loop);
	assert_int_equal(w.answers, 1);
}

static void
check(const struct row *row)
{
	if (w.got.news != row->news || w.got.result != row->result || w.got.ttl != row->ttl || w.fetches != row->fetches)
		fail_msg("%s: news %u, result %u, ttl %u, %u fetched: %s", row->name, w.got.news, w.got.result, w.got.ttl, w.fetches, w.words);
	if (strcmp(w.policy, row->policy != NULL ? row->policy : "") != 0)
		fail_msg("%s: policy %s", row->name, w.policy);
	if (strstr(w.words, row->words != NULL ? row->words : "") == NULL)
		fail_msg("%s: words %s", row->name, w.words);
	if (row->news == QUEUE_STS_NEW || row->news == QUEUE_STS_SAME)
		assert_string_equal(w.id, "one");
}

static void
every_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		look(&rows[i]);
		check(&rows[i]);
		assert_string_equal(w.asked_name, "_mta-sts.a.test");
		if (rows[i].fetches > 0)
			assert_string_equal(w.asked_domain, "a.test");
	}
}

/* --- sizes --- */

/* A policy of that many hosts of 253 bytes each. */
static void
write_policy(unsigned hosts)
{
	char label[64];

	memset(label, 'a', 63);
	label[63] = '\0';
	buf_add_cstr(&w.body, "version: STSv1\nmode: enforce\nmax_age: 1\n");
	for (unsigned i = 0; i < hosts; i++)
		buf_addf(&w.body, "mx: %s.%s.%s.%.60s\n", label, label, label, label);
}

static void
what_is_kept_has_a_limit(void **state)
{
	static const struct row long_one = { .dns = DNS_SECURE, .texts = { RECORD }, .known = "" };

	(void)state;
	write_policy(100);
	look(&long_one);
	assert_int_equal(w.got.news, QUEUE_STS_NEW);
	buf_clear(&w.body);
	write_policy(101); /* STS_MX_MAX */
	look(&long_one);
	assert_int_equal(w.got.news, QUEUE_STS_FAILED);
	assert_int_equal(w.got.result, TLSRPT_STS_POLICY_INVALID);
	buf_fini(&w.body);
}

static void
more_than_a_policy_may_have_is_not_read(void **state)
{
	static const struct row long_one = { .dns = DNS_SECURE, .texts = { RECORD }, .known = "" };

	(void)state;
	buf_add_cstr(&w.body, POLICY);
	while (w.body.n < STS_POLICY_MAX)
		buf_add_cstr(&w.body, "x: y\n");
	buf_cut(&w.body, STS_POLICY_MAX - 5);
	buf_cut(&w.body, str_rfind(buf_str(&w.body), '\n') + 1);
	look(&long_one);
	assert_int_equal(w.got.news, QUEUE_STS_NEW);
	buf_add_cstr(&w.body, "x: yyyyyyyyyyyyyyyy\n");
	assert_true(w.body.n > STS_POLICY_MAX);
	look(&long_one);
	assert_int_equal(w.got.news, QUEUE_STS_FAILED);
	assert_non_null(strstr(w.words, "too large"));
	buf_fini(&w.body);
}

/* --- who is gone --- */

static void
nobody_to_ask(void **state)
{
	static const struct row known = { .dns = DNS_SECURE, .texts = { RECORD }, .known = "" };

	(void)state;
	ipc_chan_detach(w.to_fetch);
	look(&known);
	assert_int_equal(w.got.news, QUEUE_STS_FAILED);
	assert_int_equal(w.got.result, TLSRPT_STS_POLICY_FETCH_ERROR);
	assert_non_null(strstr(w.words, "ended"));
	ipc_chan_detach(w.to_dns);
	look(&known);
	assert_int_equal(w.got.news, QUEUE_STS_FAILED);
}

static void
join(struct ipc_chan *a, struct ipc_chan *b)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ipc_chan_attach(a, pair[0]);
	ipc_chan_attach(b, pair[1]);
}

static int
set_up(void **state)
{
	static const struct ipc_handlers of_queue, of_dns = { .lookup = play_dns }, of_fetch = { .fetch_policy = play_fetch };

	(void)state;
	w.loop = loop_new();
	w.to_dns = ipc_chan_new(w.loop, ROLE_QUEUE, ROLE_DNS, &of_queue, NULL);
	w.to_fetch = ipc_chan_new(w.loop, ROLE_QUEUE, ROLE_FETCH, &of_queue, NULL);
	w.dns = ipc_chan_new(w.loop, ROLE_DNS, ROLE_QUEUE, &of_dns, NULL);
	w.fetch = ipc_chan_new(w.loop, ROLE_FETCH, ROLE_QUEUE, &of_fetch, NULL);
	join(w.to_dns, w.dns);
	join(w.to_fetch, w.fetch);
	buf_init(&w.body, 1 << 20);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	ipc_chan_free(w.to_dns);
	ipc_chan_free(w.to_fetch);
	ipc_chan_free(w.dns);
	ipc_chan_free(w.fetch);
	loop_free(w.loop);
	buf_fini(&w.body);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_case, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_kept_has_a_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_than_a_policy_may_have_is_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_to_ask, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
