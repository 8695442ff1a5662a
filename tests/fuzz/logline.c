/* logline.c - lines of the log from anybody: what is read is inside the line, and the head says the same alone. */
#include <stdlib.h>

#include <postern/core/logline.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct logline l;
	struct logline_head head;
	struct arena a;
	size_t sum = 0;

	arena_init(&a);
	if (logline_parse(str_from(p, n), &a, &l)) {
		if (l.n > LOGLINE_FIELDS_MAX || !logline_head_parse(str_from(p, n), &head) || !str_eq(head.event, l.head.event))
			abort();
		for (unsigned i = 0; i < l.n; i++) {
			sum += l.field[i].key.n + l.field[i].value.n;
			if (logline_get(&l, "qid").n > n || str_has(l.field[i].key, '"'))
				abort();
		}
		if (sum > n)
			abort();
	}
	arena_fini(&a);
	return 0;
}
