/* message_addrlist.c - address lists under any bytes: groups balanced, limits kept. */
#include <postern/message/addrlist.h>

#include "fuzz.h"

static void
check(const struct addrlist *list, size_t max)
{
	bool in_group = false;
	size_t n = 0;

	for (const struct addrlist_item *i = list->first; i != NULL; i = i->next, n++) {
		MUST((i->kind == ADDRLIST_GROUP) <= !in_group && (i->kind == ADDRLIST_END) <= in_group);
		MUST(i->kind == ADDRLIST_END || i->local.p != NULL);
		MUST(i->kind != ADDRLIST_MAILBOX || list->malformed || (i->local.n > 0 && i->domain.n > 0));
		if (i->kind != ADDRLIST_MAILBOX)
			in_group = i->kind == ADDRLIST_GROUP;
	}
	MUST(!in_group && n == list->n && n <= max);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t max = n > 0 ? p[0] : 10;
	struct addrlist list = { 0 };
	struct arena a;

	arena_init(&a);
	addrlist_parse(&a, str_from(p + (n > 0), n - (n > 0)), max, &list);
	check(&list, max);
	addrlist_parse(&a, STR("a@b, c:d@e;"), max, &list);
	check(&list, max);
	arena_fini(&a);
	return 0;
}
