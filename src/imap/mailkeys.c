/* mailkeys.c - making and reading the keys of a message. */
#include "mailkeys.h"

#include <string.h>

#include <sodium.h>

#include <postern/message/charset.h>
#include <postern/message/date.h>

#include "msgid.h"
#include "search.h"
#include "subject.h"

enum { VERSION = 0xb2, SHARED_MIN = 4 };

struct head {
	uint8_t version;
	uint8_t flags;
	uint16_t references;
	int32_t day;
	int64_t sent;
	uint64_t subject;
};
_Static_assert(sizeof(struct head) == 24, "no holes: it is written as it is");

/* --- making --- */

static uint64_t
hash_of(struct str s)
{
	unsigned char out[crypto_generichash_BYTES_MIN];
	uint64_t hash;

	crypto_generichash(out, sizeof(out), (const unsigned char *)s.p, s.n, NULL, 0);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

/* Adds the hashes of at most max Message-IDs of a field, without the first ones; returns how many. */
static size_t
add_ids(struct buf *out, struct str field, size_t skip, size_t max)
{
	struct buf id;
	size_t n = 0;

	buf_init(&id, SIZE_MAX);
	while (n < max && msgid_next(&field, &id)) {
		uint64_t hash;

		if (skip > 0) {
			skip--;
			continue;
		}
		hash = hash_of(buf_str(&id));
		buf_add(out, str_from(&hash, sizeof(hash)));
		n++;
	}
	buf_fini(&id);
	return n;
}

static size_t
count_ids(struct str field)
{
	struct buf id;
	size_t n = 0;

	buf_init(&id, SIZE_MAX);
	while (msgid_next(&field, &id))
		n++;
	buf_fini(&id);
	return n;
}

/* RFC 5256 3, REFERENCES 1: without a valid Message-ID there, the first of In-Reply-To. */
static size_t
add_references(struct buf *out, const struct mime_envelope *e)
{
	size_t n = count_ids(e->references);

	if (n == 0)
		return add_ids(out, e->in_reply_to, 0, 1);
	return add_ids(out, e->references, n > MAILKEYS_REFERENCES_MAX ? n - MAILKEYS_REFERENCES_MAX : 0, n);
}

static void
set_date(struct head *h, const struct mime_envelope *e)
{
	struct date d;

	if (e->date.p == NULL || !date_parse_mail(e->date, &d))
		return;
	h->flags |= MAILKEYS_DATED;
	h->sent = d.seconds;
	h->day = (int32_t)date_day(d);
}

/* addr-mailbox of the first address; of a group it is the group's name (RFC 9051 7.5.2). */
static void
write_mailbox(struct buf *out, const struct addrlist *list)
{
	if (list->first != NULL)
		charset_fold(out, list->first->local);
}

/* RFC 5957 3: the name, decoded; else mailbox@host; else the mailbox. */
static void
write_display(struct buf *out, const struct addrlist *list)
{
	const struct addrlist_item *a = list->first;

	if (a == NULL)
		return;
	if (a->kind == ADDRLIST_MAILBOX)
		search_fold_text(out, a->display);
	if (out->n > 0)
		return;
	charset_fold(out, a->local);
	if (a->kind == ADDRLIST_MAILBOX && a->domain.n > 0) {
		buf_add_char(out, '@');
		charset_fold(out, a->domain);
	}
}

static void
put_number(struct buf *out, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_add_char(out, (char)(0x80 | (n & 0x7f)));
	buf_add_char(out, (char)n);
}

/* from: where the record begins, texts: where its texts do. */
static void
put_text(struct buf *out, size_t from, size_t texts, struct str text)
{
	struct str before = str_sub(buf_str(out), texts, out->n);
	size_t at = text.n >= SHARED_MIN ? str_search(before, text) : before.n;

	put_number(out, 2 * (uint64_t)text.n + (at < before.n));
	if (at < before.n)
		put_number(out, texts - from + at);
	else
		buf_add(out, text);
}

/* The lists of FROM, TO, CC, BCC, each whole; all empty when they are too long together. */
static bool
put_addresses(struct buf *out, size_t from, size_t texts, const struct mime_envelope *e)
{
	static const enum search_field fields[] = { FIELD_FROM, FIELD_TO, FIELD_CC, FIELD_BCC };
	enum { FIELDS = sizeof(fields) / sizeof(*fields) };
	size_t ends[FIELDS + 1] = { 0 };
	struct buf text;
	bool whole;

	buf_init(&text, SIZE_MAX);
	for (size_t i = 0; i < FIELDS; i++) {
		search_fold_field(&text, e, fields[i]);
		ends[i + 1] = text.n;
	}
	whole = text.n <= MAILKEYS_ADDRESSES_MAX;
	for (size_t i = 0; i < FIELDS; i++)
		put_text(out, from, texts, whole ? str_sub(buf_str(&text), ends[i], ends[i + 1]) : STR(""));
	buf_fini(&text);
	return whole;
}

/* True when the addresses are all there. */
static bool
put_texts(struct buf *out, size_t from, const struct mime_envelope *e, struct str base)
{
	bool whole;
	const struct addrlist *const mailbox[] = { &e->from, &e->to, &e->cc };
	const struct addrlist *const display[] = { &e->from, &e->to };
	size_t texts = out->n;
	struct buf text;

	buf_init(&text, SIZE_MAX);
	search_fold_text(&text, e->subject);
	put_text(out, from, texts, buf_str(&text));
	whole = put_addresses(out, from, texts, e);
	put_text(out, from, texts, base);
	for (size_t i = 0; i < 3; i++) {
		buf_clear(&text);
		write_mailbox(&text, mailbox[i]);
		put_text(out, from, texts, buf_str(&text));
	}
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&text);
		write_display(&text, display[i]);
		put_text(out, from, texts, buf_str(&text));
	}
	buf_fini(&text);
	return whole;
}

void
mailkeys_write(struct buf *out, const struct mime_envelope *e)
{
	struct head h = { .version = VERSION, .flags = e->subject.p != NULL ? MAILKEYS_SUBJECT : 0 };
	struct buf ids, base;
	size_t from = out->n;

	buf_init(&ids, SIZE_MAX);
	buf_init(&base, SIZE_MAX);
	set_date(&h, e);
	if (add_ids(&ids, e->message_id, 0, 1) > 0)
		h.flags |= MAILKEYS_ID;
	h.references = (uint16_t)add_references(&ids, e);
	if (subject_base(&base, e->subject))
		h.flags |= MAILKEYS_REPLY;
	if (base.n > 0)
		h.subject = hash_of(buf_str(&base)) | 1; /* never 0 */
	buf_add(out, str_from(&h, sizeof(h)));
	buf_add(out, buf_str(&ids));
	if (put_texts(out, from, e, buf_str(&base)))
		out->p[from + offsetof(struct head, flags)] |= MAILKEYS_WHOLE;
	buf_fini(&base);
	buf_fini(&ids);
}

/* --- reading --- */

/* Once for each message of a walk: no calls. A reader that has failed stands at the end. */
struct reading {
	const char *record;
	const char *p;
	const char *end;
	bool ok;
};

static inline const char *
take(struct reading *r, size_t n)
{
	const char *p = r->p;

	if ((size_t)(r->end - p) < n) {
		r->ok = false;
		r->p = r->end;
		return r->end;
	}
	r->p += n;
	return p;
}

static inline size_t
get_number(struct reading *r)
{
	size_t n = 0;

	for (unsigned shift = 0; shift <= 28 && r->p < r->end; shift += 7) {
		unsigned char b = (unsigned char)*r->p++;

		n |= (size_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return n;
	}
	r->ok = false;
	return 0;
}

static inline struct str
get_text(struct reading *r)
{
	size_t before = (size_t)(r->p - r->record);
	size_t n = get_number(r);
	size_t at;

	if (n % 2 == 0)
		return str_from(take(r, n / 2), n / 2);
	at = get_number(r);
	if (at <= before && n / 2 <= before - at)
		return str_from(r->record + at, n / 2);
	r->ok = false;
	return STR("");
}

static bool
read_texts(struct str record, struct mailkeys *k, enum mailkeys_text end, bool *whole)
{
	struct reading r = { record.p, record.p, record.p + record.n, true };
	const char *id;
	struct head h;

	if (record.n < sizeof(h))
		return false;
	memcpy(&h, take(&r, sizeof(h)), sizeof(h));
	if (h.version != VERSION || h.flags & ~MAILKEYS_FLAGS || h.references > MAILKEYS_REFERENCES_MAX)
		return false;
	k->flags = h.flags;
	k->nreferences = h.references;
	k->day = h.day;
	k->sent = h.sent;
	k->subject = h.subject;
	k->id = 0;
	if (h.flags & MAILKEYS_ID && (id = take(&r, sizeof(k->id))) != r.end)
		memcpy(&k->id, id, sizeof(k->id));
	k->references = take(&r, h.references * sizeof(uint64_t));
	for (int i = 0; i < (int)end; i++)
		k->text[i] = get_text(&r);
	*whole = r.p == r.end;
	return r.ok;
}

bool
mailkeys_read_first(struct str record, struct mailkeys *k, enum mailkeys_text end)
{
	bool whole;

	return read_texts(record, k, end, &whole);
}

bool
mailkeys_read(struct str record, struct mailkeys *k)
{
	bool whole;

	return read_texts(record, k, KEY_TEXTS, &whole) && whole;
}

uint64_t
mailkeys_reference(const struct mailkeys *k, size_t i)
{
	uint64_t hash;

	memcpy(&hash, k->references + i * sizeof(hash), sizeof(hash));
	return hash;
}

int64_t
mailkeys_sent(const struct mailkeys *k, const struct store_message *m)
{
	return k->flags & MAILKEYS_DATED ? k->sent : m->internal_date;
}
