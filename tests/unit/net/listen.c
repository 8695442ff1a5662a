/* listen.c - tests of listening: opening, limits, and calm when descriptors run out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/net/listen.h>

#include "../../../src/net/gate.h"

enum { SOME = 64 };

struct door {
	struct loop *loop;
	struct listen_gate *gate;
	struct listener *listener;
	int fd;
	struct addr at;
	int fds[SOME];
	struct addr peers[SOME];
	size_t naccepted;
	size_t nrefused;
	const char *why;
	bool free_in_accept;
};

static void
on_accept(void *ctx, int fd, const struct addr *peer, const struct addr *local)
{
	struct door *d = ctx;

	assert_int_equal(local->port, d->at.port);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(d->naccepted < SOME);
	d->peers[d->naccepted] = *peer;
	d->fds[d->naccepted++] = fd;
	if (d->free_in_accept) {
		listener_free(d->listener);
		d->listener = NULL;
	}
}

static void
on_refuse(void *ctx, const struct addr *peer, const char *why)
{
	struct door *d = ctx;

	(void)peer;
	d->nrefused++;
	d->why = why;
}

static const struct listen_ops ops = {
	.on_accept = on_accept,
	.on_refuse = on_refuse,
	.busy = STR_INIT("421 4.7.0 busy\r\n"),
};

static void
door_open(struct door *d, struct listen_limits limits, const struct addr_net *nets, size_t n)
{
	struct addr_bind b;
	struct sockaddr_storage ss;
	socklen_t size = sizeof ss;
	struct err e;

	*d = (struct door){ .loop = loop_new() };
	assert_true(addr_parse_bind(STR("127.0.0.1:0"), &b, &e));
	d->fd = listen_open(&b, 64, &e);
	assert_int_not_equal(d->fd, -1);
	assert_int_equal(getsockname(d->fd, (struct sockaddr *)&ss, &size), 0);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, size, &d->at));
	d->gate = listen_gate_new(&limits, nets, n);
	d->listener = listener_new(d->loop, d->fd, d->gate, &ops, d);
}

static void
door_leave(struct door *d, size_t i)
{
	close(d->fds[i]);
	d->fds[i] = -1;
	listen_gate_left(d->gate, &d->peers[i]);
}

static void
door_close(struct door *d)
{
	for (size_t i = 0; i < d->naccepted; i++)
		if (d->fds[i] != -1)
			door_leave(d, i);
	assert_int_equal(listen_gate_open(d->gate), 0);
	if (d->listener != NULL)
		listener_free(d->listener);
	listen_gate_free(d->gate);
	close(d->fd);
	loop_free(d->loop);
}

/* Comes from 127.0.0.<host>. */
static int
come_from(const struct door *d, int host)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr from = { .ip = { [10] = 0xff, [11] = 0xff, 127, 0, 0, (uint8_t)host } };
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&from, &ss);

	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, n), 0);
	n = addr_to_sockaddr(&d->at, &ss);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, n), 0);
	return fd;
}

static void
assert_hears(int fd, const char *expected)
{
	char got[64] = "";
	size_t at = 0;
	ssize_t n;

	while ((n = read(fd, got + at, sizeof got - 1 - at)) > 0)
		at += (size_t)n;
	assert_string_equal(got, expected);
	close(fd);
}

static void
k02_a_source_has_so_many_connections(void **state)
{
	struct door d;
	int one, two, three;

	(void)state;
	door_open(&d, (struct listen_limits){ .per_source = 2 }, NULL, 0);
	one = come_from(&d, 1);
	two = come_from(&d, 1);
	three = come_from(&d, 1);
	loop_turn(d.loop);
	assert_int_equal(d.naccepted, 2);
	assert_int_equal(d.nrefused, 1);
	assert_hears(three, "421 4.7.0 busy\r\n");
	three = come_from(&d, 2); /* somebody else is welcome */
	loop_turn(d.loop);
	assert_int_equal(d.naccepted, 3);
	close(three);
	door_leave(&d, 0);
	three = come_from(&d, 1); /* and so is the first when he has left once */
	loop_turn(d.loop);
	assert_int_equal(d.naccepted, 4);
	close(one);
	close(two);
	close(three);
	door_close(&d);
}

static void
all_together_have_so_many(void **state)
{
	struct door d;
	int c[3];

	(void)state;
	door_open(&d, (struct listen_limits){ .total = 2 }, NULL, 0);
	for (int i = 0; i < 3; i++)
		c[i] = come_from(&d, i + 1);
	loop_turn(d.loop);
	assert_int_equal(d.naccepted, 2);
	assert_string_equal(d.why, "too many connections");
	assert_hears(c[2], "421 4.7.0 busy\r\n");
	close(c[0]);
	close(c[1]);
	door_close(&d);
}

static void
k02_a_source_comes_so_fast(void **state)
{
	struct door d;
	size_t before;

	(void)state;
	clock_fake((struct mono){ 1000000000 }, (struct wall){ 0 });
	door_open(&d, (struct listen_limits){ .per_source_minute = 10 }, NULL, 0);
	for (int i = 0; i < 20; i++) {
		int c = come_from(&d, 1);

		before = d.naccepted;
		loop_turn(d.loop);
		if (d.naccepted > before)
			door_leave(&d, before);
		close(c);
	}
	assert_int_equal(d.naccepted, 10);
	assert_int_equal(d.nrefused, 10);
	clock_fake_step(6000); /* a tenth of a minute: one more */
	close(come_from(&d, 1));
	close(come_from(&d, 1));
	loop_turn(d.loop);
	assert_int_equal(d.naccepted, 11);
	door_close(&d);
	clock_real();
}

static void
trusted_networks_have_no_limit(void **state)
{
	struct door d;
	struct addr_net net;
	struct err e;

	(void)state;
	assert_true(addr_parse_net(STR("127.0.0.0/8"), &net, &e));
	door_open(&d, (struct listen_limits){ .per_source = 1, .per_source_minute = 1 }, &net, 1);
	for (int i = 0; i < 5; i++)
		close(come_from(&d, 1));
	loop_turn(d.loop);
	assert_int_equal(d.naccepted, 5);
	door_close(&d);
}

static size_t
turns_in(struct door *d, int ms)
{
	struct mono end = mono_add_ms(mono_now(), ms);
	size_t turns = 0;

	while (mono_before(mono_now(), end)) {
		loop_once(d->loop);
		turns++;
	}
	return turns;
}

/* No spinning, a clean refusal, recovery */
static void
k03_calm_without_descriptors(void **state)
{
	struct rlimit was, now;
	struct door d;
	struct loop_timer tick;
	int client[3], hog[SOME];
	size_t nhog = 0;

	(void)state;
	door_open(&d, (struct listen_limits){ 0 }, NULL, 0);
	loop_timer_init(&tick, d.loop, (void (*)(void *))(void (*)(void))loop_stop, d.loop);
	for (int i = 0; i < 3; i++)
		client[i] = come_from(&d, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	now = was;
	now.rlim_cur = (rlim_t)dup(0) + 1;
	hog[nhog++] = (int)now.rlim_cur - 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	while (nhog < SOME && (hog[nhog] = dup(0)) != -1)
		nhog++;
	assert_int_equal(errno, EMFILE);

	loop_timer_start(&tick, 200);
	assert_true(turns_in(&d, 100) < 20);
	assert_int_equal(d.naccepted, 0);
	assert_int_equal(d.nrefused, 1);
	assert_string_equal(d.why, "out of descriptors");
	while (nhog > 0)
		close(hog[--nhog]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	loop_timer_start(&tick, 2 * LISTEN_PAUSE_MS);
	turns_in(&d, 2 * LISTEN_PAUSE_MS - 50);
	assert_int_equal(d.naccepted, 2); /* those who waited, in order */
	assert_hears(client[0], "421 4.7.0 busy\r\n");
	close(client[1]);
	close(client[2]);
	loop_timer_fini(&tick);
	door_close(&d);
}

static void
pausing_and_freeing(void **state)
{
	struct door d;

	(void)state;
	door_open(&d, (struct listen_limits){ 0 }, NULL, 0);
	listener_pause(d.listener);
	close(come_from(&d, 1));
	close(come_from(&d, 1));
	loop_turn(d.loop);
	assert_int_equal(d.naccepted, 0);
	listener_resume(d.listener);
	d.free_in_accept = true;
	loop_turn(d.loop);
	assert_int_equal(d.naccepted, 1);
	door_close(&d);
}

/* Far more sources than the table holds come and go: it forgets, and counts nobody wrong. */
static void
the_table_of_sources_is_bounded(void **state)
{
	struct listen_limits limits = { .per_source_minute = 1 };
	struct listen_gate *g = listen_gate_new(&limits, NULL, 0);
	struct addr peer = { .ip = { 0x20, 0x01, 0x0d, 0xb8 } };
	struct addr stays = { .ip = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } };

	(void)state;
	assert_null(gate_enter(g, &stays));
	for (uint32_t i = 0; i < LISTEN_SOURCES_MAX + 10; i++) {
		memcpy(peer.ip + 4, &i, sizeof i);
		assert_null(gate_enter(g, &peer));
		listen_gate_left(g, &peer);
	}
	assert_int_equal(listen_gate_open(g), 1);
	assert_non_null(gate_enter(g, &stays));
	listen_gate_left(g, &stays);
	listen_gate_free(g);
}

static void
opening(void **state)
{
	struct addr_bind b;
	struct err e;
	struct door d;
	int fd;

	(void)state;
	assert_true(addr_parse_bind(STR("*:0"), &b, &e));
	fd = listen_open(&b, 8, &e);
	assert_int_not_equal(fd, -1);
	close(fd);
	door_open(&d, (struct listen_limits){ 0 }, NULL, 0);
	b = (struct addr_bind){ .at = d.at };
	assert_int_equal(listen_open(&b, 8, &e), -1);
	assert_non_null(strstr(e.log, "another program"));
	assert_true(addr_parse_bind(STR("192.0.2.1:0"), &b, &e));
	assert_int_equal(listen_open(&b, 8, &e), -1);
	assert_non_null(strstr(e.log, "no such address"));
	door_close(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(k02_a_source_has_so_many_connections),
		cmocka_unit_test(all_together_have_so_many),
		cmocka_unit_test(k02_a_source_comes_so_fast),
		cmocka_unit_test(trusted_networks_have_no_limit),
		cmocka_unit_test(k03_calm_without_descriptors),
		cmocka_unit_test(pausing_and_freeing),
		cmocka_unit_test(the_table_of_sources_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
