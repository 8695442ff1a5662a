/* subject.c - base subject extraction, step by step as RFC 5256 2.1 and 5 have it. */
#include "subject.h"

#include <postern/message/charset.h>
#include <postern/message/word.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct str
skip_spaces(struct str s)
{
	while (s.n > 0 && is_space(s.p[0]))
		s = str_sub(s, 1, s.n);
	return s;
}

/* Step 1: encoded words decoded, each run of blanks and line ends one space. */
static void
decode(struct buf *out, struct str raw)
{
	struct buf text;
	bool space = false;

	buf_init(&text, SIZE_MAX);
	word_decode(&text, raw);
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool blank = is_space(c) || c == '\r' || c == '\n';

		if (!blank || !space)
			buf_add_char(out, blank ? ' ' : c);
		space = blank;
	}
	buf_fini(&text);
}

/* subj-trailer, all of them (step 2). */
static struct str
cut_trailers(struct str s, bool *reply)
{
	for (;;) {
		if (s.n > 0 && is_space(s.p[s.n - 1])) {
			s.n--;
		} else if (str_ends_nocase(s, STR("(fwd)"))) {
			s.n -= 5;
			*reply = true;
		} else {
			return s;
		}
	}
}

/* subj-blob: "[" *BLOBCHAR "]" *WSP. Taken off *s, or false. */
static bool
take_blob(struct str *s)
{
	if (s->n == 0 || s->p[0] != '[')
		return false;
	for (size_t i = 1; i < s->n && s->p[i] != '[' && s->p[i] != '\0'; i++) {
		if (s->p[i] == ']') {
			*s = skip_spaces(str_sub(*s, i + 1, s->n));
			return true;
		}
	}
	return false;
}

/* subj-refwd: ("re" / ("fw" ["d"])) *WSP [subj-blob] ":". */
static bool
take_refwd(struct str *s)
{
	static const struct str words[] = { STR_INIT("re"), STR_INIT("fwd"), STR_INIT("fw") };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		struct str rest;

		if (!str_starts_nocase(*s, words[i]))
			continue;
		rest = skip_spaces(str_sub(*s, words[i].n, s->n));
		take_blob(&rest);
		if (rest.n > 0 && rest.p[0] == ':') {
			*s = str_sub(rest, 1, rest.n);
			return true;
		}
	}
	return false;
}

/* Steps 3 to 5. Blobs without a refwd behind them go, too (step 4), but the last one stays if nothing follows it. */
static struct str
cut_leaders(struct str s, bool *reply)
{
	for (;;) {
		struct str last, rest;

		s = skip_spaces(s);
		last = rest = s;
		while (take_blob(&rest))
			if (rest.n > 0)
				last = rest;
		if (!take_refwd(&rest))
			return last;
		*reply = true;
		s = rest;
	}
}

/* subj-fwd (step 6). */
static bool
take_forward(struct str *s)
{
	if (s->n < 6 || !str_starts_nocase(*s, STR("[fwd:")) || s->p[s->n - 1] != ']')
		return false;
	*s = str_sub(*s, 5, s->n - 1);
	return true;
}

bool
subject_base(struct buf *out, struct str raw)
{
	struct buf text;
	struct str s;
	bool reply = false;

	buf_init(&text, SIZE_MAX);
	decode(&text, raw);
	s = cut_leaders(cut_trailers(buf_str(&text), &reply), &reply);
	while (take_forward(&s)) {
		reply = true;
		s = cut_leaders(cut_trailers(s, &reply), &reply);
	}
	charset_fold(out, s);
	buf_fini(&text);
	return reply;
}
