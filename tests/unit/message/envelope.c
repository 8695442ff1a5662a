/* envelope.c - tests of the message file: what is written is read, and nothing damaged is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <postern/core/mem.h>
#include <postern/message/envelope.h>

static const struct envelope sample = {
	.qid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
	.received = { 1234567890123456 },
	.ret = ENVELOPE_RET_HDRS,
	.sid = STR_INIT("s1d"),
	.client = STR_INIT("2001:db8::25"),
	.helo = STR_INIT("client.test"),
	.protocol = STR_INIT("ESMTPSA"),
	.login = STR_INIT("alice@example.test"),
	.sender = STR_INIT("alice+x@example.test"),
	.envid = STR_INIT("id 7"),
};

static const struct envelope_recipient rcpt_bob = { ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY,
	STR_INIT("Bob+News@Example.test"), STR_INIT("rfc822;bob@old.test") };
static const struct envelope_recipient rcpt_team = { 0, STR_INIT("team@example.test"), STR_INIT("") };
static const struct envelope_target to_bob = { ENVELOPE_LOCAL, STR_INIT("bob@example.test"), STR_INIT("news") };
static const struct envelope_target to_carol = { ENVELOPE_LOCAL, STR_INIT("carol@example.test"), STR_INIT("") };
static const struct envelope_target to_far = { ENVELOPE_REMOTE, STR_INIT("d\xc3\xb6rte@far.test"), STR_INIT("") };

static int
write_sample(void)
{
	struct envelope_writer w;
	int fd = envelope_memfd();

	assert_true(envelope_write_begin(&w, fd, &sample));
	assert_true(envelope_write_recipient(&w, &rcpt_bob));
	assert_true(envelope_write_target(&w, &to_bob));
	assert_true(envelope_write_recipient(&w, &rcpt_team));
	assert_true(envelope_write_target(&w, &to_carol));
	assert_true(envelope_write_target(&w, &to_far));
	assert_true(envelope_write_body(&w, STR("Subject: hi\r\n\r\n")));
	assert_true(envelope_write_body(&w, STR("text\r\n")));
	assert_true(envelope_write_prefix(&w, STR("Received: by us\r\n")));
	assert_true(envelope_write_finish(&w, ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT));
	envelope_write_end(&w);
	return fd;
}

static void
round_trip(void **state)
{
	int fd = write_sample();
	struct envelope_reader r;
	struct envelope_item it;
	struct err e;
	struct buf b;

	(void)state;
	assert_true(envelope_open(&r, fd, &e));
	assert_true(id_eq(r.envelope.qid, sample.qid));
	assert_true(r.envelope.received.us == sample.received.us);
	assert_int_equal(r.envelope.ret, ENVELOPE_RET_HDRS);
	assert_true(str_eq(r.envelope.client, sample.client) && str_eq(r.envelope.helo, sample.helo));
	assert_true(str_eq(r.envelope.login, sample.login) && str_eq(r.envelope.sender, sample.sender));
	assert_true(str_eq(r.envelope.envid, sample.envid) && str_eq(r.envelope.sid, sample.sid));
	assert_int_equal(r.flags, ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(envelope_next(&r, &it, &e), ENVELOPE_ITEM_RECIPIENT);
		assert_true(str_eq(it.recipient.address, rcpt_bob.address));
		assert_true(str_eq(it.recipient.orcpt, rcpt_bob.orcpt));
		assert_int_equal(it.recipient.notify, rcpt_bob.notify);
		assert_int_equal(envelope_next(&r, &it, &e), ENVELOPE_ITEM_TARGET);
		assert_int_equal(it.target.kind, ENVELOPE_LOCAL);
		assert_true(str_eq(it.target.address, to_bob.address) && str_eq(it.target.detail, to_bob.detail));
		assert_int_equal(envelope_next(&r, &it, &e), ENVELOPE_ITEM_RECIPIENT);
		assert_int_equal(envelope_next(&r, &it, &e), ENVELOPE_ITEM_TARGET);
		assert_int_equal(envelope_next(&r, &it, &e), ENVELOPE_ITEM_TARGET);
		assert_int_equal(it.target.kind, ENVELOPE_REMOTE);
		assert_int_equal(envelope_next(&r, &it, &e), ENVELOPE_ITEM_END);
		assert_int_equal(envelope_next(&r, &it, &e), ENVELOPE_ITEM_END);
		envelope_rewind(&r);
	}
	buf_init(&b, 1000);
	assert_true(envelope_read_message(&r, 0, 1000, &b, &e));
	assert_true(str_eq(buf_str(&b), STR("Received: by us\r\nSubject: hi\r\n\r\ntext\r\n")));
	buf_clear(&b);
	assert_true(envelope_read_message(&r, 10, 10, &b, &e));
	assert_true(str_eq(buf_str(&b), STR("by us\r\nSub")));
	buf_fini(&b);
	envelope_close(&r);
	close(fd);
}

/* Reads all of it; true if it is whole. */
static bool
readable(int fd)
{
	struct envelope_reader r;
	struct envelope_item it;
	struct err e;
	bool ok = envelope_open(&r, fd, &e);

	while (ok && envelope_next(&r, &it, &e) != ENVELOPE_ITEM_END)
		ok = it.kind != ENVELOPE_ITEM_BAD;
	if (!ok)
		assert_int_equal(e.class, ERR_PERM);
	envelope_close(&r);
	return ok;
}

static void
truncations(void **state)
{
	int fd = write_sample();
	off_t size = lseek(fd, 0, SEEK_END);

	(void)state;
	assert_true(readable(fd));
	for (off_t n = size - 1; n >= 0; n--) {
		assert_int_equal(ftruncate(fd, n), 0);
		assert_false(readable(fd));
	}
	close(fd);
}

/* Any changed byte of header or record either makes the file unreadable or changes one value; it never breaks the
 * reader. */
static void
changed_bytes(void **state)
{
	int fd = write_sample();
	struct envelope_reader r;
	struct err e;
	uint64_t end;

	(void)state;
	assert_true(envelope_open(&r, fd, &e));
	end = r.record_end;
	envelope_close(&r);
	for (uint64_t at = 0; at < end; at++) {
		uint8_t old;

		assert_true(io_pread_all(fd, &old, 1, (off_t)at));
		for (unsigned bit = 0; bit < 8; bit++) {
			uint8_t now = (uint8_t)(old ^ 1U << bit);

			assert_true(io_pwrite_all(fd, str_from(&now, 1), (off_t)at));
			assert_false(readable(fd) && at < 12);
		}
		assert_true(io_pwrite_all(fd, str_from(&old, 1), (off_t)at));
	}
	assert_true(readable(fd));
	close(fd);
}

/* A caller makes room for as many as the header promises: more never come, whatever the record holds. */
static void
more_than_promised(void **state)
{
	static const struct {
		uint8_t recipients, targets;
	} promise[] = { { 1, 3 }, { 2, 2 }, { 1, 1 }, { 3, 3 }, { 2, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof promise / sizeof *promise; i++) {
		int fd = write_sample(); /* 2 recipients, 3 targets */
		struct envelope_reader r;
		struct envelope_item it;
		struct err e;
		unsigned seen[4] = { 0 };

		assert_true(io_pwrite_all(fd, str_from(&promise[i].recipients, 1), 16 + 3));
		assert_true(io_pwrite_all(fd, str_from(&promise[i].targets, 1), 20 + 3));
		assert_true(envelope_open(&r, fd, &e));
		do
			seen[envelope_next(&r, &it, &e)]++;
		while (it.kind == ENVELOPE_ITEM_RECIPIENT || it.kind == ENVELOPE_ITEM_TARGET);
		assert_int_equal(it.kind, ENVELOPE_ITEM_BAD);
		assert_true(seen[ENVELOPE_ITEM_RECIPIENT] <= promise[i].recipients);
		assert_true(seen[ENVELOPE_ITEM_TARGET] <= promise[i].targets);
		envelope_close(&r);
		close(fd);
	}
}

static void
unfinished(void **state)
{
	struct envelope_writer w;
	int fd = envelope_memfd();

	(void)state;
	assert_true(envelope_write_begin(&w, fd, &sample));
	assert_true(envelope_write_recipient(&w, &rcpt_bob));
	assert_true(envelope_write_target(&w, &to_bob));
	assert_true(envelope_write_body(&w, STR("x")));
	envelope_write_end(&w);
	assert_false(readable(fd));
	close(fd);
}

static void
begin_one(struct envelope_writer *w, int fd)
{
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_true(envelope_write_begin(w, fd, &sample));
	assert_true(envelope_write_recipient(w, &rcpt_bob));
}

static void
writer_refuses(void **state)
{
	char *text = mem_new(1000);
	const struct envelope_recipient long_orcpt = { 0, STR("a@b"), str_from(text, ENVELOPE_ORCPT_MAX + 1) };
	const struct envelope_recipient long_address = { 0, str_from(text, ENVELOPE_ADDRESS_MAX + 1), STR("") };
	const struct envelope_recipient never = { ENVELOPE_NOTIFY_NEVER | ENVELOPE_NOTIFY_DELAY, STR("a@b"), STR("") };
	const struct envelope_target line_end = { ENVELOPE_LOCAL, STR("a@b\r\nBcc: x"), STR("") };
	const struct envelope_target bad_utf8 = { ENVELOPE_REMOTE, STR("a\xff@b"), STR("") };
	const struct envelope_target c1_control = { ENVELOPE_REMOTE, STR("a\xc2\x9b@b"), STR("") };
	struct envelope null = sample;
	struct envelope_writer w;
	int fd = envelope_memfd();

	(void)state;
	memset(text, 'x', 1000);
	begin_one(&w, fd);
	assert_false(envelope_write_recipient(&w, &rcpt_team)); /* the one before has no target */
	envelope_write_end(&w);
	begin_one(&w, fd);
	assert_false(envelope_write_body(&w, STR("x")));
	assert_false(envelope_write_finish(&w, 0)); /* sticks */
	envelope_write_end(&w);
	for (int i = 0; i < 3; i++) {
		begin_one(&w, fd);
		assert_false(envelope_write_target(&w, i == 0 ? &line_end : i == 1 ? &bad_utf8 : &c1_control));
		envelope_write_end(&w);
	}
	for (int i = 0; i < 3; i++) {
		begin_one(&w, fd);
		assert_true(envelope_write_target(&w, &to_bob));
		assert_false(envelope_write_recipient(&w, i == 0 ? &long_orcpt : i == 1 ? &long_address : &never));
		envelope_write_end(&w);
	}
	begin_one(&w, fd);
	assert_true(envelope_write_target(&w, &to_bob));
	assert_true(envelope_write_prefix(&w, STR("p")));
	assert_false(envelope_write_body(&w, STR("too late")));
	envelope_write_end(&w);
	null.sender = STR("a\nb");
	assert_false(envelope_write_begin(&w, fd, &null));
	envelope_write_end(&w);
	close(fd);
	free(text);
}

static void
many_recipients(void **state)
{
	char text[ENVELOPE_ORCPT_MAX];
	const struct envelope_recipient to = { 0, STR("someone@example.test"), str_from(text, sizeof text) };
	struct envelope_writer w;
	struct envelope_reader r;
	struct envelope_item it;
	struct err e;
	int fd = envelope_memfd();
	unsigned n = 0;

	(void)state;
	memset(text, 'o', sizeof text);
	assert_true(envelope_write_begin(&w, fd, &sample));
	for (unsigned i = 0; i < ENVELOPE_RECIPIENTS_MAX; i++) {
		assert_true(envelope_write_recipient(&w, &to));
		assert_true(envelope_write_target(&w, &to_bob));
	}
	assert_true(envelope_write_body(&w, STR("x")));
	assert_true(envelope_write_finish(&w, 0));
	envelope_write_end(&w);
	assert_true(envelope_open(&r, fd, &e));
	while (envelope_next(&r, &it, &e) != ENVELOPE_ITEM_END) {
		assert_int_not_equal(it.kind, ENVELOPE_ITEM_BAD);
		n += it.kind == ENVELOPE_ITEM_RECIPIENT && str_eq(it.recipient.orcpt, to.orcpt);
	}
	assert_int_equal(n, ENVELOPE_RECIPIENTS_MAX);
	envelope_close(&r);
	begin_one(&w, fd);
	assert_true(envelope_write_target(&w, &to_bob));
	for (n = 1; n < ENVELOPE_RECIPIENTS_MAX; n++)
		assert_true(envelope_write_recipient(&w, &rcpt_team) && envelope_write_target(&w, &to_bob));
	assert_false(envelope_write_recipient(&w, &rcpt_team));
	envelope_write_end(&w);
	begin_one(&w, fd);
	for (n = 0; n < ENVELOPE_TARGETS_MAX; n++)
		assert_true(envelope_write_target(&w, &to_bob));
	assert_false(envelope_write_target(&w, &to_bob));
	envelope_write_end(&w);
	close(fd);
}

static void
moving(void **state)
{
	struct envelope_writer w;
	struct buf a, b;
	int small = envelope_memfd();
	int large = envelope_memfd();
	int whole = write_sample();

	(void)state;
	assert_true(envelope_write_begin(&w, small, &sample));
	assert_true(envelope_write_recipient(&w, &rcpt_bob));
	assert_true(envelope_write_target(&w, &to_bob));
	assert_true(envelope_write_recipient(&w, &rcpt_team));
	assert_true(envelope_write_target(&w, &to_carol));
	assert_true(envelope_write_target(&w, &to_far));
	assert_true(envelope_write_body(&w, STR("Subject: hi\r\n\r\nte")));
	assert_true(envelope_write_move(&w, large));
	close(small);
	assert_true(envelope_write_body(&w, STR("xt\r\n")));
	assert_true(envelope_write_prefix(&w, STR("Received: by us\r\n")));
	assert_true(envelope_write_finish(&w, ENVELOPE_SMTPUTF8 | ENVELOPE_8BIT));
	envelope_write_end(&w);
	buf_init(&a, 10000);
	buf_init(&b, 10000);
	assert_true(io_read_fd(whole, &a) && io_read_fd(large, &b));
	assert_true(str_eq(buf_str(&a), buf_str(&b)));
	buf_fini(&a);
	buf_fini(&b);
	close(large);
	close(whole);
}

static void
descriptors(void **state)
{
	enum envelope_file what;
	struct err e;
	char path[] = "/tmp/postern-envelope-XXXXXX";
	int fd = write_sample();
	int ends[2];
	int file = mkstemp(path);
	int dir = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_false(envelope_check_fd(fd, ENVELOPE_MEMFD_MAX, &what, &e)); /* not sealed */
	assert_true(envelope_seal(fd));
	assert_true(envelope_check_fd(fd, ENVELOPE_MEMFD_MAX, &what, &e));
	assert_int_equal(what, ENVELOPE_MEMFD);
	assert_false(io_pwrite_all(fd, STR("x"), 0));
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_false(envelope_check_fd(fd, 100, &what, &e)); /* too large */
	close(fd);
	fd = envelope_memfd();
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_false(envelope_check_fd(fd, ENVELOPE_MEMFD_MAX, &what, &e));
	assert_true(envelope_check_fd(file, 100, &what, &e));
	assert_int_equal(what, ENVELOPE_SPOOL);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_false(envelope_check_fd(ends[0], 100, &what, &e));
	assert_false(envelope_check_fd(dir, 100000, &what, &e));
	close(ends[0]);
	close(ends[1]);
	close(dir);
	close(fd);
	close(file);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(truncations),
		cmocka_unit_test(changed_bytes),
		cmocka_unit_test(more_than_promised),
		cmocka_unit_test(unfinished),
		cmocka_unit_test(writer_refuses),
		cmocka_unit_test(many_recipients),
		cmocka_unit_test(moving),
		cmocka_unit_test(descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
