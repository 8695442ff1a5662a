/* lookup.c - `postern dns lookup': how an answer of the dns role looks. */
#include "ask.h"
#include "server.h"

const struct cli_owner cli_dns = { "dns", ROLE_DNS, NULL };

static const struct cli_column lookup_fields[] = {
	{ "name", "name", AS_TEXT },
	{ "type", "type", AS_TEXT },
	{ "status", "status", AS_TEXT },
	{ "secure", "proved by DNSSEC", AS_YES },
	{ "aliases", "alias of", AS_LIST },
	{ "aliases_secure", "aliases proved", AS_NUMBER },
	{ "canonical", "canonical name", AS_TEXT },
	{ "ttl", "seconds to live", AS_NUMBER },
	{ "records", "records", AS_LIST },
	{ "why", "why", AS_TEXT },
	{ .key = NULL },
};

const struct cli_show show_lookup = { SHOW_FIELDS, lookup_fields, NULL, NULL };
