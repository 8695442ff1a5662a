/* packet.c - the one reader of DNS wire format. Its bytes come from strangers, past libunbound's own checks.
 *
 * The answer section is listed first, then read by name: aliases from the asked name on, the records at their end.
 * A name is read with compression (RFC 1035 4.1.4), whose pointers must lead backwards, so reading always ends. */
#include "packet.h"

#include <stdio.h>

#include <postern/core/be.h>

enum { HEADER_SIZE = 12, WIRE_NAME_MAX = 255, LABEL_MAX = 63, POINTER = 0xc0, CLASS_IN = 1, TYPE_SOA = 6 };
enum { FLAG_RESPONSE = 0x8000, FLAG_TRUNCATED = 0x0200, RCODE = 0x000f, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

/* One record of a section, its data not looked at yet. */
struct rr {
	struct str owner;
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	size_t data; /* offset in the packet */
	size_t n;
};

struct reader {
	struct str packet;
	size_t at;
	struct arena *arena;
	const char *why; /* NULL while all is well */
	struct rr *rrs; /* the answer section */
	size_t nrrs;
};

static bool
broken(struct reader *r, const char *why)
{
	if (r->why == NULL)
		r->why = why;
	return false;
}

static uint32_t
read_number(struct reader *r, size_t bytes)
{
	uint64_t v;

	if (r->why != NULL || r->packet.n - r->at < bytes) {
		broken(r, "the packet ends too early");
		return 0;
	}
	v = be_load(r->packet.p + r->at, bytes);
	r->at += bytes;
	return (uint32_t)v;
}

static bool
is_plain(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

static size_t
write_label(char *out, struct str label)
{
	size_t n = 0;

	for (size_t i = 0; i < label.n; i++) {
		if (is_plain(label.p[i]))
			out[n++] = ascii_lower(label.p[i]);
		else
			n += (size_t)sprintf(out + n, "\\%03u", (unsigned char)label.p[i]);
	}
	out[n++] = '.';
	return n;
}

/* Where a name goes on after the byte at *at; segment is where the part being read began. */
static bool
follow_pointer(struct reader *r, size_t *at, size_t *segment)
{
	size_t target;

	if (r->packet.n - *at < 2)
		return broken(r, "the packet ends too early");
	target = be_load(r->packet.p + *at, 2) & 0x3fff;
	if (target >= *segment)
		return broken(r, "a compressed name that does not point back");
	*at = *segment = target;
	return true;
}

/* The next name; r->at moves behind its first part. */
static struct str
read_name(struct reader *r)
{
	char text[DNS_NAME_TEXT_MAX + LABEL_MAX];
	size_t n = 0, wire = 1, end = 0;
	size_t at = r->at;
	size_t segment = at;

	while (r->why == NULL) {
		unsigned c = at < r->packet.n ? (unsigned char)r->packet.p[at] : 0;

		if (at >= r->packet.n) {
			broken(r, "the packet ends too early");
		} else if (c >= POINTER) {
			end = end != 0 ? end : at + 2;
			follow_pointer(r, &at, &segment);
		} else if (c == 0) {
			r->at = end != 0 ? end : at + 1;
			return n == 0 ? STR(".") : arena_str(r->arena, str_from(text, n - 1));
		} else if (c > LABEL_MAX || r->packet.n - at - 1 < c || wire + c + 1 > WIRE_NAME_MAX) {
			broken(r, "a name that is none");
		} else {
			n += write_label(text + n, str_from(r->packet.p + at + 1, c));
			wire += c + 1;
			at += c + 1;
		}
	}
	return (struct str){ 0 };
}

/* RFC 2181 8: a TTL with the highest bit is none. */
static uint32_t
read_ttl(struct reader *r)
{
	uint32_t ttl = read_number(r, 4);

	if (ttl > INT32_MAX)
		return 0;
	return ttl < DNS_TTL_MAX ? ttl : DNS_TTL_MAX;
}

static bool
read_rr(struct reader *r, struct rr *rr)
{
	rr->owner = read_name(r);
	rr->type = (uint16_t)read_number(r, 2);
	rr->class = (uint16_t)read_number(r, 2);
	rr->ttl = read_ttl(r);
	rr->n = read_number(r, 2);
	rr->data = r->at;
	if (r->why != NULL || r->packet.n - r->at < rr->n)
		return broken(r, "the packet ends too early");
	r->at += rr->n;
	return true;
}

static bool
read_answers(struct reader *r, size_t n)
{
	if (n > DNS_RRS_MAX)
		return broken(r, "more records than an answer may have");
	r->rrs = arena_array(r->arena, n, sizeof *r->rrs);
	for (r->nrrs = 0; r->nrrs < n; r->nrrs++)
		if (!read_rr(r, &r->rrs[r->nrrs]))
			return false;
	return true;
}

static bool
is_at(const struct rr *rr, unsigned type, struct str owner)
{
	return rr->type == type && rr->class == CLASS_IN && str_eq(rr->owner, owner);
}

/* A name that is all of what is left of the record's data. */
static bool
take_name(struct reader *r, const struct rr *rr, size_t skip, struct str *out)
{
	r->at = rr->data + skip;
	*out = read_name(r);
	if (r->why == NULL && (rr->n < skip || r->at != rr->data + rr->n))
		return broken(r, "a record with a name that does not fit it");
	return r->why == NULL;
}

static struct str
data_of(struct reader *r, const struct rr *rr, size_t skip)
{
	return arena_str(r->arena, str_from(r->packet.p + rr->data + skip, rr->n - skip));
}

static bool
take_mx(struct reader *r, const struct rr *rr, struct dns_record *out)
{
	if (rr->n < 3)
		return broken(r, "an MX record that is too short");
	out->preference = (uint16_t)be_load(r->packet.p + rr->data, 2);
	return take_name(r, rr, 2, &out->name);
}

/* RFC 2782. */
static bool
take_srv(struct reader *r, const struct rr *rr, struct dns_record *out)
{
	if (rr->n < 7)
		return broken(r, "an SRV record that is too short");
	out->preference = (uint16_t)be_load(r->packet.p + rr->data, 2);
	out->weight = (uint16_t)be_load(r->packet.p + rr->data + 2, 2);
	out->port = (uint16_t)be_load(r->packet.p + rr->data + 4, 2);
	return take_name(r, rr, 6, &out->name);
}

static bool
take_target(struct reader *r, const struct rr *rr, struct dns_record *out)
{
	return take_name(r, rr, 0, &out->name);
}

static bool
take_a(struct reader *r, const struct rr *rr, struct dns_record *out)
{
	if (rr->n != 4)
		return broken(r, "an A record that is not four bytes");
	memset(out->ip + 10, 0xff, 2);
	memcpy(out->ip + 12, r->packet.p + rr->data, 4);
	return true;
}

static bool
take_aaaa(struct reader *r, const struct rr *rr, struct dns_record *out)
{
	if (rr->n != sizeof out->ip)
		return broken(r, "an AAAA record that is not 16 bytes");
	memcpy(out->ip, r->packet.p + rr->data, sizeof out->ip);
	return true;
}

static bool
take_tlsa(struct reader *r, const struct rr *rr, struct dns_record *out)
{
	const uint8_t *p = (const uint8_t *)r->packet.p + rr->data;

	if (rr->n < 4)
		return broken(r, "a TLSA record that is too short");
	out->tlsa = (struct dns_tlsa){ p[0], p[1], p[2], data_of(r, rr, 3) };
	return true;
}

/* RFC 1035 3.3.14: strings behind their lengths; they are joined in place. */
static bool
take_txt(struct reader *r, const struct rr *rr, struct dns_record *out)
{
	const char *p = r->packet.p + rr->data;
	char *text = arena_alloc(r->arena, rr->n);
	size_t n = 0;

	for (size_t i = 0; i < rr->n;) {
		size_t length = (unsigned char)p[i++];

		if (length > rr->n - i)
			return broken(r, "a TXT record whose strings do not fit it");
		memcpy(text + n, p + i, length);
		n += length;
		i += length;
	}
	out->text = str_from(text, n);
	return true;
}

static const struct taker {
	enum dns_type type;
	bool (*take)(struct reader *r, const struct rr *rr, struct dns_record *out);
} takers[] = {
	{ DNS_A, take_a },
	{ DNS_CNAME, take_target },
	{ DNS_PTR, take_target },
	{ DNS_MX, take_mx },
	{ DNS_TXT, take_txt },
	{ DNS_AAAA, take_aaaa },
	{ DNS_SRV, take_srv },
	{ DNS_TLSA, take_tlsa },
};

static const struct taker *
taker_of(enum dns_type type)
{
	for (size_t i = 0; i < sizeof takers / sizeof *takers; i++)
		if (takers[i].type == type)
			return &takers[i];
	return NULL;
}

static void
lower_ttl(struct dns_answer *out, uint32_t ttl)
{
	if (ttl < out->ttl)
		out->ttl = ttl;
}

static const struct rr *
find_alias(const struct reader *r, struct str owner)
{
	for (size_t i = 0; i < r->nrrs; i++)
		if (is_at(&r->rrs[i], DNS_CNAME, owner))
			return &r->rrs[i];
	return NULL;
}

static bool
follow_aliases(struct reader *r, struct dns_answer *out)
{
	struct str *alias = arena_array(r->arena, DNS_ALIASES_MAX, sizeof *alias);
	const struct rr *rr;

	out->alias = alias;
	while ((rr = find_alias(r, out->canonical)) != NULL) {
		if (out->naliases == DNS_ALIASES_MAX)
			return broken(r, "too many aliases in a row");
		alias[out->naliases++] = out->canonical;
		lower_ttl(out, rr->ttl);
		if (!take_name(r, rr, 0, &out->canonical))
			return false;
	}
	return true;
}

static bool
take_records(struct reader *r, enum dns_type type, struct dns_answer *out)
{
	struct dns_record *records = arena_array(r->arena, DNS_RECORDS_MAX, sizeof *records);
	const struct taker *taker = taker_of(type);
	size_t bytes = 0;

	out->records = records;
	for (size_t i = 0; i < r->nrrs; i++) {
		const struct rr *rr = &r->rrs[i];
		struct dns_record *record = &records[out->nrecords];

		if (!is_at(rr, type, out->canonical))
			continue;
		if (out->nrecords == DNS_RECORDS_MAX)
			return broken(r, "too many records");
		if (!taker->take(r, rr, record))
			return false;
		bytes += rr->n + record->name.n;
		if (bytes > DNS_BYTES_MAX)
			return broken(r, "records that are too long");
		lower_ttl(out, rr->ttl);
		out->nrecords++;
	}
	return true;
}

/* How long a denial holds (RFC 2308 5): the SOA record tells, with its own TTL and its last field. */
static uint32_t
denial_ttl(struct reader *r, size_t n)
{
	for (size_t i = 0; i < n && i < DNS_RRS_MAX; i++) {
		struct rr rr;
		uint32_t last;

		if (!read_rr(r, &rr))
			return 0;
		if (rr.type != TYPE_SOA || rr.n < 4)
			continue;
		last = (uint32_t)be_load(r->packet.p + rr.data + rr.n - 4, 4);
		return last < rr.ttl ? last : rr.ttl;
	}
	return 0;
}

/* The name of our question as packets have it. */
static struct str
canonical_question(struct arena *a, struct str name)
{
	struct str lower = arena_lower(a, name);

	return name.n > 1 && str_ends(lower, STR(".")) ? str_sub(lower, 0, name.n - 1) : lower;
}

static bool
check_header(struct reader *r, unsigned flags, unsigned questions)
{
	if ((flags & FLAG_RESPONSE) == 0 || questions != 1)
		return broken(r, "not a reply to one question");
	if ((flags & FLAG_TRUNCATED) != 0)
		return broken(r, "a truncated reply");
	if ((flags & RCODE) != 0 && (flags & RCODE) != RCODE_NXDOMAIN)
		return broken(r, (flags & RCODE) == RCODE_REFUSED ? "the server refused" : "the server failed");
	return true;
}

static bool
check_question(struct reader *r, enum dns_type type, struct str name)
{
	struct str asked = read_name(r);
	unsigned asked_type = read_number(r, 2);

	if (read_number(r, 2) != CLASS_IN || asked_type != type || !str_eq(asked, name))
		return broken(r, "a reply to another question");
	return true;
}

static bool
read_packet(struct reader *r, enum dns_type type, struct dns_answer *out)
{
	unsigned flags, questions, answers, authorities;
	size_t authority_at;

	if (r->packet.n < HEADER_SIZE)
		return broken(r, "the packet ends too early");
	r->at = 2; /* the id was libunbound's */
	flags = read_number(r, 2);
	questions = read_number(r, 2);
	answers = read_number(r, 2);
	authorities = read_number(r, 2);
	r->at = HEADER_SIZE;
	if (!check_header(r, flags, questions) || !check_question(r, type, out->canonical) || !read_answers(r, answers))
		return false;
	authority_at = r->at;
	if ((type != DNS_CNAME && !follow_aliases(r, out)) || !take_records(r, type, out))
		return false;
	out->status = out->nrecords > 0 ? DNS_INSECURE : (flags & RCODE) == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
	r->at = authority_at;
	if (out->nrecords == 0)
		lower_ttl(out, denial_ttl(r, authorities));
	return r->why == NULL;
}

bool
dns_packet_parse(
    struct str packet, enum dns_type type, struct str name, struct arena *a, struct dns_answer *out, const char **why)
{
	struct reader r = { .packet = packet, .arena = a };

	*out = (struct dns_answer){ .ttl = DNS_TTL_MAX, .canonical = canonical_question(a, name) };
	if (taker_of(type) != NULL && read_packet(&r, type, out))
		return true;
	*why = r.why != NULL ? r.why : "no such type";
	*out =
	    (struct dns_answer){ .status = DNS_FAILED, .canonical = canonical_question(a, name), .why = str_of(*why) };
	return false;
}
