/* conf.c - a configuration of any bytes: read, or refused with a reason; what is read is written and read back. */
#include <stdlib.h>

#include <postern/conf/conf.h>

#include "fuzz.h"

static void
check_read_back(const struct conf *c)
{
	struct conf_errors e;
	struct buf first, second;
	struct conf *again;

	conf_errors_init(&e);
	buf_init(&first, SIZE_MAX);
	buf_init(&second, SIZE_MAX);
	conf_write_part(c, CONF_ALL, &first);
	again = conf_parse(buf_str(&first), "part", &e);
	if (again == NULL)
		abort();
	conf_write_part(again, CONF_ALL, &second);
	if (!str_eq(buf_str(&first), buf_str(&second)))
		abort();
	conf_unref(again);
	conf_errors_fini(&e);
	buf_fini(&first);
	buf_fini(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct conf_errors e;
	struct conf *c;

	conf_errors_init(&e);
	c = conf_parse(str_from(p, n), "fuzz", &e);
	if ((c == NULL) != (e.n > 0))
		abort();
	if (c != NULL)
		check_read_back(c);
	conf_unref(c);
	conf_errors_fini(&e);
	return 0;
}
