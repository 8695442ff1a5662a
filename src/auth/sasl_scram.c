/* sasl_scram.c - SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677).
 *
 *   C: gs2-header n=user,r=cnonce        first message; the keys are looked up
 *   S: r=nonce,s=salt,i=iterations
 *   C: c=binding,r=nonce,p=proof         the proof is compared
 *   S: v=signature                       as a challenge
 *   C: (nothing)                         done
 *
 * Bindings are tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929 4); tls-unique is refused, it is not safe
 * where sessions are resumed and not defined for TLS 1.3. */
#include "sasl_own.h"

#include <sodium.h>

#include <postern/core/base64.h>
#include <postern/core/cur.h>
#include <postern/core/mem.h>
#include <postern/core/utf8.h>

enum state { WANT_FIRST, WANT_KEYS, WANT_FINAL, WANT_NOTHING, OVER };
enum { SERVER_NONCE_BYTES = 18 };

static const char *fixed_nonce;

void
sasl_fix_nonce(const char *nonce)
{
	fixed_nonce = nonce;
}

/* --- the first message: RFC 5802 7, gs2-header client-first-message-bare --- */

static bool
is_value_safe(char c)
{
	return c != '\0' && c != ',';
}

/* printable = %x21-2B / %x2D-7E */
static bool
is_nonce_char(char c)
{
	return c >= 0x21 && c <= 0x7e && c != ',';
}

static bool
is_binding_name_char(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-';
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, nothing else may follow "=". */
static bool
add_name(struct buf *out, struct str name)
{
	while (name.n > 0) {
		bool coded = name.p[0] == '=';

		if (coded && !str_starts(name, STR("=2C")) && !str_starts(name, STR("=3D")))
			return false;
		buf_add_char(out, !coded ? name.p[0] : name.p[2] == 'C' ? ',' : '=');
		name = str_sub(name, coded ? 3 : 1, name.n);
	}
	return !out->over;
}

static bool
take_name(struct cur *c, const char *key, struct buf *out)
{
	struct str name;

	cur_want(c, key);
	name = cur_want_while(c, is_value_safe, SASL_NAME_MAX, "a user name");
	if (cur_ok(c) && (!utf8_valid(name) || !add_name(out, name)))
		cur_fail(c, "a user name in UTF-8 with = and , coded");
	return cur_ok(c);
}

/* attr-val, repeated: unknown extensions are ignored, but must have the form. */
static void
skip_extensions(struct cur *c)
{
	while (cur_take_char(c, ',')) {
		int letter = cur_peek(c);
		struct str value;

		if (letter == -1 || !ascii_is_alpha((char)letter))
			cur_fail(c, "an attribute");
		cur_bytes(c, 1);
		cur_want(c, "=");
		value = cur_want_while(c, is_value_safe, SASL_MESSAGE_MAX, "a value");
		if (!utf8_valid(value))
			cur_fail(c, "UTF-8");
	}
}

/* The flag at the start: what the client says about channel binding. Adds the data it has to be bound to. */
static enum sasl_next
judge_flag(struct sasl *s, char flag, struct str binding, bool plus)
{
	struct str offered[SASL_MECHANISMS_MAX];

	if (flag == 'y') {
		sasl_offer(&s->channel, offered);
		if (str_ends(offered[0], STR("-PLUS")))
			return sasl_wrong(
			    s, "the client thinks that -PLUS was not offered: somebody tampered with the list");
	}
	if (plus != (flag == 'p'))
		return sasl_wrong(s, "the channel binding flag does not go with the mechanism");
	if (!plus)
		return SASL_OK;
	if (str_eq(binding, STR("tls-exporter")) && s->channel.exporter.n > 0)
		return SASL_OK;
	if (str_eq(binding, STR("tls-server-end-point")) && s->channel.end_point.n > 0)
		return SASL_OK;
	return sasl_wrong(s, "a channel binding that does not exist on this connection");
}

static void
keep_binding(struct sasl *s, struct str header, struct str binding)
{
	buf_add(&s->header, header);
	if (str_eq(binding, STR("tls-exporter")))
		buf_add(&s->header, s->channel.exporter);
	else if (str_eq(binding, STR("tls-server-end-point")))
		buf_add(&s->header, s->channel.end_point);
}

struct first {
	char flag;
	struct str binding;
	struct str header; /* gs2-header */
	struct str bare;
	struct str nonce;
};

static bool
parse_first(struct sasl *s, struct str message, struct first *f)
{
	struct cur c = cur_init(message);
	const char *bare;

	f->flag = (char)cur_peek(&c);
	if (f->flag != 'n' && f->flag != 'y' && f->flag != 'p')
		cur_fail(&c, "a channel binding flag");
	cur_bytes(&c, 1);
	if (f->flag == 'p' && cur_want(&c, "="))
		f->binding = cur_want_while(&c, is_binding_name_char, 64, "the name of a channel binding");
	cur_want(&c, ",");
	if (cur_peek(&c) == 'a')
		take_name(&c, "a=", &s->authzid);
	cur_want(&c, ",");
	bare = c.p;
	f->header = str_from(message.p, (size_t)(bare - message.p));
	take_name(&c, "n=", &s->authcid); /* "m=", a mandatory extension, fails here as it must */
	cur_want(&c, ",");
	cur_want(&c, "r=");
	f->nonce = cur_want_while(&c, is_nonce_char, SASL_NONCE_MAX, "a nonce");
	skip_extensions(&c);
	f->bare = str_from(bare, (size_t)(message.p + message.n - bare));
	return cur_end(&c);
}

static void
add_server_nonce(struct buf *out)
{
	char random[SERVER_NONCE_BYTES];

	if (fixed_nonce != NULL) {
		buf_add_cstr(out, fixed_nonce);
		return;
	}
	randombytes_buf(random, sizeof random);
	base64_add(out, str_from(random, sizeof random));
}

static enum sasl_next
take_first(struct sasl *s, struct str message)
{
	bool plus = str_ends(s->mechanism->name, STR("-PLUS"));
	struct first f = { 0 };
	enum sasl_next next;

	s->state = OVER;
	if (!parse_first(s, message, &f))
		return sasl_malformed(s, "not a SCRAM first message");
	next = judge_flag(s, f.flag, f.binding, plus);
	if (next != SASL_OK)
		return next;
	keep_binding(s, f.header, f.binding);
	buf_add(&s->first, f.bare);
	buf_add(&s->nonce, f.nonce);
	add_server_nonce(&s->nonce);
	s->state = WANT_KEYS;
	return SASL_WANT_KEYS;
}

enum sasl_next
sasl_scram_start(struct sasl *s, const struct str *initial)
{
	s->state = WANT_FIRST;
	return initial == NULL ? SASL_CHALLENGE : take_first(s, *initial);
}

enum sasl_next
sasl_scram_keys(struct sasl *s)
{
	if (s->state != WANT_KEYS)
		return sasl_malformed(s, "no keys were asked for");
	buf_clear(&s->out);
	buf_add(&s->out, STR("r="));
	buf_add(&s->out, buf_str(&s->nonce));
	buf_add(&s->out, STR(",s="));
	base64_add(&s->out, str_from(s->keys.salt, sizeof s->keys.salt));
	buf_addf(&s->out, ",i=%u", s->keys.iterations);
	buf_add(&s->first, STR(","));
	buf_add(&s->first, buf_str(&s->out));
	s->state = WANT_FINAL;
	return SASL_CHALLENGE;
}

/* --- the final message --- */

struct final {
	struct str binding; /* base64 */
	struct str nonce;
	struct str proof; /* base64 */
	struct str without_proof;
};

static bool
parse_final(struct str message, struct final *f)
{
	static const struct str mark = STR_INIT(",p=");
	size_t at = message.n;
	struct cur c;

	while (at > 0 && !str_starts(str_sub(message, at, message.n), mark))
		at--;
	f->without_proof = str_sub(message, 0, at);
	f->proof = str_sub(message, at + mark.n, message.n);
	c = cur_init(f->without_proof);
	cur_want(&c, "c=");
	f->binding = cur_want_while(&c, is_value_safe, SASL_MESSAGE_MAX, "the channel binding");
	cur_want(&c, ",");
	cur_want(&c, "r=");
	f->nonce = cur_want_while(&c, is_nonce_char, (size_t)SASL_NONCE_MAX * 2, "a nonce");
	skip_extensions(&c);
	return cur_end(&c) && f->proof.n > 0;
}

static bool
binding_is_right(struct sasl *s, struct str coded)
{
	struct buf raw;
	bool right;

	buf_init(&raw, SASL_MESSAGE_MAX);
	right = base64_decode(&raw, coded) && str_eq(buf_str(&raw), buf_str(&s->header));
	buf_fini(&raw);
	return right;
}

static void
sign(uint8_t out[static SCRAM_KEY_SIZE], const uint8_t key[static SCRAM_KEY_SIZE], const struct sasl *s,
    struct str without_proof)
{
	crypto_auth_hmacsha256_state h;
	struct str first = buf_str(&s->first);

	crypto_auth_hmacsha256_init(&h, key, SCRAM_KEY_SIZE);
	crypto_auth_hmacsha256_update(&h, (const unsigned char *)first.p, first.n);
	crypto_auth_hmacsha256_update(&h, (const unsigned char *)",", 1);
	crypto_auth_hmacsha256_update(&h, (const unsigned char *)without_proof.p, without_proof.n);
	crypto_auth_hmacsha256_final(&h, out);
	mem_wipe(&h, sizeof h);
}

/* ClientKey := ClientProof XOR HMAC(StoredKey, AuthMessage); H(ClientKey) must be StoredKey. */
static bool
proof_is_right(struct sasl *s, const struct final *f)
{
	uint8_t key[SCRAM_KEY_SIZE];
	uint8_t stored[SCRAM_KEY_SIZE];
	struct buf proof;
	bool right;

	buf_init(&proof, SCRAM_KEY_SIZE);
	right = base64_decode(&proof, f->proof) && !proof.over && proof.n == SCRAM_KEY_SIZE;
	sign(key, s->keys.stored, s, f->without_proof);
	for (size_t i = 0; right && i < SCRAM_KEY_SIZE; i++)
		key[i] ^= (uint8_t)proof.p[i];
	crypto_hash_sha256(stored, key, sizeof key);
	right = sodium_memcmp(stored, s->keys.stored, sizeof stored) == 0 && right && s->keys_real;
	mem_wipe(key, sizeof key);
	buf_wipe(&proof);
	return right;
}

static void
write_signature(struct sasl *s, struct str without_proof)
{
	uint8_t signature[SCRAM_KEY_SIZE];

	sign(signature, s->keys.server, s, without_proof);
	buf_add(&s->out, STR("v="));
	base64_add(&s->out, str_from(signature, sizeof signature));
}

static enum sasl_next
take_final(struct sasl *s, struct str message)
{
	struct final f;

	s->state = OVER;
	if (!parse_final(message, &f))
		return sasl_malformed(s, "not a SCRAM final message");
	if (!str_eq(f.nonce, buf_str(&s->nonce)))
		return sasl_wrong(s, "another nonce came back");
	if (!binding_is_right(s, f.binding))
		return sasl_wrong(s, "the channel binding does not match: somebody may be in between");
	if (!proof_is_right(s, &f))
		return sasl_wrong(s, "wrong password");
	if (s->other) {
		s->why = "asks to act as somebody else";
		return SASL_FORBIDDEN;
	}
	write_signature(s, f.without_proof);
	s->state = WANT_NOTHING;
	return SASL_CHALLENGE;
}

enum sasl_next
sasl_scram_step(struct sasl *s, struct str response)
{
	if (s->state == WANT_FIRST)
		return take_first(s, response);
	if (s->state == WANT_FINAL)
		return take_final(s, response);
	if (s->state != WANT_NOTHING)
		return sasl_malformed(s, "a response out of order");
	s->state = OVER;
	return response.n == 0 ? SASL_OK : sasl_malformed(s, "words after the end of SCRAM");
}
