/* check_text.c - SPF, DMARC and TLS reporting by their grammar, as far as an operator can have it wrong. */
#include "check_text.h"

#include <string.h>

size_t
check_text_choose(const struct str *texts, size_t n, struct str version, bool semicolon, struct str *record)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		struct str rest = str_sub(texts[i], version.n, texts[i].n);

		if (!str_starts(texts[i], version) ||
		    (rest.n > 0 && rest.p[0] != ' ' && !(semicolon && rest.p[0] == ';')))
			continue;
		if (found++ == 0)
			*record = texts[i];
	}
	return found;
}

/* --- SPF: RFC 7208 5, 6 --- */

enum { SPF_LOOKUPS_MAX = 10 };

struct spf {
	const struct spf_place *place;
	struct spf_verdict *v;
	unsigned lookups; /* RFC 7208 4.6.4 */
	uint64_t allowed; /* bit i: address i is */
};

static uint64_t
everybody(const struct spf_place *p)
{
	return p->naddrs >= 64 ? UINT64_MAX : ((uint64_t)1 << p->naddrs) - 1;
}

/* "a:name/24//64" without its name is the domain's own; lengths of networks do not change whom we look for. */
static struct str
target_of(const struct spf *s, struct str value)
{
	struct str name = str_sub(value, 0, str_find(value, '/'));

	return name.n > 0 ? name : s->place->domain;
}

static bool
take_all(struct spf *s, struct str value, char qualifier)
{
	s->v->all = qualifier == '-'   ? SPF_FAIL
		    : qualifier == '~' ? SPF_SOFTFAIL
		    : qualifier == '?' ? SPF_NEUTRAL
				       : SPF_PASS;
	if (qualifier == '+')
		s->allowed = everybody(s->place);
	return value.n == 0;
}

static bool
take_a(struct spf *s, struct str value, char qualifier)
{
	s->lookups++;
	if (qualifier == '+' && str_eq_nocase(target_of(s, value), s->place->host))
		s->allowed = everybody(s->place);
	return true;
}

static bool
take_mx(struct spf *s, struct str value, char qualifier)
{
	s->lookups++;
	if (qualifier == '+' && s->place->is_mx && str_eq_nocase(target_of(s, value), s->place->domain))
		s->allowed = everybody(s->place);
	return true;
}

/* "192.0.2.7/24": bits behind the length may be set. */
static bool
parse_net(struct str value, struct addr_net *net)
{
	size_t slash = str_find(value, '/');
	uint64_t bits;
	struct addr a;

	if (!addr_parse_ip(str_sub(value, 0, slash), &a))
		return false;
	bits = addr_is_v4(&a) ? 32 : 128;
	if (slash < value.n && !str_u64(str_sub(value, slash + 1, value.n), bits, &bits))
		return false;
	memcpy(net->ip, a.ip, sizeof net->ip);
	net->bits = (uint8_t)(addr_is_v4(&a) ? bits + 96 : bits);
	return true;
}

static bool
take_net(struct spf *s, struct str value, char qualifier)
{
	struct addr_net net;

	if (!parse_net(value, &net))
		return false;
	for (size_t i = 0; i < s->place->naddrs && i < 64; i++)
		if (qualifier == '+' && addr_in(&s->place->addrs[i], &net))
			s->allowed |= (uint64_t)1 << i;
	return true;
}

static bool
take_other(struct spf *s, struct str value, char qualifier)
{
	s->lookups++;
	s->v->elsewhere |= qualifier == '+' && value.n > 0;
	return value.n > 0;
}

static bool
take_ptr(struct spf *s, struct str value, char qualifier)
{
	(void)value;
	(void)qualifier;
	s->lookups++;
	return true;
}

static const struct {
	struct str name;
	bool (*take)(struct spf *s, struct str value, char qualifier);
} mechanisms[] = {
	{ STR_INIT("all"), take_all },
	{ STR_INIT("a"), take_a },
	{ STR_INIT("mx"), take_mx },
	{ STR_INIT("ip4"), take_net },
	{ STR_INIT("ip6"), take_net },
	{ STR_INIT("include"), take_other },
	{ STR_INIT("exists"), take_other },
	{ STR_INIT("ptr"), take_ptr },
};

/* Modifiers have a "=" before any ":" or "/"; those that nobody knows are passed over (RFC 7208 6). */
static bool
take_modifier(struct spf *s, struct str term)
{
	size_t equals = str_find(term, '=');

	if (equals == term.n || str_find(term, ':') < equals || str_find(term, '/') < equals)
		return false;
	if (!str_eq_nocase(str_sub(term, 0, equals), STR("redirect")))
		return true;
	s->lookups++;
	s->v->elsewhere = true;
	return true;
}

static bool
take_mechanism(struct spf *s, struct str term)
{
	char qualifier = '+';
	size_t end;

	if (term.n > 0 && str_has(STR("+-~?"), term.p[0])) {
		qualifier = term.p[0];
		term = str_sub(term, 1, term.n);
	}
	end = str_find(term, ':') < str_find(term, '/') ? str_find(term, ':') : str_find(term, '/');
	for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
		bool named = end < term.n && term.p[end] == ':';

		if (str_eq_nocase(str_sub(term, 0, end), mechanisms[i].name))
			return mechanisms[i].take(s, str_sub(term, end + named, term.n), qualifier);
	}
	return false;
}

/* Terms behind "all" are never looked at. */
void
check_spf(struct str record, const struct spf_place *place, struct spf_verdict *v)
{
	struct spf s = { .place = place, .v = v };
	struct str term;

	*v = (struct spf_verdict){ .broken = NULL };
	record = str_sub(record, sizeof "v=spf1" - 1, record.n);
	while (v->broken == NULL && v->all == SPF_NOTHING && str_cut(&record, ' ', &term))
		if (term.n > 0 && !take_modifier(&s, term) && !take_mechanism(&s, term))
			v->broken = "a term that is none";
	if (s.lookups > SPF_LOOKUPS_MAX)
		v->broken = "more than ten terms that need DNS";
	v->allows = place->naddrs > 0 && s.allowed == everybody(place);
}

/* --- DMARC: RFC 9989 4.7, 4.8 --- */

static enum dmarc_policy
policy_of(struct str value)
{
	for (int p = DMARC_NONE; p <= DMARC_REJECT; p++)
		if (str_eq_nocase(value, str_of(dmarc_policy_name((enum dmarc_policy)p))))
			return (enum dmarc_policy)p;
	return DMARC_UNKNOWN;
}

const char *
dmarc_policy_name(enum dmarc_policy p)
{
	static const char *const names[] = { "", "none", "quarantine", "reject", "unknown" };

	return names[p];
}

static void
take_tag(struct str name, struct str value, struct dmarc_verdict *v)
{
	if (str_eq_nocase(name, STR("p")))
		v->p = policy_of(value);
	else if (str_eq_nocase(name, STR("sp")))
		v->sp = policy_of(value);
	else if (str_eq_nocase(name, STR("np")))
		v->np = policy_of(value);
	else if (str_eq_nocase(name, STR("t")))
		v->testing = str_eq_nocase(value, STR("y"));
	else if (str_eq_nocase(name, STR("psd"))) {
		v->psd_y = str_eq_nocase(value, STR("y"));
		v->psd_n = str_eq_nocase(value, STR("n"));
	} else if (str_eq_nocase(name, STR("rua")))
		v->rua = str_search(value, STR(":")) < value.n;
	else
		v->obsolete |=
		    str_eq_nocase(name, STR("pct")) || str_eq_nocase(name, STR("rf")) || str_eq_nocase(name, STR("ri"));
}

void
check_dmarc(struct str record, struct dmarc_verdict *v)
{
	struct str tag;

	*v = (struct dmarc_verdict){ .testing = false };
	while (str_cut(&record, ';', &tag)) {
		size_t equals = str_find(tag, '=');

		if (equals < tag.n)
			take_tag(str_trim(str_sub(tag, 0, equals)), str_trim(str_sub(tag, equals + 1, tag.n)), v);
	}
}

enum { WALK_LABELS = 7 };

static size_t
count_labels(struct str name)
{
	size_t n = name.n > 0;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '.';
	return n;
}

struct str
dmarc_parent(struct str domain, bool first)
{
	do {
		size_t dot = str_find(domain, '.');

		domain = str_sub(domain, dot + 1, domain.n);
	} while (first && count_labels(domain) > WALK_LABELS);
	return domain;
}

/* --- TLS reporting --- */

static bool
is_address(struct str uri)
{
	return (str_starts(uri, STR("mailto:")) && str_find(uri, '@') < uri.n) || str_starts(uri, STR("https://"));
}

const char *
check_tlsrpt(struct str record)
{
	bool any = false;
	struct str field, uri;

	while (str_cut(&record, ';', &field)) {
		field = str_trim(field);
		if (!str_starts(field, STR("rua=")))
			continue;
		field = str_sub(field, 4, field.n);
		while (str_cut(&field, ',', &uri)) {
			any = true;
			if (!is_address(str_trim(uri)))
				return "rua has an address that is neither mailto: nor https:";
		}
	}
	return any ? NULL : "there is no rua, so nobody sends reports";
}
