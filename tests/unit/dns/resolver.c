/* resolver.c - tests of the resolver against a scripted server on loopback, as forwarder and without validation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/dns/resolver.h>

#include "wire.h"

/* The server, the resolver that asks it, and what came of the questions. */
struct world {
	struct loop *loop;
	struct dns *dns;
	int fd;
	struct loop_io io;
	bool silent;
	unsigned served;
	unsigned answered;
	struct dns_answer last;
	char words[400];
};

/* What the server says for a name; unknown ones do not exist. */
static const struct row {
	const char *name;
	unsigned flags;
	const char *alias;
} rows[] = {
	{ "host.example", WIRE_REPLY, NULL },
	{ "alias.example", WIRE_REPLY, "host.example" },
	{ "broken.example", WIRE_REPLY | WIRE_SERVFAIL, NULL },
};

static struct str
question_name(struct str packet, char out[static 256])
{
	size_t n = 0;

	for (size_t at = 12; at < packet.n && packet.p[at] != 0 && n < 250; at += (unsigned char)packet.p[at] + 1u) {
		for (size_t i = 1; i <= (unsigned char)packet.p[at]; i++)
			out[n++] = ascii_lower(packet.p[at + i]);
		out[n++] = '.';
	}
	out[n > 0 ? n - 1 : 0] = '\0';
	return str_from(packet.p + 12, n + 1 + 4);
}

static void
write_reply(struct str packet, struct buf *b)
{
	char name[256];
	struct str question = question_name(packet, name);
	unsigned type = (unsigned)be_load(question.p + question.n - 4, 2);
	const struct row *row = NULL;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].name, name) == 0)
			row = &rows[i];
	wire_begin(b, row != NULL ? row->flags : WIRE_REPLY | WIRE_NXDOMAIN, name, type);
	memcpy(b->p, packet.p, 2);
	/* the name as it was asked, for resolvers that play with its letters */
	memcpy(b->p + 12, question.p, question.n);
	if (row != NULL && row->alias != NULL)
		wire_alias(b, name, row->alias);
	if (row != NULL && row->flags == WIRE_REPLY && type == DNS_A)
		wire_rr(b, row->alias != NULL ? row->alias : name, DNS_A, 300, STR("\xc0\0\2\1"));
	else
		wire_soa(b, "example", 60);
}

static void
on_question(void *ctx, int ready)
{
	struct world *w = ctx;
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	char packet[1500];
	ssize_t n = recvfrom(w->fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &len);
	struct buf reply;

	(void)ready;
	assert_true(n > 16);
	w->served++;
	if (w->silent)
		return;
	write_reply(str_from(packet, (size_t)n), &reply);
	assert_true(sendto(w->fd, reply.p, reply.n, 0, (const struct sockaddr *)&from, len) > 0);
	buf_fini(&reply);
}

static void
open_world(struct world *w, unsigned flying, int64_t ask_ms)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof at;
	char forward[40];
	struct err e;

	*w = (struct world){ .loop = loop_new(), .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(bind(w->fd, (const struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(w->fd, (struct sockaddr *)&at, &len), 0);
	loop_io_init(&w->io, w->loop, w->fd, on_question, w);
	loop_io_watch(&w->io, LOOP_READ);
	snprintf(forward, sizeof forward, "127.0.0.1@%u", ntohs(at.sin_port));
	w->dns = dns_open(w->loop,
	    &(struct dns_options){
		.forward = (const char *const[]){ forward, NULL }, .flying = flying, .ask_ms = ask_ms },
	    &e);
	assert_non_null(w->dns);
}

static void
close_world(struct world *w)
{
	dns_close(w->dns);
	loop_io_fini(&w->io);
	close(w->fd);
	loop_free(w->loop);
}

static void
on_answer(void *ctx, const struct dns_answer *a)
{
	struct world *w = ctx;

	w->answered++;
	w->last = *a;
	snprintf(w->words, sizeof w->words, "%s %.*s %u/%u %.*s", dns_status_name(a->status), STR_ARG(a->canonical),
	    a->naliases_secure, a->naliases, STR_ARG(a->why));
}

static struct dns_ask *
ask(struct world *w, const char *name)
{
	return dns_ask(w->dns, DNS_A, str_of(name), on_answer, w);
}

static void
wait_for(struct world *w, unsigned answered)
{
	while (w->answered < answered)
		loop_once(w->loop);
}

static void
assert_answer(struct world *w, const char *name, const char *words)
{
	unsigned before = w->answered;

	ask(w, name);
	assert_int_equal(w->answered, before); /* never from inside */
	wait_for(w, before + 1);
	assert_string_equal(w->words, words);
}

static void
answers_are_typed(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 0, 0);
	assert_answer(&w, "host.example", "insecure host.example 0/0 ");
	assert_answer(&w, "Host.Example.", "insecure host.example 0/0 ");
	assert_int_equal(w.last.nrecords, 1);
	assert_false(w.last.secure);
	assert_answer(&w, "alias.example", "insecure host.example 0/1 ");
	assert_answer(&w, "nothing.example", "nxdomain nothing.example 0/0 ");
	assert_answer(&w, "broken.example", "failed broken.example 0/0 no server gave an answer");
	close_world(&w);
}

static void
odd_names_are_not_asked(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 0, 0);
	assert_answer(&w, "", "failed  0/0 not a name that can be asked for");
	assert_answer(&w, "a b.example", "failed a b.example 0/0 not a name that can be asked for");
	assert_answer(&w, "b\xc3\xbc.example", "failed b\xc3\xbc.example 0/0 not a name that can be asked for");
	assert_int_equal(w.served, 0);
	close_world(&w);
}

static void
silence_ends(void **state)
{
	struct world w;
	struct dns_counts c;

	(void)state;
	open_world(&w, 1, 300);
	w.silent = true;
	ask(&w, "host.example");
	ask(&w, "waiting.example"); /* for the one place */
	wait_for(&w, 2);
	assert_non_null(strstr(w.words, " no answer within 1 seconds"));
	dns_count(w.dns, &c);
	assert_int_equal(c.by_status[DNS_FAILED], 2);
	assert_int_equal(c.flying + c.waiting, 0);
	close_world(&w);
}

static void
questions_wait_for_a_place(void **state)
{
	struct world w;
	struct dns_counts c;

	(void)state;
	open_world(&w, 2, 0);
	for (int i = 0; i < 20; i++) {
		char name[30];

		snprintf(name, sizeof name, "n%d.example", i);
		ask(&w, name);
	}
	dns_count(w.dns, &c);
	assert_int_equal(c.flying, 2);
	assert_int_equal(c.waiting, 18);
	wait_for(&w, 20);
	dns_count(w.dns, &c);
	assert_int_equal(c.flying + c.waiting, 0);
	assert_int_equal(c.by_status[DNS_NXDOMAIN], 20);
	close_world(&w);
}

static void
too_many_are_refused(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 1, 0);
	w.silent = true;
	for (int i = 0; i < DNS_WAITING_MAX + 2; i++)
		ask(&w, "host.example");
	wait_for(&w, 1);
	assert_string_equal(w.words, "failed host.example 0/0 too many questions at once");
	assert_int_equal(w.answered, 1);
	dns_close(w.dns); /* the others are answered then */
	assert_int_equal(w.answered, DNS_WAITING_MAX + 2);
	w.dns = NULL;
	close_world(&w);
}

static void
who_cancels_is_not_called(void **state)
{
	struct world w;
	struct dns_ask *flying, *waiting;

	(void)state;
	open_world(&w, 1, 0);
	flying = ask(&w, "host.example");
	waiting = ask(&w, "alias.example");
	dns_cancel(waiting);
	dns_cancel(flying);
	dns_cancel(NULL);
	assert_answer(&w, "nothing.example", "nxdomain nothing.example 0/0 ");
	assert_int_equal(w.answered, 1);
	close_world(&w);
}

static void
bad_files_are_told(void **state)
{
	struct loop *l = loop_new();
	char anchor[] = "/tmp/postern-anchor-XXXXXX";
	int fd = mkstemp(anchor);
	struct err e;

	(void)state;
	assert_true(write(fd, ". IN DS nonsense\n", 17) == 17);
	close(fd);
	assert_null(dns_open(l, &(struct dns_options){ .anchor = "/nowhere/root.key" }, &e));
	assert_string_equal(e.log, "trust anchor /nowhere/root.key: No such file or directory");
	assert_null(dns_open(l, &(struct dns_options){ .anchor = anchor }, &e));
	assert_non_null(strstr(e.log, "trust anchor"));
	assert_null(dns_open(l, &(struct dns_options){ .root_hints = "/nowhere/hints" }, &e));
	assert_string_equal(e.log, "root hints /nowhere/hints: No such file or directory");
	unlink(anchor);
	loop_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_typed),
		cmocka_unit_test(odd_names_are_not_asked),
		cmocka_unit_test(silence_ends),
		cmocka_unit_test(questions_wait_for_a_place),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(who_cancels_is_not_called),
		cmocka_unit_test(bad_files_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
