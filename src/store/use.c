/* use.c - special uses of mailboxes by name: the attribute clients know (RFC 6154 2, RFC 8457 3), and the word of our own files. */
#include "use.h"

static const struct {
	const char *word;
	struct str attribute;
} uses[] = {
	[STORE_USE_NONE] = { "", STR_INIT("") },
	[STORE_USE_ALL] = { "all", STR_INIT("\\All") },
	[STORE_USE_ARCHIVE] = { "archive", STR_INIT("\\Archive") },
	[STORE_USE_DRAFTS] = { "drafts", STR_INIT("\\Drafts") },
	[STORE_USE_FLAGGED] = { "flagged", STR_INIT("\\Flagged") },
	[STORE_USE_JUNK] = { "junk", STR_INIT("\\Junk") },
	[STORE_USE_SENT] = { "sent", STR_INIT("\\Sent") },
	[STORE_USE_TRASH] = { "trash", STR_INIT("\\Trash") },
	[STORE_USE_IMPORTANT] = { "important", STR_INIT("\\Important") },
};

enum { USES = sizeof uses / sizeof *uses };

struct str
store_use_attribute(enum store_use use)
{
	return (size_t)use < USES ? uses[use].attribute : STR("");
}

enum store_use
store_use_find(struct str attribute)
{
	for (size_t i = 1; i < USES; i++)
		if (str_eq_nocase(uses[i].attribute, attribute))
			return (enum store_use)i;
	return STORE_USE_NONE;
}

const char *
use_word(enum store_use use)
{
	return uses[use].word;
}

bool
use_parse(struct str word, enum store_use *use)
{
	for (size_t i = 1; i < USES; i++) {
		if (!str_eq(word, str_of(uses[i].word)))
			continue;
		*use = (enum store_use)i;
		return true;
	}
	return false;
}
