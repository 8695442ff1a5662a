/* ipc.c - tests of the channels: questions, answers, descriptors, full and dead and hostile peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/ipc/ipc.h>

struct world {
	struct loop *loop;
	struct ipc_chan *smtp; /* what smtp holds: its place for auth */
	struct ipc_chan *auth; /* what auth holds: its place for smtp */
	struct ipc_question *held; /* the last one not answered yet */
	struct ipc_question *first;
	unsigned answers;
	unsigned gone;
	unsigned lost;
	char seen[64];
	int fd;
};

static void
serve_may_send(void *ctx, struct ipc_question *q, const struct may_send_ask *ask)
{
	struct world *w = ctx;

	snprintf(w->seen, sizeof w->seen, "%.*s>%.*s", STR_ARG(ask->login), STR_ARG(ask->address));
	if (str_eq(ask->login, STR("wait"))) {
		w->first = w->held;
		w->held = q;
	}
	if (!str_eq(ask->login, STR("wait")))
		answer_may_send(q, &(struct may_send_answer){ .verdict = (uint8_t)ask->login.n });
}

static void
serve_rcpt(void *ctx, struct ipc_question *q, const struct rcpt_ask *ask)
{
	struct str targets[] = { ask->address, STR("second"), STR("") };

	(void)ctx;
	answer_rcpt(q, &(struct rcpt_answer){ .code = 250, .words = STR("fine"), .targets = { targets, 3 } });
}

static void
note_answer(void *ctx, const struct may_send_answer *a)
{
	struct world *w = ctx;

	if (a == NULL)
		w->lost++;
	else
		w->answers += a->verdict;
}

static void
note_resolved(void *ctx, const struct rcpt_answer *a)
{
	struct world *w = ctx;

	assert_non_null(a);
	assert_int_equal(a->code, 250);
	assert_int_equal(a->targets.n, 3);
	snprintf(w->seen, sizeof w->seen, "%.*s,%.*s", STR_ARG(a->targets.v[0]), STR_ARG(a->targets.v[1]));
	w->answers++;
}

static void
note_gone(void *ctx, struct ipc_chan *c)
{
	struct world *w = ctx;

	(void)c;
	w->gone++;
}

static const struct ipc_handlers auth_handlers = { .may_send = serve_may_send, .rcpt = serve_rcpt };
static const struct ipc_handlers smtp_handlers = { .may_send = NULL };

static void
connect_both(struct world *w)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ipc_chan_attach(w->smtp, pair[0]);
	ipc_chan_attach(w->auth, pair[1]);
}

static void
quiet(void *ctx, struct str line)
{
	(void)ctx;
	(void)line;
}

static int
set_up(void **state)
{
	struct world *w = NEW(struct world);

	log_to(quiet, NULL);
	w->loop = loop_new();
	w->fd = -1;
	w->smtp = ipc_chan_new(w->loop, ROLE_SMTP, ROLE_AUTH, &smtp_handlers, w);
	w->auth = ipc_chan_new(w->loop, ROLE_AUTH, ROLE_SMTP, &auth_handlers, w);
	ipc_chan_on_gone(w->smtp, note_gone, w);
	connect_both(w);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	ipc_chan_free(w->smtp);
	ipc_chan_free(w->auth);
	loop_free(w->loop);
	io_close(&w->fd);
	free(w);
	log_to(NULL, NULL);
	return 0;
}

static void
turn(struct world *w)
{
	for (int i = 0; i < 20; i++)
		loop_turn(w->loop);
}

static void
question_and_answer(void **state)
{
	struct world *w = *state;

	ask_may_send(w->smtp, &(struct may_send_ask){ .login = STR("alice"), .address = STR("a\0b") }, note_answer, w);
	assert_int_equal(w->answers, 0);
	turn(w);
	assert_int_equal(w->answers, 5);
	assert_memory_equal(w->seen, "alice>a", 8);
	ask_rcpt(w->smtp, &(struct rcpt_ask){ .address = STR("x@y") }, note_resolved, w);
	turn(w);
	assert_int_equal(w->answers, 6);
	assert_string_equal(w->seen, "x@y,second");
}

static void
cancelled_and_late(void **state)
{
	struct world *w = *state;
	struct ipc_call *call = ask_may_send(w->smtp, &(struct may_send_ask){ .login = STR("wait") }, note_answer, w);

	turn(w);
	assert_non_null(w->held);
	ipc_cancel(call);
	answer_may_send(w->held, &(struct may_send_answer){ .verdict = 1 });
	turn(w);
	assert_int_equal(w->answers, 0);
	assert_true(ipc_chan_attached(w->smtp));
}

static void
gone_peer_answers_null(void **state)
{
	struct world *w = *state;

	ask_may_send(w->smtp, &(struct may_send_ask){ .login = STR("wait") }, note_answer, w);
	ask_may_send(w->smtp, &(struct may_send_ask){ .login = STR("wait") }, note_answer, w);
	turn(w);
	ipc_chan_detach(w->auth);
	turn(w);
	assert_int_equal(w->lost, 2);
	assert_int_equal(w->gone, 1);
	ask_may_send(w->smtp, &(struct may_send_ask){ .login = STR("x") }, note_answer, w);
	assert_int_equal(w->lost, 2);
	turn(w);
	assert_int_equal(w->lost, 3);
	/* a new peer in the same place; the answer to the old one's question goes nowhere */
	connect_both(w);
	answer_may_send(w->first, &(struct may_send_answer){ .verdict = 9 });
	answer_may_send(w->held, &(struct may_send_answer){ .verdict = 9 });
	ask_may_send(w->smtp, &(struct may_send_ask){ .login = STR("xyz") }, note_answer, w);
	turn(w);
	assert_int_equal(w->answers, 3);
	assert_int_equal(w->gone, 1);
}

static void
question_survives_its_channel(void **state)
{
	struct world *w = *state;

	ask_may_send(w->smtp, &(struct may_send_ask){ .login = STR("wait") }, note_answer, w);
	turn(w);
	ipc_chan_free(w->auth);
	assert_null(ipc_question_from(w->held));
	answer_may_send(w->held, &(struct may_send_answer){ .verdict = 1 });
	w->auth = ipc_chan_new(w->loop, ROLE_AUTH, ROLE_SMTP, &auth_handlers, w);
	turn(w);
	assert_int_equal(w->lost, 1);
}

static void
full_channel_waits(void **state)
{
	enum { N = 3000 };
	static char big[1000];
	struct world *w = *state;
	unsigned before = w->answers;

	memset(big, 'x', sizeof big);
	for (int i = 0; i < N; i++)
		ask_may_send(w->smtp, &(struct may_send_ask){ .login = STR("y"), .address = str_from(big, sizeof big) },
		    note_answer, w);
	assert_true(ipc_chan_full(w->smtp));
	for (int i = 0; i < 2000 && w->answers - before < N; i++)
		loop_turn(w->loop);
	assert_int_equal(w->answers - before, N);
	assert_false(ipc_chan_full(w->smtp));
}

/* descriptors */

static void
serve_submit(void *ctx, struct ipc_question *q, const struct submit_ask *ask)
{
	struct world *w = ctx;

	w->fd = ask->file;
	answer_submit(q, &(struct submit_answer){ .code = 250, .words = STR("ok") });
}

static void
note_submitted(void *ctx, const struct submit_answer *a)
{
	struct world *w = ctx;

	if (a != NULL)
		w->answers++;
	else
		w->lost++;
}

static void
descriptors_travel(void **state)
{
	static const struct ipc_handlers queue_handlers = { .submit = serve_submit };
	struct world *w = *state;
	struct ipc_chan *queue = ipc_chan_new(w->loop, ROLE_QUEUE, ROLE_SMTP, &queue_handlers, w);
	struct ipc_chan *smtp = ipc_chan_new(w->loop, ROLE_SMTP, ROLE_QUEUE, &smtp_handlers, w);
	int pair[2];
	int pipes[2];
	char c = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	ipc_chan_attach(smtp, pair[0]);
	ipc_chan_attach(queue, pair[1]);
	ask_submit(smtp, &(struct submit_ask){ .sid = STR("s1"), .file = pipes[1] }, note_submitted, w);
	close(pipes[1]);
	turn(w);
	assert_int_equal(w->answers, 1);
	assert_int_not_equal(w->fd, -1);
	assert_int_equal(write(w->fd, "z", 1), 1);
	assert_int_equal(read(pipes[0], &c, 1), 1);
	assert_int_equal(c, 'z');
	close(pipes[0]);
	ipc_chan_free(queue);
	ipc_chan_free(smtp);
}

/* a hostile peer speaks on the raw socket */

static int
hostile(struct world *w)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ipc_chan_attach(w->auth, pair[0]);
	turn(w);
	return pair[1];
}

struct head {
	uint8_t version;
	uint8_t kind;
	uint16_t type;
	uint32_t call;
};

static void
refused(struct world *w, struct head h, const void *body, size_t n)
{
	static char bytes[IPC_MESSAGE_MAX + 16];
	int fd = hostile(w);

	memcpy(bytes, &h, sizeof h);
	if (n > 0)
		memcpy(bytes + sizeof h, body, n);
	assert_int_equal(send(fd, bytes, sizeof h + n, 0), (ssize_t)(sizeof h + n));
	assert_true(ipc_chan_attached(w->auth));
	turn(w);
	assert_false(ipc_chan_attached(w->auth));
	close(fd);
}

static void
hostile_messages_end_the_channel(void **state)
{
	static char big[IPC_MESSAGE_MAX + 8];
	static const char good[] = "\1\0\0\0x\0\0\0"; /* login "x", then a cut length */
	struct world *w = *state;

	refused(w, (struct head){ IPC_VERSION + 1, 1, IPC_MAY_SEND, 1 }, "", 0);
	refused(w, (struct head){ IPC_VERSION, 1, IPC_TYPES, 1 }, "", 0);
	refused(w, (struct head){ IPC_VERSION, 9, IPC_MAY_SEND, 1 }, "", 0);
	refused(w, (struct head){ IPC_VERSION, 1, IPC_TICKET, 1 }, "", 0);
	refused(w, (struct head){ IPC_VERSION, 1, IPC_SASL_START, 1 }, "", 0);
	refused(w, (struct head){ IPC_VERSION, 2, IPC_MAY_SEND, 1 }, "\0", 1);
	refused(w, (struct head){ IPC_VERSION, 3, IPC_MAY_SEND, 1 }, "\0\0\0\0\0\0\0\0", 8);
	refused(w, (struct head){ IPC_VERSION, 1, IPC_MAY_SEND, 1 }, good, sizeof good - 1);
	refused(w, (struct head){ IPC_VERSION, 1, IPC_MAY_SEND, 1 }, "\xff\xff\xff\xff", 4);
	refused(w, (struct head){ IPC_VERSION, 1, IPC_MAY_SEND, 1 }, "\0\0\0\0\0\0\0\0x", 9);
	refused(w, (struct head){ IPC_VERSION, 1, IPC_MAY_SEND, 1 }, big, sizeof big);
}

/* A message of n bytes with two descriptors that nobody expects. */
static void
stray_descriptors(struct world *w, size_t n)
{
	struct head h = { IPC_VERSION, 1, IPC_MAY_SEND, 1 };
	char bytes[16] = { 0 };
	struct iovec piece = { bytes, n };
	char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int pipes[2];
	int fd = hostile(w);
	char byte;

	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	memcpy(bytes, &h, sizeof h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), (int[]){ pipes[1], pipes[1] }, 2 * sizeof(int));
	assert_int_equal(sendmsg(fd, &m, 0), (ssize_t)n);
	close(pipes[1]);
	turn(w);
	assert_false(ipc_chan_attached(w->auth));
	assert_int_equal(read(pipes[0], &byte, 1), 0); /* every copy of the other end is closed */
	close(pipes[0]);
	close(fd);
}

static void
stray_descriptors_are_closed(void **state)
{
	stray_descriptors(*state, 16);
	stray_descriptors(*state, 7);
	stray_descriptors(*state, 0); /* to recvmsg this looks like the end of the channel */
}

static void
every_cut_is_refused(void **state)
{
	struct str list[] = { STR_INIT("a"), STR_INIT("bcd") };
	struct rcpt_answer in = { .verdict = 1, .code = 250, .enhanced = STR("2.1.5"), .targets = { list, 2 } };
	struct rcpt_answer out;
	struct arena a;
	struct buf b;
	int fds[IPC_FDS_MAX];
	unsigned nfds;
	const char *why;

	(void)state;
	arena_init(&a);
	buf_init(&b, IPC_MESSAGE_MAX);
	assert_true(ipc_pack(IPC_RCPT, true, &in, &b, fds, &nfds));
	assert_true(ipc_unpack(IPC_RCPT, true, buf_str(&b), NULL, 0, &a, &out, &why));
	assert_true(str_eq(out.targets.v[1], STR("bcd")));
	for (size_t n = 0; n < b.n; n++) {
		char *exact = malloc(n > 0 ? n : 1); /* so that the sanitizer sees one byte too many */

		memcpy(exact, b.p, n);
		assert_false(ipc_unpack(IPC_RCPT, true, str_from(exact, n), NULL, 0, &a, &out, &why));
		assert_non_null(why);
		free(exact);
	}
	buf_fini(&b);
	arena_fini(&a);
}

static void
blocking_question(void **state)
{
	struct world *w = *state;
	struct may_send_answer answer;
	struct arena a;
	const char *why;
	int pair[2];
	pid_t child;

	arena_init(&a);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_false(ipc_wait(pair[1], ROLE_SMTP, ROLE_AUTH, IPC_MAY_SEND, &(struct may_send_ask){ 0 }, &answer, &a, 20, &why));
	assert_string_equal(why, "no answer in time");
	assert_false(ipc_wait(pair[1], ROLE_IMAP, ROLE_AUTH, IPC_MAY_SEND, &(struct may_send_ask){ 0 }, &answer, &a, 20, &why));
	close(pair[0]);
	close(pair[1]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ipc_chan_attach(w->auth, pair[0]);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		for (;;)
			loop_once(w->loop);
	}
	assert_true(ipc_wait(pair[1], ROLE_SMTP, ROLE_AUTH, IPC_MAY_SEND, &(struct may_send_ask){ .login = STR("four") }, &answer, &a,
	    5000, &why));
	assert_int_equal(answer.verdict, 4);
	kill(child, SIGKILL);
	close(pair[1]);
	arena_fini(&a);
}

int
main(void)
{
#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(question_and_answer),
		WITH_WORLD(cancelled_and_late),
		WITH_WORLD(gone_peer_answers_null),
		WITH_WORLD(question_survives_its_channel),
		WITH_WORLD(full_channel_waits),
		WITH_WORLD(descriptors_travel),
		WITH_WORLD(hostile_messages_end_the_channel),
		WITH_WORLD(stray_descriptors_are_closed),
		WITH_WORLD(blocking_question),
		cmocka_unit_test(every_cut_is_refused),
	};

	return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
