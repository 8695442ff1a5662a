/* random.c - some hundred worlds where every host does something odd at any step: what must hold in all of them.
 *
 *   - each job is answered once;
 *   - nobody is told of a delivery that no server confirmed, nobody's mail is delivered twice, and who is given up for
 *     good has no copy anywhere;
 *   - a delivery whose answer was lost is told as "may have arrived";
 *   - where TLS is demanded, no MAIL goes in the clear;
 *   - in the end nothing is open. */
#include "outbound.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORLDS = 200, HOSTS = 3, JOBS = 3, RCPTS = 3 };

static unsigned
dice(unsigned n)
{
	return (unsigned)random() % n;
}

enum { ODD = 5 };

/* NULL, what a good server says, mostly. */
static const char *
pick(const char *const odd[static ODD])
{
	return dice(6) != 0 ? NULL : odd[dice(ODD)];
}

static const char *const banners[ODD] = { "421 4.3.2 busy\r\n!close", "554 5.7.1 no\r\n!close", "!close", "!rst",
	"no SMTP\r\n" };
static const char *const ehlos[ODD] = { "421 4.7.0 no\r\n!close", "250 mx\r\n", "550 5.5.1 what\r\n", "!rst",
	"250-mx\r\n!close" };
static const char *const starttlses[ODD] = { "454 4.7.0 no\r\n", "220 go\r\n250 injected\r\n", "220 go\r\n!close",
	"!rst", "502 5.5.1 what\r\n" };
static const char *const ehlos_inside[ODD] = { "250 mx\r\n", "421 4.7.0 no\r\n!close", "!close", "!rst",
	"250 mail.example.test\r\n" };
static const char *const mails[ODD] = { "451 4.3.0 later\r\n", "550 5.7.1 no\r\n", "421 4.3.2 bye\r\n!close", "!close",
	"!rst" };
static const char *const rcpts[ODD] = { "450 4.2.0 grey\r\n", "550 5.1.1 nobody\r\n", "552 too many\r\n",
	"421 4.3.2 bye\r\n!close", "!rst" };
static const char *const datas[ODD] = { "451 4.3.0 later\r\n", "554 5.6.0 no\r\n", "354 go\r\n!close", "!rst",
	"250 what\r\n" };
static const char *const ends[ODD] = { "451 4.3.0 later\r\n", "554 5.6.0 no\r\n", "!lost", "250 2.0.0 ok\r\n!close",
	"421 4.3.2 bye\r\n!close" };

static struct peer_script
random_script(void)
{
	return (struct peer_script){
		.banner = pick(banners),
		.ehlo = pick(ehlos),
		.starttls = pick(starttlses),
		.ehlo_tls = pick(ehlos_inside),
		.mail = pick(mails),
		.mail_again = pick(mails),
		.rcpt = pick(rcpts),
		.rcpts = { { "r1-", dice(3) == 0 ? rcpts[dice(ODD)] : "250 2.1.5 ok\r\n" } },
		.data = pick(datas),
		.end = pick(ends),
		.cert = dice(4) == 0   ? NULL
			: dice(4) == 0 ? &out_certs.other
				       : &out_certs.mx,
		.once = dice(3) == 0,
	};
}

static void
make_hosts(struct outbound *w, enum tls_level *levels)
{
	static const enum tls_level all[] = { TLS_LEVEL_NONE, TLS_LEVEL_MAY, TLS_LEVEL_ENCRYPT, TLS_LEVEL_VERIFY };
	unsigned n = 1 + dice(HOSTS);

	for (unsigned i = 0; i < n; i++) {
		struct peer_script s = random_script();

		out_server(w, "mx.remote.test", &s);
		levels[i] = all[dice(4)];
		out_demand(&w->hosts[i], levels[i]);
		if (dice(6) == 0)
			w->hosts[i].addrs[0] = refusing_addr("127.0.0.1");
	}
}

static unsigned
copies(const struct outbound *w, const char *address)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->npeers; i++)
		n += peer_delivered(w->peers[i], address);
	return n;
}

static void
check_rcpt(const struct outbound *w, const struct queue_relayed_rcpt *r, const char *address)
{
	static const char classes[] = { [QUEUE_DONE] = '2', [QUEUE_TEMP] = '4', [QUEUE_PERM] = '5' };
	unsigned n = copies(w, address);

	assert_int_equal(r->status[0], classes[r->verdict]);
	assert_true(n <= 1);
	if (r->verdict != QUEUE_TEMP)
		assert_int_equal(n, r->verdict == QUEUE_DONE);
	else if (n == 1)
		assert_says(r->text, "it may have arrived");
}

static void
run_jobs(struct outbound *w)
{
	char names[JOBS][RCPTS][32];
	bool together = dice(2) == 0;
	unsigned jobs[JOBS];

	for (unsigned i = 0; i < JOBS; i++) {
		struct out_mail mail = { .sender = NULL };

		for (unsigned k = 0; k < RCPTS; k++) {
			snprintf(names[i][k], sizeof names[i][k], "r%u-%u@remote.test", k, i);
			mail.rcpts[k] = names[i][k];
		}
		jobs[i] = out_send(w, &mail);
		if (!together)
			out_wait(w, jobs[i]);
	}
	for (unsigned i = 0; i < JOBS; i++) {
		const struct out_result *r = out_wait(w, jobs[i]);

		for (unsigned k = 0; k < RCPTS; k++)
			check_rcpt(w, &r->rcpts[k], names[i][k]);
	}
}

static void
on_idle(void *ctx)
{
	((struct outbound *)ctx)->idle = true;
}

static void
end_well(struct outbound *w)
{
	struct relay_counts c;

	relay_drain(w->relay, on_idle, w);
	for (int i = 0; i < 1000 && !w->idle; i++)
		out_run(w, 5);
	assert_true(w->idle);
	relay_count(w->relay, &c);
	assert_int_equal(c.jobs + c.connections + c.idle, 0);
}

static void
run_world(unsigned seed)
{
	enum tls_level levels[HOSTS];
	struct outbound w;

	srandom(seed);
	out_open_trusting(&w, dice(4) == 0 ? "relay { connections = 1 }" : "");
	make_hosts(&w, levels);
	run_jobs(&w);
	for (unsigned i = 0; i < w.npeers; i++)
		if (levels[i] >= TLS_LEVEL_ENCRYPT)
			assert_int_equal(peer_in_clear(w.peers[i]), 0);
	end_well(&w);
	out_close(&w);
}

/* RELAY_SEED=n: that world alone. */
static void
whatever_servers_do_the_answers_are_true(void **state)
{
	const char *only = getenv("RELAY_SEED");

	(void)state;
	for (unsigned seed = 1; seed <= WORLDS; seed++) {
		if (only != NULL && (unsigned)atoi(only) != seed)
			continue;
		if (only != NULL || getenv("RELAY_TEST_LOG") != NULL)
			print_message("world %u\n", seed);
		run_world(seed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_servers_do_the_answers_are_true),
	};

	return cmocka_run_group_tests(tests, out_make_certs, out_free_certs);
}
