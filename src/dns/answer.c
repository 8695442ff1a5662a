/* answer.c - answers in words and as messages between processes. */
#include <postern/dns/answer.h>

#include <arpa/inet.h>

#include <postern/core/be.h>

static const struct type_row {
	enum dns_type type;
	const char *name;
} types[] = {
	{ DNS_MX, "MX" },
	{ DNS_A, "A" },
	{ DNS_AAAA, "AAAA" },
	{ DNS_TLSA, "TLSA" },
	{ DNS_TXT, "TXT" },
	{ DNS_PTR, "PTR" },
	{ DNS_CNAME, "CNAME" },
	{ DNS_SRV, "SRV" },
};

bool
dns_type_parse(struct str text, enum dns_type *type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (str_eq_nocase(text, str_of(types[i].name))) {
			*type = types[i].type;
			return true;
		}
	return false;
}

const char *
dns_type_name(unsigned type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].type == type)
			return types[i].name;
	return "?";
}

bool
dns_type_valid(unsigned type)
{
	return dns_type_name(type)[0] != '?';
}

const char *
dns_status_name(unsigned status)
{
	static const char *const names[DNS_STATUSES] = { [DNS_FAILED] = "failed",
		[DNS_BOGUS] = "bogus",
		[DNS_SECURE] = "secure",
		[DNS_INSECURE] = "insecure",
		[DNS_NXDOMAIN] = "nxdomain",
		[DNS_NODATA] = "nodata" };

	return status < DNS_STATUSES ? names[status] : "?";
}

static bool
label_valid(struct str label)
{
	if (label.n == 0 || label.n > 63)
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
			return false;
	return true;
}

bool
dns_name_valid(struct str name)
{
	struct str label;

	if (str_eq(name, STR(".")))
		return true;
	if (str_ends(name, STR(".")))
		name.n--;
	if (name.n == 0 || name.n > DNS_NAME_MAX || name.p[name.n - 1] == '.')
		return false;
	while (str_cut(&name, '.', &label))
		if (!label_valid(label))
			return false;
	return true;
}

static void
write_ip(const uint8_t ip[static 16], struct buf *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN] = "";

	if (memcmp(ip, mapped, sizeof mapped) == 0)
		inet_ntop(AF_INET, ip + 12, text, sizeof text);
	else
		inet_ntop(AF_INET6, ip, text, sizeof text);
	buf_add_cstr(out, text);
}

static void
write_text(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		if (ascii_is_print(text.p[i]) && text.p[i] != '\\')
			buf_add_char(out, text.p[i]);
		else
			buf_addf(out, "\\%03u", (unsigned char)text.p[i]);
	}
}

static void
write_tlsa(const struct dns_tlsa *t, struct buf *out)
{
	buf_addf(out, "%u %u %u ", t->usage, t->selector, t->matching);
	for (size_t i = 0; i < t->data.n; i++)
		buf_addf(out, "%02x", (unsigned char)t->data.p[i]);
}

void
dns_record_write(enum dns_type type, const struct dns_record *r, struct buf *out)
{
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		write_ip(r->ip, out);
		break;
	case DNS_MX:
		buf_addf(out, "%u ", r->preference);
		buf_add(out, r->name);
		break;
	case DNS_SRV:
		buf_addf(out, "%u %u %u ", r->preference, r->weight, r->port);
		buf_add(out, r->name);
		break;
	case DNS_CNAME:
	case DNS_PTR:
		buf_add(out, r->name);
		break;
	case DNS_TXT:
		write_text(r->text, out);
		break;
	case DNS_TLSA:
		write_tlsa(&r->tlsa, out);
		break;
	}
}

static struct str
join(struct arena *a, struct str head, struct str tail)
{
	char *p = arena_alloc(a, head.n + tail.n);

	memcpy(p, head.p, head.n);
	if (tail.n > 0)
		memcpy(p + head.n, tail.p, tail.n);
	return str_from(p, head.n + tail.n);
}

/* A record as one string of bytes. */
static struct str
pack_record(enum dns_type type, const struct dns_record *r, struct arena *a)
{
	const struct dns_tlsa *t = &r->tlsa;
	uint8_t head[6];

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return str_from(r->ip, sizeof r->ip);
	case DNS_MX:
		be_store(head, 2, r->preference);
		return join(a, str_from(head, 2), r->name);
	case DNS_SRV:
		be_store(head, 2, r->preference);
		be_store(head + 2, 2, r->weight);
		be_store(head + 4, 2, r->port);
		return join(a, str_from(head, 6), r->name);
	case DNS_TXT:
		return r->text;
	case DNS_TLSA:
		memcpy(head, (const uint8_t[]){ t->usage, t->selector, t->matching }, 3);
		return join(a, str_from(head, 3), t->data);
	case DNS_CNAME:
	case DNS_PTR:
		break;
	}
	return r->name;
}

static bool
unpack_record(enum dns_type type, struct str s, struct dns_record *r)
{
	struct cur c = cur_init(s);

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		if (s.n == sizeof r->ip)
			memcpy(r->ip, s.p, s.n);
		return s.n == sizeof r->ip;
	case DNS_TXT:
		r->text = s;
		return true;
	case DNS_TLSA:
		r->tlsa.usage = (uint8_t)cur_be(&c, 1);
		r->tlsa.selector = (uint8_t)cur_be(&c, 1);
		r->tlsa.matching = (uint8_t)cur_be(&c, 1);
		r->tlsa.data = cur_rest(&c);
		return cur_ok(&c);
	case DNS_MX:
		r->preference = (uint16_t)cur_be(&c, 2);
		break;
	case DNS_SRV:
		r->preference = (uint16_t)cur_be(&c, 2);
		r->weight = (uint16_t)cur_be(&c, 2);
		r->port = (uint16_t)cur_be(&c, 2);
		break;
	case DNS_CNAME:
	case DNS_PTR:
		break;
	}
	r->name = cur_rest(&c);
	return cur_ok(&c) && r->name.n > 0;
}

void
dns_answer_pack(const struct dns_answer *answer, enum dns_type type, struct arena *a, struct lookup_answer *out)
{
	struct str *records = arena_array(a, answer->nrecords, sizeof *records);

	for (uint32_t i = 0; i < answer->nrecords; i++)
		records[i] = pack_record(type, &answer->records[i], a);
	*out = (struct lookup_answer){ .status = (uint8_t)answer->status,
		.secure = answer->secure,
		.ttl = answer->ttl,
		.canonical = answer->canonical,
		.aliases = { answer->alias, answer->naliases },
		.aliases_secure = answer->naliases_secure,
		.why = answer->why,
		.records = { records, answer->nrecords } };
}

static bool
has_records(enum dns_status status)
{
	return status == DNS_SECURE || status == DNS_INSECURE;
}

/* Records where the status says that there are some and nowhere else, secure where it can be. */
static bool
plausible(const struct lookup_answer *said)
{
	enum dns_status status = (enum dns_status)said->status;

	return said->status < DNS_STATUSES && said->records.n <= DNS_RECORDS_MAX &&
	       said->aliases_secure <= said->aliases.n && has_records(status) == (said->records.n > 0) &&
	       (status != DNS_SECURE || said->secure) &&
	       (!said->secure || status == DNS_SECURE || status == DNS_NXDOMAIN || status == DNS_NODATA);
}

void
dns_answer_unpack(const struct lookup_answer *said, enum dns_type type, struct arena *a, struct dns_answer *out)
{
	struct dns_record *records;

	*out = (struct dns_answer){ .status = DNS_FAILED, .why = STR("the dns process is gone") };
	if (said == NULL)
		return;
	out->why = STR("the dns process answers what it may not");
	if (!plausible(said))
		return;
	records = arena_array(a, said->records.n, sizeof *records);
	for (uint32_t i = 0; i < said->records.n; i++)
		if (!unpack_record(type, said->records.v[i], &records[i]))
			return;
	*out = (struct dns_answer){ .status = (enum dns_status)said->status,
		.secure = said->secure != 0,
		.ttl = said->ttl,
		.canonical = said->canonical,
		.alias = said->aliases.v,
		.naliases = said->aliases.n,
		.naliases_secure = said->aliases_secure,
		.why = said->why,
		.records = records,
		.nrecords = said->records.n };
}
