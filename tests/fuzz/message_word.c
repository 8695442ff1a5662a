/* message_word.c - encoded words and parameters under any bytes: the result is UTF-8, and what we encode decodes. */
#include <postern/core/utf8.h>
#include <postern/message/charset.h>
#include <postern/message/param.h>
#include <postern/message/word.h>

#include "fuzz.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	charset_init();
	return 0;
}

static void
check_words(struct str in)
{
	struct buf text, encoded, back;

	buf_init(&text, SIZE_MAX / 16);
	buf_init(&encoded, SIZE_MAX / 16);
	buf_init(&back, SIZE_MAX / 16);
	word_decode(&text, in);
	MUST(utf8_valid(buf_str(&text)));
	word_encode(&encoded, in, WORD_PHRASE);
	MUST(ascii_only(buf_str(&encoded)));
	buf_clear(&encoded);
	word_encode(&encoded, buf_str(&text), WORD_TEXT);
	word_decode(&back, buf_str(&encoded));
	MUST(str_eq(str_trim(buf_str(&back)), str_trim(buf_str(&text))));
	buf_fini(&text);
	buf_fini(&encoded);
	buf_fini(&back);
}

static void
check_params(struct str in)
{
	const struct param *list = NULL;
	struct str token, type, subtype;
	struct arena a;
	struct buf text;

	arena_init(&a);
	buf_init(&text, SIZE_MAX / 16);
	if (!param_parse_type(&a, in, &type, &subtype, &list))
		param_parse_token(&a, in, &token, &list);
	for (; list != NULL; list = list->next) {
		MUST(list->name.n > 0);
		param_decode(&text, list);
		MUST(utf8_valid(buf_str(&text)));
	}
	buf_fini(&text);
	arena_fini(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	check_words(str_from(p, n));
	check_params(str_from(p, n));
	return 0;
}
