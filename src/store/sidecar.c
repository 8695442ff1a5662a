/* sidecar.c - reading and writing `postern-mailbox`. */
#include "sidecar.h"

#include <inttypes.h>
#include <stdio.h>

#include "fname.h"
#include "use.h"

bool
sidecar_keyword_ok(struct str name)
{
	if (name.n == 0 || name.n > STORE_KEYWORD_SIZE)
		return false;
	/* RFC 9051 9: flag-keyword = atom */
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_print(name.p[i]) || memchr(" (){%*\"\\]", name.p[i], 9) != NULL)
			return false;
	return true;
}

void
sidecar_write(const struct sidecar *s, struct buf *out)
{
	char id[ID_TEXT_SIZE];

	id_text(s->id, id);
	buf_addf(out, "postern-mailbox 1\nid %s\nuidvalidity %" PRIu32 "\nceiling %" PRIu32 "\n", id, s->uidvalidity,
	    s->ceiling);
	if (s->use != STORE_USE_NONE)
		buf_addf(out, "use %s\n", use_word(s->use));
	if (s->subscribed)
		buf_add(out, STR("subscribed\n"));
	for (size_t i = 0; i < s->nkeywords; i++)
		buf_addf(out, "keyword %c %s\n", fname_keyword_letter((unsigned)i), s->keywords[i]);
	buf_add(out, STR("end\n"));
}

static bool
take_number(struct str value, uint32_t *n)
{
	uint64_t v;

	if (!str_u64(value, UINT32_MAX, &v) || v == 0)
		return false;
	*n = (uint32_t)v;
	return true;
}

/* "a name": letters come in their order, so that the n-th line is the n-th bit. */
static bool
take_keyword(struct str value, struct sidecar *s)
{
	struct str name = str_sub(value, 2, value.n);

	if (s->nkeywords == STORE_KEYWORDS_MAX || value.n < 3 || value.p[1] != ' ' || !sidecar_keyword_ok(name))
		return false;
	if (value.p[0] != fname_keyword_letter((unsigned)s->nkeywords))
		return false;
	snprintf(s->keywords[s->nkeywords++], sizeof s->keywords[0], "%.*s", STR_ARG(name));
	return true;
}

static bool
take_line(struct str line, struct sidecar *s)
{
	size_t space = str_find(line, ' ');
	struct str key = str_sub(line, 0, space), value = str_sub(line, space + 1, line.n);

	if (str_eq(key, STR("id")))
		return id_parse(value, &s->id);
	if (str_eq(key, STR("uidvalidity")))
		return take_number(value, &s->uidvalidity);
	if (str_eq(key, STR("ceiling")))
		return take_number(value, &s->ceiling);
	if (str_eq(key, STR("use")))
		return use_parse(value, &s->use);
	if (str_eq(key, STR("subscribed")))
		return s->subscribed = true;
	return str_eq(key, STR("keyword")) && take_keyword(value, s);
}

bool
sidecar_parse(struct sidecar *s, struct str text)
{
	struct str line;

	*s = (struct sidecar){ 0 };
	if (!str_cut(&text, '\n', &line) || !str_eq(line, STR("postern-mailbox 1")))
		return false;
	while (str_cut(&text, '\n', &line)) {
		if (str_eq(line, STR("end")))
			return text.n == 0 && s->uidvalidity != 0 && s->ceiling != 0;
		if (!take_line(line, s))
			return false;
	}
	return false;
}
