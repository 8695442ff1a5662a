/* core_text.c - base64, UTF-8, identifiers and log lines under any bytes. */
#include <stdlib.h>

#include <postern/core/base64.h>
#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/utf8.h>

#include "fuzz.h"

static void
check_line(void *ctx, struct str line)
{
	(void)ctx;
	if (line.n == 0 || line.n > LOG_LINE_MAX || str_find(line, '\n') != line.n - 1 || !utf8_valid(line))
		abort();
}

static void
check_base64(struct str in)
{
	struct buf raw;
	struct buf text;

	buf_init(&raw, in.n + 1);
	buf_init(&text, in.n * 2 + 8);
	if (base64_decode(&raw, in)) {
		base64_add(&text, buf_str(&raw));
		if (!str_eq(buf_str(&text), in))
			abort();
	}
	buf_fini(&raw);
	buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p, n);
	struct log_line l;
	struct id id;

	check_base64(in);
	id_parse(in, &id);
	log_to(check_line, NULL);
	for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
		log_setup(2, "fuzz", (enum log_format)format, LEVEL_INFO);
		log_begin(&l, LEVEL_INFO, "input");
		log_str(&l, "value", in);
		log_str(&l, "again", in);
		log_end(&l);
	}
	return 0;
}
