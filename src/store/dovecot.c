/* dovecot.c - reading what Dovecot and Courier keep beside a Maildir. */
#include "dovecot.h"

#include <stdio.h>

#include <postern/core/buf.h>

#include "sidecar.h"

enum { DOVECOT_KEYWORDS = 26, LINE_NAME_MAX = 400 };

static bool
parse_header(struct dovecot_uidlist *l, struct str line)
{
	struct str word;
	uint64_t v;

	*l = (struct dovecot_uidlist){ 0 };
	if (!str_cut(&line, ' ', &word) || !str_eq(word, STR("3")))
		return false;
	while (str_cut(&line, ' ', &word)) {
		if (word.n < 2 || !str_u64(str_sub(word, 1, word.n), UINT32_MAX, &v))
			continue;
		if (word.p[0] == 'V')
			l->uidvalidity = (uint32_t)v;
		else if (word.p[0] == 'N')
			l->uidnext = (uint32_t)v;
	}
	return l->uidvalidity != 0 && l->uidnext != 0;
}

bool
dovecot_uidlist_parse(struct dovecot_uidlist *l, struct str text, void (*fn)(void *ctx, uint32_t uid, struct str name),
    void *ctx)
{
	struct str line;
	uint64_t uid, last = 0;

	if (!str_cut(&text, '\n', &line) || !parse_header(l, line))
		return false;
	while (str_cut(&text, '\n', &line)) {
		size_t space = str_find(line, ' '), colon = str_search(line, STR(" :"));

		if (!str_u64(str_sub(line, 0, space), UINT32_MAX - 1, &uid) || uid <= last || colon == line.n)
			continue;
		last = uid;
		fn(ctx, (uint32_t)uid, str_sub(line, colon + 2, line.n));
	}
	return true;
}

size_t
dovecot_keywords_parse(struct str text, char names[static STORE_KEYWORDS_MAX][STORE_KEYWORD_SIZE + 1])
{
	struct str line;
	size_t n = 0;

	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++)
		names[i][0] = '\0';
	while (str_cut(&text, '\n', &line)) {
		size_t space = str_find(line, ' ');
		struct str name = str_sub(line, space + 1, line.n);
		uint64_t number;

		if (!str_u64(str_sub(line, 0, space), DOVECOT_KEYWORDS - 1, &number) || !sidecar_keyword_ok(name))
			continue;
		snprintf(names[number], STORE_KEYWORD_SIZE + 1, "%.*s", STR_ARG(name));
		if (number + 1 > n)
			n = (size_t)number + 1;
	}
	return n;
}

static void
tell_dir(struct str name, bool tabs, void (*fn)(void *ctx, struct str dir), void *ctx)
{
	struct buf dir;

	/* Courier names everything below INBOX; the directories are the same */
	if (str_starts(name, STR("INBOX.")) && !tabs)
		name = str_sub(name, 6, name.n);
	buf_init(&dir, LINE_NAME_MAX);
	if (!str_eq(name, STR("INBOX")))
		buf_add_char(&dir, '.');
	for (size_t i = 0; i < name.n && !str_eq(name, STR("INBOX")); i++)
		buf_add_char(&dir, tabs && name.p[i] == '\t' ? '.' : name.p[i]);
	if (!dir.over)
		fn(ctx, buf_str(&dir));
	buf_fini(&dir);
}

void
dovecot_subscriptions_parse(struct str text, void (*fn)(void *ctx, struct str dir), void *ctx)
{
	struct str line;
	bool tabs = str_starts(text, STR("V\t2\n"));

	if (tabs)
		str_cut(&text, '\n', &line);
	while (str_cut(&text, '\n', &line))
		if (line.n > 0 && line.n < LINE_NAME_MAX)
			tell_dir(line, tabs, fn, ctx);
}
