/* type_word.c - types of plain words: paths, strings, choices, yes and no, numbers, sizes, times. */
#include "table.h"

static void
str_write(const struct conf_key *k, const void *value, struct buf *out)
{
	(void)k;
	buf_add(out, *(const struct str *)value);
}

static bool
string_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	if (k->high > 0 && word.n > k->high)
		return conf_refuse(w, "the text is longer than %ju bytes, shorten it", (uintmax_t)k->high);
	*(struct str *)out = arena_str(a, word);
	return true;
}

const struct conf_type type_string = {
	.name = "string",
	.syntax = "any text in quotes",
	.size = sizeof(struct str),
	.blank = true,
	.parse = string_parse,
	.write = str_write,
};

enum { PATH_LENGTH_MAX = 4095 };

static bool
path_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	uint64_t max = k->high > 0 ? k->high : PATH_LENGTH_MAX;

	while (word.n > 1 && word.p[word.n - 1] == '/')
		word.n--;
	if (word.p[0] != '/')
		return conf_refuse(w, "\"%.*s\" does not start with /, write the whole path", STR_ARG(conf_head(word)));
	if (word.n > max)
		return conf_refuse(w, "the path is longer than %ju bytes, choose a shorter one", (uintmax_t)max);
	*(struct str *)out = arena_str(a, word);
	return true;
}

const struct conf_type type_path = {
	.name = "path",
	.syntax = "a path that starts with /",
	.size = sizeof(struct str),
	.blank = true,
	.parse = path_parse,
	.write = str_write,
};

static bool
choice_find(const struct conf_key *k, struct str word, unsigned *at, struct conf_why *w)
{
	struct buf all;

	for (*at = 0; k->choices[*at] != NULL; ++*at)
		if (str_eq(word, str_of(k->choices[*at])))
			return true;
	buf_init(&all, sizeof(w->text));
	for (size_t i = 0; k->choices[i] != NULL; i++)
		buf_addf(&all, "%s\"%s\"", i == 0 ? "" : ", ", k->choices[i]);
	conf_refuse(w, "\"%.*s\" is not a choice, write one of %s", STR_ARG(conf_head(word)), buf_cstr(&all));
	buf_fini(&all);
	return false;
}

static bool
choice_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	(void)a;
	return choice_find(k, word, out, w);
}

static void
choice_write(const struct conf_key *k, const void *value, struct buf *out)
{
	buf_add_cstr(out, k->choices[*(const unsigned *)value]);
}

const struct conf_type type_choice = {
	.name = "choice",
	.syntax = "one of the words listed",
	.size = sizeof(unsigned),
	.bare = true,
	.parse = choice_parse,
	.write = choice_write,
};

static bool
letter_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	unsigned at;

	(void)a;
	if (!choice_find(k, word, &at, w))
		return false;
	*(char *)out = k->choices[at][0];
	return true;
}

static void
letter_write(const struct conf_key *k, const void *value, struct buf *out)
{
	char c = *(const char *)value;

	(void)k;
	if (c != '\0')
		buf_add_char(out, c);
}

const struct conf_type type_letter = {
	.name = "letter",
	.syntax = "one of the letters listed, in quotes",
	.size = sizeof(char),
	.blank = true,
	.parse = letter_parse,
	.write = letter_write,
};

static bool
bool_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false", "true" };

	(void)a;
	(void)k;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq_nocase(word, str_of(words[i]))) {
			*(bool *)out = i % 2 == 1;
			return true;
		}
	return conf_refuse(w, "\"%.*s\" is neither yes nor no, write one of them", STR_ARG(conf_head(word)));
}

static void
bool_write(const struct conf_key *k, const void *value, struct buf *out)
{
	(void)k;
	buf_add_cstr(out, *(const bool *)value ? "yes" : "no");
}

const struct conf_type type_bool = {
	.name = "yes or no",
	.syntax = "yes or no",
	.size = sizeof(bool),
	.bare = true,
	.parse = bool_parse,
	.write = bool_write,
};

/* Units from the largest down; the last one is what a value is kept in. */
struct unit {
	char letter; /* 0: no letter */
	uint64_t worth;
};
static const struct unit size_units[] = { { 'T', 1ULL << 40 }, { 'G', 1 << 30 }, { 'M', 1 << 20 }, { 'K', 1 << 10 },
	{ 0, 1 } };
static const struct unit time_units[] = { { 'd', 86400000 }, { 'h', 3600000 }, { 'm', 60000 }, { 's', 1000 } };
static const struct unit plain_units[] = { { 0, 1 } };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
unit_find(struct str *word, const struct unit *units, size_t n, uint64_t *worth)
{
	char last = word->p[word->n - 1];

	for (size_t i = 0; i < n; i++) {
		bool lettered = units[i].letter != 0;

		if (lettered ? ascii_lower(last) != ascii_lower(units[i].letter) : !ascii_is_digit(last))
			continue;
		*worth = units[i].worth;
		word->n -= lettered;
		return true;
	}
	return false;
}

static void
amount_write(uint64_t value, const struct unit *units, size_t n, struct buf *out)
{
	size_t i = 0;

	while (i + 1 < n && (value == 0 || value % units[i].worth != 0))
		i++;
	buf_add_u64(out, value / units[i].worth);
	if (units[i].letter != 0)
		buf_add_char(out, units[i].letter);
}

static bool
range_refuse(const struct conf_key *k, const struct unit *units, size_t n, struct conf_why *w)
{
	struct buf low, high;

	buf_init(&low, 32);
	buf_init(&high, 32);
	amount_write(k->low, units, n, &low);
	amount_write(k->high, units, n, &high);
	conf_refuse(w, "out of range, write a value from %s to %s", buf_cstr(&low), buf_cstr(&high));
	buf_fini(&low);
	buf_fini(&high);
	return false;
}

static bool
amount_parse(const struct conf_key *k, struct str word, const struct unit *units, size_t n, uint64_t *value,
    struct conf_why *w)
{
	struct str digits = word;
	uint64_t worth;

	if (!unit_find(&digits, units, n, &worth) || !str_u64(digits, UINT64_MAX, value))
		return conf_refuse(w, "\"%.*s\" is not %s", STR_ARG(conf_head(word)), k->type->syntax);
	if (__builtin_mul_overflow(*value, worth, value) || *value < k->low || *value > k->high)
		return range_refuse(k, units, n, w);
	return true;
}

static bool
number_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	uint64_t value;

	(void)a;
	if (!amount_parse(k, word, plain_units, COUNT(plain_units), &value, w))
		return false;
	*(unsigned *)out = (unsigned)value;
	return true;
}

static void
number_write(const struct conf_key *k, const void *value, struct buf *out)
{
	(void)k;
	buf_add_u64(out, *(const unsigned *)value);
}

const struct conf_type type_number = {
	.name = "number",
	.syntax = "a whole number, like 20",
	.size = sizeof(unsigned),
	.bare = true,
	.parse = number_parse,
	.write = number_write,
};

static bool
size_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	(void)a;
	return amount_parse(k, word, size_units, COUNT(size_units), out, w);
}

bool
conf_parse_size(struct str word, uint64_t *bytes)
{
	static const struct conf_key any = { .type = &type_size, .high = UINT64_MAX };
	struct conf_why why;

	return word.n > 0 && amount_parse(&any, word, size_units, COUNT(size_units), bytes, &why);
}

static void
size_write(const struct conf_key *k, const void *value, struct buf *out)
{
	(void)k;
	amount_write(*(const uint64_t *)value, size_units, COUNT(size_units), out);
}

const struct conf_type type_size = {
	.name = "size",
	.syntax = "a number of bytes, or of K, M, G or T, like 50M",
	.size = sizeof(uint64_t),
	.bare = true,
	.parse = size_parse,
	.write = size_write,
};

static bool
time_parse(struct arena *a, const struct conf_key *k, struct str word, void *out, struct conf_why *w)
{
	uint64_t value;

	(void)a;
	if (!amount_parse(k, word, time_units, COUNT(time_units), &value, w))
		return false;
	*(int64_t *)out = (int64_t)value;
	return true;
}

static void
time_write(const struct conf_key *k, const void *value, struct buf *out)
{
	(void)k;
	amount_write((uint64_t)*(const int64_t *)value, time_units, COUNT(time_units), out);
}

const struct conf_type type_time = {
	.name = "time",
	.syntax = "a number with its unit s, m, h or d, like 30s",
	.size = sizeof(int64_t),
	.bare = true,
	.parse = time_parse,
	.write = time_write,
};
