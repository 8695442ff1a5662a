/* capability.c - the capabilities that belong to the protocol itself rather than to a command, an item or an option. */
#include "capability.h"

static const struct {
	const char *name;
	const char *rfc;
} base[] = {
	{ "IMAP4rev1", "3501" },
	{ "IMAP4rev2", "9051" },
	{ "LITERAL+", "7888" },
	{ "SASL-IR", "4959" },
	{ "ID", "2971" },
	{ "ENABLE", "5161" },
};

void
capability_write_base(struct buf *out)
{
	for (size_t i = 0; i < sizeof(base) / sizeof(*base); i++) {
		buf_add_char(out, ' ');
		buf_add_cstr(out, base[i].name);
	}
}
