/* peek_read.c - reads what a server answers to a ClientHello, up to where it is clear what it chose: ServerHello or
 * HelloRetryRequest (RFC 8446 4.1.3, 4.1.4), and for ephemeral keys in TLS 1.2 and before ServerKeyExchange (RFC 5246
 * 7.4.3, RFC 8422 5.4). The server is a stranger: lengths are checked, everything together has a ceiling. */
#include <postern/tls/peek.h>

#include <postern/core/be.h>
#include <postern/tls/suite.h>

enum {
	TLS13 = 0x0304,
	RECORD_HEAD = 5,
	RECORD_MAX = 16384 + 2048,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_CHANGE = 20,
	MESSAGE_HEAD = 4,
	SERVER_HELLO = 2,
	SERVER_KEY_EXCHANGE = 12,
	SERVER_HELLO_DONE = 14,
	ALERT_FATAL = 2,
	NAMED_CURVE = 3,
};

enum extension {
	EXT_EXTENDED_SECRET = 23,
	EXT_TICKET = 35,
	EXT_VERSIONS = 43,
	EXT_KEY_SHARE = 51,
	EXT_RENEGOTIATION = 0xff01
};

void
tls_peek_init(struct tls_peek *p)
{
	*p = (struct tls_peek){ .total = 0 };
	buf_init(&p->in, TLS_PEEK_BYTES_MAX);
	buf_init(&p->messages, TLS_PEEK_BYTES_MAX);
}

void
tls_peek_fini(struct tls_peek *p)
{
	buf_fini(&p->in);
	buf_fini(&p->messages);
}

static void
take_extension(struct tls_peek_answer *a, uint64_t type, struct str body)
{
	struct cur c = cur_init(body);

	switch (type) {
	case EXT_VERSIONS:
		a->version = (uint16_t)cur_be(&c, 2);
		break;
	case EXT_KEY_SHARE:
		a->group = (uint16_t)cur_be(&c, 2);
		break;
	case EXT_RENEGOTIATION:
		a->secure_renegotiation = true;
		break;
	case EXT_EXTENDED_SECRET:
		a->extended_secret = true;
		break;
	case EXT_TICKET:
		a->ticket = true;
		break;
	default:
		break;
	}
}

static bool
take_hello(struct tls_peek_answer *a, struct str body)
{
	struct cur c = cur_init(body);

	a->version = (uint16_t)cur_be(&c, 2);
	cur_bytes(&c, 32);
	cur_bytes(&c, cur_be(&c, 1));
	a->suite = (uint16_t)cur_be(&c, 2);
	a->compressed = cur_be(&c, 1) != 0;
	if (cur_left(&c) > 0) {
		struct cur all = cur_init(cur_str16(&c));

		while (cur_left(&all) > 0) {
			uint64_t type = cur_be(&all, 2);
			struct str extension = cur_str16(&all);

			if (!cur_ok(&all))
				return false;
			take_extension(a, type, extension);
		}
	}
	return cur_end(&c) && a->version >> 8 == 3;
}

static unsigned
bits_of(struct str number)
{
	unsigned bits;

	while (number.n > 0 && number.p[0] == 0)
		number = str_sub(number, 1, number.n);
	bits = (unsigned)number.n * 8;
	for (unsigned top = number.n > 0 ? (unsigned char)number.p[0] : 0x80; top < 0x80; top <<= 1)
		bits--;
	return bits;
}

static enum tls_exchange
exchange_of(const struct tls_peek_answer *a)
{
	const struct tls_suite *s = tls_suite_find(a->suite);

	return s != NULL && a->version != TLS13 ? tls_suite_exchange(s) : TLS_EXCHANGE_NONE;
}

static bool
take_key_exchange(struct tls_peek_answer *a, struct str body)
{
	struct cur c = cur_init(body);

	if (exchange_of(a) == TLS_EXCHANGE_DH)
		a->dh_bits = bits_of(cur_str16(&c));
	else if (cur_be(&c, 1) == NAMED_CURVE)
		a->group = (uint16_t)cur_be(&c, 2);
	return cur_ok(&c);
}

/* One message; CHOSEN when nothing more is wanted. */
static enum tls_peek_found
take_message(struct tls_peek *p, unsigned type, struct str body)
{
	if (!p->has_hello) {
		p->has_hello = true;
		if (type != SERVER_HELLO || !take_hello(&p->answer, body))
			return TLS_PEEK_BROKEN;
		return exchange_of(&p->answer) == TLS_EXCHANGE_NONE ? TLS_PEEK_CHOSEN : TLS_PEEK_MORE;
	}
	if (type == SERVER_KEY_EXCHANGE)
		return take_key_exchange(&p->answer, body) ? TLS_PEEK_CHOSEN : TLS_PEEK_BROKEN;
	return type == SERVER_HELLO_DONE ? TLS_PEEK_CHOSEN : TLS_PEEK_MORE;
}

static enum tls_peek_found
take_messages(struct tls_peek *p)
{
	enum tls_peek_found found = TLS_PEEK_MORE;

	while (found == TLS_PEEK_MORE && p->messages.n >= MESSAGE_HEAD) {
		size_t n = (size_t)be_load(p->messages.p + 1, 3);

		if (n > TLS_PEEK_BYTES_MAX)
			return TLS_PEEK_BROKEN;
		if (p->messages.n < MESSAGE_HEAD + n)
			break;
		found = take_message(
		    p, (unsigned char)p->messages.p[0], str_sub(buf_str(&p->messages), MESSAGE_HEAD, MESSAGE_HEAD + n));
		buf_drop(&p->messages, MESSAGE_HEAD + n);
	}
	return found;
}

/* Warnings are passed over: "unrecognized_name" is one (RFC 6066 3). */
static enum tls_peek_found
take_alert(struct tls_peek *p, struct str body)
{
	if (body.n != 2)
		return TLS_PEEK_BROKEN;
	if (body.p[0] != ALERT_FATAL)
		return TLS_PEEK_MORE;
	p->answer.alert = (uint8_t)body.p[1];
	return TLS_PEEK_REFUSED;
}

static enum tls_peek_found
take_record(struct tls_peek *p, unsigned type, struct str body)
{
	switch (type) {
	case RECORD_HANDSHAKE:
		buf_add(&p->messages, body);
		return take_messages(p);
	case RECORD_ALERT:
		return take_alert(p, body);
	case RECORD_CHANGE: /* RFC 8446 D.4 */
		return TLS_PEEK_MORE;
	default:
		return TLS_PEEK_BROKEN;
	}
}

enum tls_peek_found
tls_peek_feed(struct tls_peek *p, struct str bytes)
{
	enum tls_peek_found found = TLS_PEEK_MORE;

	p->total += bytes.n;
	if (p->total > TLS_PEEK_BYTES_MAX)
		return TLS_PEEK_BROKEN;
	buf_add(&p->in, bytes);
	while (found == TLS_PEEK_MORE && p->in.n >= RECORD_HEAD) {
		unsigned type = (unsigned char)p->in.p[0];
		size_t n = (size_t)be_load(p->in.p + 3, 2);

		if (type < RECORD_CHANGE || type > RECORD_HANDSHAKE || p->in.p[1] != 3 || n > RECORD_MAX)
			return TLS_PEEK_BROKEN;
		if (p->in.n < RECORD_HEAD + n)
			break;
		found = take_record(p, type, str_sub(buf_str(&p->in), RECORD_HEAD, RECORD_HEAD + n));
		buf_drop(&p->in, RECORD_HEAD + n);
	}
	return found;
}
