/* sasl.c - the table of mechanisms, and what is the same for all of them. */
#include "sasl_own.h"

#include <postern/core/mem.h>

static const struct sasl_mechanism mechanisms[] = {
	/* best first */
	{ STR_INIT("SCRAM-SHA-256-PLUS"), SASL_NEEDS_SCRAM | SASL_NEEDS_BINDING, sasl_scram_start, sasl_scram_step,
	    NULL, sasl_scram_keys }, /* RFC 7677 */
	{ STR_INIT("SCRAM-SHA-256"), SASL_NEEDS_SCRAM, sasl_scram_start, sasl_scram_step, NULL, sasl_scram_keys },
	{ STR_INIT("PLAIN"), 0, sasl_plain_start, sasl_plain_step, sasl_password_checked, NULL }, /* RFC 4616 */
	{ STR_INIT("LOGIN"), 0, sasl_login_start, sasl_login_step, sasl_password_checked,
	    NULL }, /* no RFC: what printers speak */
};
enum { MECHANISMS = sizeof mechanisms / sizeof mechanisms[0] };
_Static_assert(sizeof mechanisms / sizeof mechanisms[0] <= (size_t)SASL_MECHANISMS_MAX, "sasl_offer's array holds all");

static bool
is_offered(const struct sasl_mechanism *m, const struct sasl_channel *c)
{
	if (!c->tls)
		return false;
	if ((m->needs & SASL_NEEDS_SCRAM) && !c->scram)
		return false;
	return !(m->needs & SASL_NEEDS_BINDING) || c->exporter.n > 0 || c->end_point.n > 0;
}

size_t
sasl_offer(const struct sasl_channel *channel, struct str out[static SASL_MECHANISMS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < MECHANISMS; i++)
		if (is_offered(&mechanisms[i], channel))
			out[n++] = mechanisms[i].name;
	return n;
}

enum sasl_next
sasl_malformed(struct sasl *s, const char *why)
{
	s->why = why;
	return SASL_MALFORMED;
}

enum sasl_next
sasl_wrong(struct sasl *s, const char *why)
{
	s->why = why;
	return SASL_WRONG;
}

static struct str
keep(char to[static SASL_BINDING_MAX], struct str from)
{
	size_t n = from.n <= SASL_BINDING_MAX ? from.n : 0;

	if (n > 0)
		memcpy(to, from.p, n);
	return str_from(to, n);
}

static void
init(struct sasl *s, const struct sasl_channel *channel)
{
	*s = (struct sasl){ .channel = *channel };
	s->channel.exporter = keep(s->exporter, channel->exporter);
	s->channel.end_point = keep(s->end_point, channel->end_point);
	buf_init(&s->out, SASL_MESSAGE_MAX);
	buf_init(&s->authcid, SASL_NAME_MAX);
	buf_init(&s->authzid, SASL_NAME_MAX);
	buf_init(&s->password, SASL_MESSAGE_MAX);
	buf_init(&s->first, SASL_MESSAGE_MAX * 2);
	buf_init(&s->header, SASL_MESSAGE_MAX + SASL_BINDING_MAX);
	buf_init(&s->nonce, SASL_NONCE_MAX * 2);
}

enum sasl_next
sasl_start(struct sasl *s, struct str mechanism, const struct str *initial, const struct sasl_channel *channel)
{
	init(s, channel);
	for (size_t i = 0; i < MECHANISMS; i++)
		if (str_eq_nocase(mechanism, mechanisms[i].name) && is_offered(&mechanisms[i], &s->channel))
			s->mechanism = &mechanisms[i];
	if (s->mechanism == NULL) {
		s->why = "no such mechanism on this connection";
		return SASL_UNKNOWN;
	}
	if (initial != NULL && initial->n > SASL_MESSAGE_MAX)
		return sasl_malformed(s, "the response is too long");
	return s->mechanism->start(s, initial);
}

enum sasl_next
sasl_step(struct sasl *s, struct str response)
{
	buf_clear(&s->out);
	if (s->mechanism == NULL || response.n > SASL_MESSAGE_MAX)
		return sasl_malformed(s, "the response is too long, or there is no exchange");
	return s->mechanism->step(s, response);
}

enum sasl_next
sasl_checked(struct sasl *s, bool right)
{
	if (s->mechanism == NULL || s->mechanism->checked == NULL)
		return sasl_malformed(s, "no password was asked for");
	return s->mechanism->checked(s, right);
}

enum sasl_next
sasl_keys(struct sasl *s, const struct scram_keys *keys, bool real)
{
	if (s->mechanism == NULL || s->mechanism->keys == NULL)
		return sasl_malformed(s, "no keys were asked for");
	s->keys = *keys;
	s->keys_real = real;
	return s->mechanism->keys(s);
}

struct str
sasl_name(const struct sasl *s)
{
	return s->mechanism != NULL ? s->mechanism->name : STR("");
}

void
sasl_fini(struct sasl *s)
{
	struct buf *bufs[] = { &s->out, &s->authcid, &s->authzid, &s->password, &s->first, &s->header, &s->nonce };

	for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
		buf_wipe(bufs[i]);
	mem_wipe(s, sizeof *s);
}
