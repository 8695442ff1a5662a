/* peek.c - writes a ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2, RFC 6101 5.6.1.2). */
#include <postern/tls/peek.h>

#include <openssl/rand.h>

#include <postern/core/be.h>
#include <postern/core/log.h>

enum {
	SSL3 = 0x0300,
	TLS10 = 0x0301,
	TLS12 = 0x0303,
	TLS13 = 0x0304,
	RECORD_HANDSHAKE = 22,
	CLIENT_HELLO = 1,
	RANDOM_SIZE = 32,
	SESSION_ID_SIZE = 32,
	HELLO_MAX = 16 * 1024,
	SCSV_RENEGOTIATION = 0x00ff, /* RFC 5746 3.3 */
	DEFLATE = 1,
};

enum extension {
	EXT_SERVER_NAME = 0,
	EXT_GROUPS = 10,
	EXT_POINT_FORMATS = 11,
	EXT_SIGNATURES = 13,
	EXT_EXTENDED_SECRET = 23,
	EXT_TICKET = 35,
	EXT_VERSIONS = 43,
	EXT_KEY_SHARE = 51,
};

/* Whatever a certificate may be signed with, the weak ones, too: it is looked at later. */
static const uint16_t signatures[] = { 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0603, 0x0806, 0x0601, 0x0807,
	0x0808, 0x0809, 0x080a, 0x080b, 0x0303, 0x0301, 0x0203, 0x0201, 0x0202 };

/* A place for a length that is known when what it counts has been written. */
static size_t
begin_length(struct buf *out, size_t bytes)
{
	buf_add_be(out, bytes, 0);
	return out->n;
}

static void
end_length(struct buf *out, size_t at, size_t bytes)
{
	if (!out->over)
		be_store((uint8_t *)out->p + at - bytes, bytes, out->n - at);
}

static void
add_random(struct buf *out, size_t n)
{
	unsigned char bytes[RANDOM_SIZE];

	if (RAND_bytes(bytes, (int)n) != 1)
		log_fatal("TLS: no random numbers");
	buf_add(out, str_from(bytes, n));
}

static void
add_numbers(struct buf *out, const uint16_t *v, size_t n)
{
	size_t at = begin_length(out, 2);

	for (size_t i = 0; i < n; i++)
		buf_add_be(out, 2, v[i]);
	end_length(out, at, 2);
}

static size_t
begin_extension(struct buf *out, enum extension type)
{
	buf_add_be(out, 2, type);
	return begin_length(out, 2);
}

/* RFC 6066 3. */
static void
add_server_name(const struct tls_peek_offer *o, struct buf *out)
{
	size_t at, list;

	if (o->sni.n == 0)
		return;
	at = begin_extension(out, EXT_SERVER_NAME);
	list = begin_length(out, 2);
	buf_add_be(out, 1, 0);
	buf_add_str16(out, o->sni);
	end_length(out, list, 2);
	end_length(out, at, 2);
}

static void
add_number_extension(enum extension type, const uint16_t *v, size_t n, struct buf *out)
{
	size_t at = begin_extension(out, type);

	add_numbers(out, v, n);
	end_length(out, at, 2);
}

static void
add_bytes_extension(enum extension type, struct str body, struct buf *out)
{
	buf_add_be(out, 2, type);
	buf_add_str16(out, body);
}

/* No share is sent, so the server says which group it wants. */
static void
add_13(struct buf *out)
{
	add_bytes_extension(EXT_VERSIONS, STR("\x02\x03\x04"), out);
	add_bytes_extension(EXT_KEY_SHARE, STR("\0\0"), out);
}

static void
add_12(struct buf *out)
{
	add_bytes_extension(EXT_POINT_FORMATS, STR("\x01\0"), out);
	add_bytes_extension(EXT_EXTENDED_SECRET, STR(""), out);
	add_bytes_extension(EXT_TICKET, STR(""), out);
}

static void
add_extensions(const struct tls_peek_offer *o, struct buf *out)
{
	size_t at;

	if (o->version == SSL3)
		return;
	at = begin_length(out, 2);
	add_server_name(o, out);
	if (o->ngroups > 0)
		add_number_extension(EXT_GROUPS, o->groups, o->ngroups, out);
	if (o->version >= TLS12)
		add_number_extension(EXT_SIGNATURES, signatures, sizeof signatures / sizeof signatures[0], out);
	if (o->version == TLS13)
		add_13(out);
	else
		add_12(out);
	end_length(out, at, 2);
}

static void
add_suites(const struct tls_peek_offer *o, struct buf *out)
{
	size_t at = begin_length(out, 2);

	for (size_t i = 0; i < o->nsuites; i++)
		buf_add_be(out, 2, o->suites[i]);
	if (o->version != TLS13)
		buf_add_be(out, 2, SCSV_RENEGOTIATION);
	end_length(out, at, 2);
}

/* TLS 1.3 looks like a resumed TLS 1.2 to boxes on the way (RFC 8446 D.4). */
static void
add_session_id(const struct tls_peek_offer *o, struct buf *out)
{
	size_t n = o->version == TLS13 ? SESSION_ID_SIZE : 0;

	buf_add_be(out, 1, n);
	add_random(out, n);
}

void
tls_peek_write(const struct tls_peek_offer *o, struct buf *out)
{
	size_t record, message;
	struct buf hello;

	buf_init(&hello, HELLO_MAX);
	buf_add_be(&hello, 1, RECORD_HANDSHAKE);
	buf_add_be(&hello, 2, o->version == SSL3 ? SSL3 : TLS10);
	record = begin_length(&hello, 2);
	buf_add_be(&hello, 1, CLIENT_HELLO);
	message = begin_length(&hello, 3);
	buf_add_be(&hello, 2, o->version < TLS12 ? o->version : TLS12);
	add_random(&hello, RANDOM_SIZE);
	add_session_id(o, &hello);
	add_suites(o, &hello);
	buf_add(&hello, o->compression ? STR("\x02\x01\0") : STR("\x01\0"));
	add_extensions(o, &hello);
	end_length(&hello, message, 3);
	end_length(&hello, record, 2);
	buf_add(out, buf_str(&hello));
	buf_fini(&hello);
}
