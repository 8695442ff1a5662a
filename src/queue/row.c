/* row.c - ledger rows as bytes. The ledger is ours, but a damaged one must not be believed: what does not parse is
 * an error. */
#include "row.h"

#include <sodium.h>

#include <postern/core/be.h>
#include <postern/core/cur.h>

enum { ID_SIZE = sizeof(struct id) };

void
row_write_message(struct buf *out, const struct row_message *m)
{
	buf_add_be(out, 1, ROW_MESSAGE_VERSION);
	buf_add_be(out, 1, m->origin);
	buf_add_be(out, 1, m->in_file);
	buf_add_be(out, 8, m->file_size);
	buf_add_be(out, 8, m->message_size);
	buf_add_be(out, 8, (uint64_t)m->received.us);
	buf_add_be(out, 4, m->flags);
	buf_add_be(out, 1, m->ret);
	buf_add_be(out, 4, m->next_number);
	buf_add_str16(out, m->sid);
	buf_add_str16(out, m->client);
	buf_add_str16(out, m->helo);
	buf_add_str16(out, m->login);
	buf_add_str16(out, m->sender);
	buf_add_str16(out, m->envid);
}

static void
write_last_host(struct buf *out, const struct queue_last_host *h)
{
	buf_add_str16(out, h->host);
	buf_add_str16(out, h->ip);
	buf_add_be(out, 1, h->wanted);
	buf_add_be(out, 1, h->got);
	buf_add_str16(out, h->why);
	buf_add_be(out, 1, h->plain);
	buf_add_be(out, 1, h->said);
}

void
row_write_recipient(struct buf *out, const struct row_recipient *r)
{
	buf_add_be(out, 1, ROW_RECIPIENT_VERSION);
	buf_add_be(out, 1, r->kind);
	buf_add_be(out, 1, r->state);
	buf_add_be(out, 1, r->warned);
	buf_add_be(out, 1, r->notify);
	buf_add_be(out, 4, r->attempts);
	buf_add_be(out, 8, (uint64_t)r->next_try.us);
	buf_add_be(out, 8, (uint64_t)r->last_try.us);
	buf_add(out, str_from(r->delivery.b, ID_SIZE));
	buf_add_str16(out, r->address);
	buf_add_str16(out, r->orcpt);
	buf_add_str16(out, r->target);
	buf_add_str16(out, r->detail);
	buf_add_str16(out, r->status);
	buf_add_str16(out, r->reason);
	buf_add_str16(out, r->destination);
	buf_add_be(out, 8, r->source);
	buf_add_be(out, 8, (uint64_t)r->deadline.us);
	write_last_host(out, &r->last);
}

bool
row_parse_message(struct str bytes, struct row_message *m)
{
	struct cur c = cur_init(bytes);

	cur_be_in(&c, 1, ROW_MESSAGE_VERSION, ROW_MESSAGE_VERSION);
	m->origin = (enum row_origin)cur_be_in(&c, 1, ROW_MAIL, ROW_DOUBLE);
	m->in_file = cur_be_in(&c, 1, 0, 1) != 0;
	m->file_size = cur_be_in(&c, 8, 0, INT64_MAX);
	m->message_size = cur_be_in(&c, 8, 0, m->file_size);
	m->received.us = (int64_t)cur_be_in(&c, 8, 0, INT64_MAX);
	m->flags = (unsigned)cur_be_in(&c, 4, 0, ENVELOPE_FLAGS_ALL);
	m->ret = (enum envelope_ret)cur_be_in(&c, 1, ENVELOPE_RET_NONE, ENVELOPE_RET_HDRS);
	m->next_number = (uint32_t)cur_be_in(&c, 4, 0, UINT32_MAX);
	m->sid = envelope_take_text(&c, ENVELOPE_WORD_MAX);
	m->client = envelope_take_text(&c, ENVELOPE_WORD_MAX);
	m->helo = envelope_take_text(&c, ENVELOPE_HELO_MAX);
	m->login = envelope_take_text(&c, ENVELOPE_ADDRESS_MAX);
	m->sender = envelope_take_text(&c, ENVELOPE_ADDRESS_MAX);
	m->envid = envelope_take_text(&c, ENVELOPE_ENVID_MAX);
	return cur_end(&c);
}

static void
take_remote(struct cur *c, struct row_recipient *r)
{
	struct queue_last_host *h = &r->last;

	r->destination = envelope_take_text(c, QUEUE_DESTINATION_SIZE - 1);
	r->source = cur_be_in(c, 8, 0, UINT64_MAX);
	r->deadline.us = (int64_t)cur_be_in(c, 8, 0, INT64_MAX);
	h->host = envelope_take_text(c, ROW_HOST_MAX);
	h->ip = envelope_take_text(c, ROW_IP_MAX);
	h->wanted = (enum tls_level)cur_be_in(c, 1, 0, TLS_LEVELS - 1);
	h->got = (enum tls_level)cur_be_in(c, 1, 0, TLS_LEVELS - 1);
	h->why = envelope_take_text(c, TLS_WHY_SIZE);
	h->plain = cur_be_in(c, 1, 0, 1) != 0;
	h->said = cur_be_in(c, 1, 0, 1) != 0;
}

bool
row_parse_recipient(struct str bytes, struct row_recipient *r)
{
	struct cur c = cur_init(bytes);
	uint64_t version = cur_be_in(&c, 1, 1, ROW_RECIPIENT_VERSION);
	struct str id;

	*r = (struct row_recipient){ .kind = ROW_RESOLVE };
	r->kind = (enum row_kind)cur_be_in(&c, 1, ROW_RESOLVE, ROW_REMOTE);
	r->state = (enum queue_state)cur_be_in(&c, 1, QUEUE_WAITING, QUEUE_FAILED);
	r->warned = cur_be_in(&c, 1, 0, 1) != 0;
	r->notify = (unsigned)cur_be_in(&c, 1, 0, 15);
	r->attempts = (uint32_t)cur_be_in(&c, 4, 0, UINT32_MAX);
	r->next_try.us = (int64_t)cur_be_in(&c, 8, 0, INT64_MAX);
	r->last_try.us = (int64_t)cur_be_in(&c, 8, 0, INT64_MAX);
	id = cur_bytes(&c, ID_SIZE);
	if (id.n == ID_SIZE)
		memcpy(r->delivery.b, id.p, ID_SIZE);
	r->address = envelope_take_text(&c, ENVELOPE_ADDRESS_MAX);
	r->orcpt = envelope_take_text(&c, ENVELOPE_ORCPT_MAX);
	r->target = envelope_take_text(&c, ENVELOPE_ADDRESS_MAX);
	r->detail = envelope_take_text(&c, ENVELOPE_DETAIL_MAX);
	r->status = envelope_take_text(&c, QUEUE_STATUS_SIZE);
	r->reason = envelope_take_text(&c, QUEUE_TEXT_SIZE);
	if (version > 1)
		take_remote(&c, r);
	return cur_end(&c);
}

uint64_t
row_source(const struct row_message *m)
{
	struct str domain = str_sub(m->sender, str_rfind(m->sender, '@') + 1, m->sender.n);
	struct str who = m->login.n > 0 ? m->login : domain;
	char lower[ENVELOPE_ADDRESS_MAX];
	unsigned char hash[crypto_generichash_BYTES_MIN];
	size_t n = who.n < sizeof lower ? who.n : sizeof lower;

	for (size_t i = 0; i < n; i++)
		lower[i] = ascii_lower(who.p[i]);
	crypto_generichash(hash, sizeof hash, (const unsigned char *)lower, n, NULL, 0);
	return be_load(hash, 8);
}

void
row_keep_message(struct arena *a, struct row_message *m)
{
	m->sid = arena_str(a, m->sid);
	m->client = arena_str(a, m->client);
	m->helo = arena_str(a, m->helo);
	m->login = arena_str(a, m->login);
	m->sender = arena_str(a, m->sender);
	m->envid = arena_str(a, m->envid);
}
