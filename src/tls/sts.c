/* sts.c - MTA-STS: the TXT record, the policy file, the hosts it allows (RFC 8461 3, 4.1). Names and values of fields
 * keep their case (%s in the grammar). */
#include <postern/tls/sts.h>

#include <postern/core/cur.h>
#include <postern/core/utf8.h>

#define VERSION "STSv1"
#define PREFIX "v=" VERSION

enum { FIELD_NAME_MAX = 32, LABEL_MAX = 63, DOMAIN_MAX = 253, DIGITS_MAX = 10 };

static const char *const modes[] = { [STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce" };

const char *
tls_sts_mode_name(enum sts_mode m)
{
	return modes[m];
}

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_name_byte(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-' || c == '.';
}

/* sts-ext-value, RFC 8461 3.1 */
static bool
is_value_byte(char c)
{
	return c > ' ' && c < 0x7f && c != ';' && c != '=';
}

/* sts-ext-name and sts-policy-ext-name are the same; every other name has that form, too. */
static struct str
field_name(struct cur *c)
{
	struct str name = cur_want_while(c, is_name_byte, FIELD_NAME_MAX, "the name of a field");

	if (name.n > 0 && !ascii_is_alnum(name.p[0]))
		cur_fail(c, "the name of a field begins with a letter or digit");
	return name;
}

static bool
is_id(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]))
			return false;
	return s.n > 0 && s.n <= STS_ID_MAX;
}

/* sts-field; the first id counts. */
static void
record_field(struct cur *c, struct str *id)
{
	struct str name = field_name(c);
	struct str value;

	cur_want(c, "=");
	value = cur_want_while(c, is_value_byte, SIZE_MAX, "the value of a field");
	if (!cur_ok(c) || id->n > 0 || !str_eq(name, STR("id")))
		return;
	if (is_id(value))
		*id = value;
	else
		cur_fail(c, "an id of 1 to 32 letters and digits");
}

/* sts-field-delim; takes nothing if there is none. */
static bool
record_delimiter(struct cur *c)
{
	struct cur before = *c;

	cur_while(c, is_wsp);
	if (!cur_take_char(c, ';')) {
		*c = before;
		return false;
	}
	cur_while(c, is_wsp);
	return true;
}

bool
tls_sts_parse_record(struct str text, struct str *id, struct err *e)
{
	struct cur c;

	*id = STR("");
	if (!str_starts(text, STR(PREFIX)))
		return err_perm(e, "", "MTA-STS record: does not begin with " PREFIX);
	c = cur_init(str_sub(text, sizeof PREFIX - 1, text.n));
	while (cur_ok(&c) && record_delimiter(&c) && cur_left(&c) > 0)
		record_field(&c, id);
	cur_end(&c);
	if (!cur_ok(&c))
		return err_perm(e, "", "MTA-STS record: expected %s", c.why);
	return id->n > 0 || err_perm(e, "", "MTA-STS record: no id");
}

bool
tls_sts_choose_record(const struct str *texts, size_t n, struct str *id, struct err *e)
{
	const struct str *found = NULL;

	*id = STR("");
	for (size_t i = 0; i < n; i++) {
		if (!str_starts(texts[i], STR(PREFIX ";")))
			continue;
		if (found != NULL)
			return err_perm(e, "", "MTA-STS record: more than one");
		found = &texts[i];
	}
	if (found == NULL)
		return err_perm(e, "", "MTA-STS record: none");
	return tls_sts_parse_record(*found, id, e);
}

/* sub-domain, RFC 5321 4.1.2 */
static bool
is_label(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return s.n > 0 && s.n <= LABEL_MAX && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

static bool
is_pattern(struct str s)
{
	struct str label;

	if (str_starts(s, STR("*.")))
		s = str_sub(s, 2, s.n);
	if (s.n == 0 || s.n > DOMAIN_MAX || str_ends(s, STR(".")))
		return false;
	while (str_cut(&s, '.', &label))
		if (!is_label(label))
			return false;
	return true;
}

/* sts-policy-ext-value; spaces at its ends are gone already. */
static bool
is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0 && utf8_valid(s);
}

/* A policy on its way: the fields that were there already. */
struct reading {
	struct sts_policy *p;
	bool version, mode, max_age;
};

static const char *
take_version(struct reading *r, struct str value)
{
	if (r->version)
		return NULL;
	r->version = true;
	return str_eq(value, STR(VERSION)) ? NULL : "version " VERSION;
}

static const char *
take_mode(struct reading *r, struct str value)
{
	if (r->mode)
		return NULL;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		if (!str_eq(value, str_of(modes[i])))
			continue;
		r->mode = true;
		r->p->mode = (enum sts_mode)i;
		return NULL;
	}
	return "mode enforce, testing or none";
}

static const char *
take_max_age(struct reading *r, struct str value)
{
	uint64_t seconds;

	if (r->max_age)
		return NULL;
	if (value.n > DIGITS_MAX || !str_u64(value, STS_AGE_MAX_S, &seconds))
		return "max_age up to 31557600";
	r->max_age = true;
	r->p->max_age_s = (uint32_t)seconds;
	return NULL;
}

static const char *
take_mx(struct reading *r, struct str value)
{
	if (!is_pattern(value))
		return "an mx pattern: a name, or *. and a name";
	if (r->p->n_mx == STS_MX_MAX)
		return "fewer mx patterns";
	r->p->mx[r->p->n_mx++] = value;
	return NULL;
}

/* NULL, or what was expected. Of a field that is there twice the first counts (RFC 8461 3.2). */
static const struct {
	const char *name;
	const char *(*take)(struct reading *r, struct str value);
} fields[] = {
	{ "version", take_version },
	{ "mode", take_mode },
	{ "max_age", take_max_age },
	{ "mx", take_mx },
};

static const char *
take_field(struct reading *r, struct str line)
{
	struct cur c = cur_init(line);
	struct str name = field_name(&c);
	struct str value;

	cur_want(&c, ":");
	cur_while(&c, is_wsp);
	if (!cur_ok(&c))
		return c.why;
	value = str_trim(cur_rest(&c)); /* only spaces and tabs: a lone CR was refused with the line */
	if (!is_text(value))
		return "the value of a field, in UTF-8 without control characters";
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (str_eq(name, str_of(fields[i].name)))
			return fields[i].take(r, value);
	return NULL;
}

static const char *
missing(const struct reading *r)
{
	if (!r->version)
		return "a version";
	if (!r->mode)
		return "a mode";
	if (!r->max_age)
		return "a max_age";
	return r->p->n_mx == 0 && r->p->mode != STS_NONE ? "an mx pattern" : NULL;
}

bool
tls_sts_parse_policy(struct str body, struct sts_policy *p, struct err *e)
{
	struct reading r = { .p = p };
	const char *why = NULL;
	struct str line;
	size_t number = 0;

	p->mode = STS_NONE;
	p->max_age_s = 0;
	p->n_mx = 0;
	if (body.n > STS_POLICY_MAX)
		return err_perm(e, "", "MTA-STS policy: more than %d bytes", STS_POLICY_MAX);
	while (why == NULL && str_cut(&body, '\n', &line)) {
		number++;
		if (str_ends(line, STR("\r")))
			line = str_sub(line, 0, line.n - 1);
		why = str_has(line, '\r') ? "a line without a lone CR" : take_field(&r, line);
	}
	if (why != NULL)
		return err_perm(e, "", "MTA-STS policy, line %zu: expected %s", number, why);
	why = missing(&r);
	return why == NULL || err_perm(e, "", "MTA-STS policy: expected %s", why);
}

void
tls_sts_write_policy(const struct sts_policy *p, struct buf *out)
{
	buf_addf(out, "version: STSv1\nmode: %s\nmax_age: %u\n", tls_sts_mode_name(p->mode), p->max_age_s);
	for (size_t i = 0; i < p->n_mx; i++)
		buf_addf(out, "mx: %.*s\n", STR_ARG(p->mx[i]));
}

bool
tls_sts_is_text(struct str content_type)
{
	struct str type = content_type;

	str_cut(&content_type, ';', &type);
	return str_eq_nocase(str_trim(type), STR("text/plain"));
}

bool
tls_sts_match(struct str pattern, struct str host)
{
	size_t dot;

	if (str_ends(host, STR(".")))
		host = str_sub(host, 0, host.n - 1);
	if (!str_starts(pattern, STR("*.")))
		return host.n > 0 && str_eq_nocase(pattern, host);
	dot = str_find(host, '.');
	return dot > 0 && str_eq_nocase(str_sub(pattern, 1, pattern.n), str_sub(host, dot, host.n));
}

bool
tls_sts_allows(const struct sts_policy *p, struct str host)
{
	for (size_t i = 0; i < p->n_mx; i++)
		if (tls_sts_match(p->mx[i], host))
			return true;
	return false;
}

bool
tls_sts_in_force(const struct sts_policy *p, struct wall fetched, struct wall now)
{
	int64_t age = wall_seconds(now) - wall_seconds(fetched);

	return (age > 0 ? age : 0) < (int64_t)p->max_age_s;
}

/* Half of a short life, so that a fetch that fails can be tried again before the end. */
struct wall
tls_sts_refresh_at(const struct sts_policy *p, struct wall fetched)
{
	int64_t half = p->max_age_s / 2;

	return wall_from_seconds(wall_seconds(fetched) + (half < STS_REFRESH_S ? half : STS_REFRESH_S));
}
