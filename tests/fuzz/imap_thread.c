/* imap_thread.c - base subjects, Message-IDs and threads of any messages. Each four lines of the input are a message:
 * Message-ID, References, In-Reply-To, Subject. The first byte chooses the algorithm; each message has to come out once. */
#include <postern/core/log.h>
#include <postern/message/charset.h>

#include "fuzz.h"
#include "thread.h"

static struct str
line(struct str *rest)
{
	struct str one = { 0 };

	str_cut(rest, '\n', &one);
	return one;
}

static size_t
count_numbers(struct str out)
{
	size_t n = 0;

	for (size_t i = 0; i < out.n; i++)
		n += ascii_is_digit(out.p[i]) && (i + 1 == out.n || !ascii_is_digit(out.p[i + 1]));
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool ready;
	struct str rest = str_from(p + 1, n > 0 ? n - 1 : 0);
	struct threads t;
	struct mailkeys keys;
	struct buf out, row;
	uint32_t number = 0;

	if (!ready)
		charset_init();
	ready = true;
	if (n == 0)
		return 0;
	threads_init(&t, p[0] & 1 ? THREAD_REFERENCES : THREAD_ORDEREDSUBJECT);
	buf_init(&out, SIZE_MAX);
	buf_init(&row, SIZE_MAX);
	while (rest.n > 0) {
		struct thread_message m = { .date = p[0] >> (number % 8) & 1, .keys = &keys };
		struct mime_envelope e = { 0 };

		m.number = ++number;
		e.message_id = line(&rest);
		e.references = line(&rest);
		e.in_reply_to = line(&rest);
		e.subject = line(&rest);
		buf_clear(&row);
		mailkeys_write(&row, &e);
		if (!mailkeys_read(buf_str(&row), &keys))
			log_panic("keys that cannot be read again");
		threads_add(&t, &m);
	}
	while (!threads_step(&t, 2))
		;
	while (!threads_write(&t, &out, 2))
		;
	if (count_numbers(buf_str(&out)) != number)
		log_panic("%u messages went in", number);
	buf_fini(&row);
	buf_fini(&out);
	threads_fini(&t);
	return 0;
}
