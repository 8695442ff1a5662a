/* in_param.c - the parameters of MAIL and RCPT, one row each (RFC 5321 4.1.2; 1870, 6152, 3030, 6531, 3461, 4954, 8689). */
#include <postern/core/base64.h>
#include <postern/core/utf8.h>

#include "in_session.h"

enum { KEYWORD_MAX = 32, SIZE_DIGITS_MAX = 20 /* RFC 1870 3 */ };

static bool
is_keyword(char c)
{
	return ascii_is_alnum(c) || c == '-';
}

/* esmtp-value: anything but "=", space and control bytes. "=" does occur (old AUTH= clients): taken, then judged. */
static bool
is_value(char c)
{
	return (unsigned char)c > 0x20 && c != 0x7f;
}

/* --- xtext (RFC 3461 4) --- */

static bool
is_xchar(char c)
{
	return c > 0x20 && c < 0x7f && c != '+' && c != '=';
}

static int
hex_digit(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "+" and two upper-case hexadecimal digits. */
static bool
decode_plus(struct cur *c, char *out)
{
	struct str pair = cur_bytes(c, 2);
	int high = pair.n == 2 ? hex_digit(pair.p[0]) : -1;
	int low = pair.n == 2 ? hex_digit(pair.p[1]) : -1;

	if (high < 0 || low < 0)
		return false;
	*out = (char)(unsigned char)(high * 16 + low);
	return true;
}

/* What the xtext stands for; false on anything that is no xtext, or stands for something unprintable: decoded control
 * bytes must not get into envelopes, headers of bounces and logs. */
static bool
decode_xtext(struct arena *a, struct str in, size_t max, struct str *out)
{
	struct cur c = cur_init(in);
	char *text = arena_alloc(a, in.n + 1);
	size_t n = 0;

	while (cur_left(&c) > 0) {
		if (cur_take_char(&c, '+')) {
			if (!decode_plus(&c, &text[n]))
				return false;
		} else if (is_xchar((char)cur_peek(&c))) {
			text[n] = *cur_bytes(&c, 1).p;
		} else {
			return false;
		}
		if (!ascii_is_print(text[n++]))
			return false;
	}
	*out = str_from(text, n);
	return n <= max;
}

/* utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533 3): "\x{HEX}" stands for a character, others for themselves. */
static bool
decode_escape(struct cur *c, struct buf *out)
{
	uint32_t code = 0;
	unsigned digits = 0;
	int d;

	cur_want(c, "x{");
	while (cur_left(c) > 0 && (d = hex_digit(cur_peek(c))) >= 0 && ++digits <= 6) {
		code = code << 4 | (uint32_t)d;
		cur_bytes(c, 1);
	}
	cur_want(c, "}");
	if (!cur_ok(c) || digits < 2 || digits > 6 || code < 0x20 || code == 0x7f || code > 0x10ffff)
		return false;
	if ((code >= 0xd800 && code < 0xe000) || (code >= 0x80 && code < 0xa0))
		return false;
	utf8_add(out, code);
	return true;
}

static bool
decode_utf8_addr(struct arena *a, struct str in, struct str *out)
{
	struct cur c = cur_init(in);
	struct buf text;
	bool ok = utf8_valid(in);

	buf_init(&text, ENVELOPE_ORCPT_MAX);
	while (ok && cur_left(&c) > 0) {
		if (cur_take_char(&c, '\\'))
			ok = decode_escape(&c, &text);
		else if (cur_peek(&c) == '+' || cur_peek(&c) == '=')
			ok = false;
		else
			buf_add(&text, cur_bytes(&c, 1));
	}
	ok = ok && !text.over && utf8_valid(buf_str(&text));
	*out = arena_str(a, buf_str(&text));
	buf_fini(&text);
	return ok;
}

/* --- the rows --- */

static bool
size_parse(struct str value, struct in_args *a)
{
	if (value.n > SIZE_DIGITS_MAX || !str_u64(value, UINT64_MAX, &a->size)) {
		a->size = UINT64_MAX; /* 20 digits may be more than 64 bits hold: too big, not bad syntax */
		for (size_t i = 0; i < value.n; i++)
			if (!ascii_is_digit(value.p[i]))
				return false;
		return value.n > 0 && value.n <= SIZE_DIGITS_MAX;
	}
	return true;
}

static bool
body_parse(struct str value, struct in_args *a)
{
	if (str_eq_nocase(value, STR("7BIT")))
		a->body = BODY_7BIT;
	else if (str_eq_nocase(value, STR("8BITMIME")))
		a->body = BODY_8BITMIME;
	else if (str_eq_nocase(value, STR("BINARYMIME")))
		a->body = BODY_BINARYMIME;
	else
		return false;
	return true;
}

static bool
ret_parse(struct str value, struct in_args *a)
{
	a->ret = str_eq_nocase(value, STR("FULL")) ? ENVELOPE_RET_FULL : ENVELOPE_RET_HDRS;
	return str_eq_nocase(value, STR("FULL")) || str_eq_nocase(value, STR("HDRS"));
}

static bool
envid_parse(struct str value, struct in_args *a)
{
	return decode_xtext(a->arena, value, ENVELOPE_ENVID_MAX, &a->envid);
}

/* Checked and dropped: no client is trusted to name somebody else's identity (RFC 4954 5). */
static bool
auth_value_parse(struct str value, struct in_args *a)
{
	struct address mailbox;
	struct str text;

	if (str_eq(value, STR("<>")))
		return true;
	return decode_xtext(a->arena, value, ADDRESS_PATH_MAX, &text) && address_parse(text, ADDRESS_UTF8, &mailbox);
}

static unsigned
notify_bit(struct str word)
{
	static const struct {
		struct str word;
		unsigned bit;
	} words[] = {
		{ STR_INIT("NEVER"), ENVELOPE_NOTIFY_NEVER },
		{ STR_INIT("SUCCESS"), ENVELOPE_NOTIFY_SUCCESS },
		{ STR_INIT("FAILURE"), ENVELOPE_NOTIFY_FAILURE },
		{ STR_INIT("DELAY"), ENVELOPE_NOTIFY_DELAY },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq_nocase(words[i].word, word))
			return words[i].bit;
	return 0;
}

/* RFC 3461 4.1: NEVER alone, or a list without a word twice. */
static bool
notify_parse(struct str value, struct in_args *a)
{
	struct str word;
	unsigned bit;

	if (str_ends(value, STR(",")))
		return false;
	while (str_cut(&value, ',', &word)) {
		bit = notify_bit(word);
		if (bit == 0 || (a->notify & bit))
			return false;
		a->notify |= bit;
	}
	return !(a->notify & ENVELOPE_NOTIFY_NEVER) || a->notify == ENVELOPE_NOTIFY_NEVER;
}

/* addr-type ";" xtext (RFC 3461 4.2), with "utf-8" as type in its own encoding (RFC 6533 3). */
static bool
orcpt_parse(struct str value, struct in_args *a)
{
	struct str rest = value;
	struct str type = { 0 };
	struct str address = { 0 };
	bool ok;

	if (value.n > ENVELOPE_ORCPT_MAX || !str_cut(&rest, ';', &type) || type.n == 0 || rest.n == 0)
		return false;
	for (size_t i = 0; i < type.n; i++)
		if (!is_keyword(type.p[i]))
			return false;
	ok = str_eq_nocase(type, STR("utf-8")) ? decode_utf8_addr(a->arena, rest, &address)
					       : decode_xtext(a->arena, rest, ENVELOPE_ORCPT_MAX, &address);
	a->orcpt = arena_strf(a->arena, "%.*s;%.*s", STR_ARG(type), STR_ARG(address));
	return ok && address.n > 0;
}

enum value_need { WITH_VALUE, WITHOUT_VALUE };

static const struct {
	struct str keyword;
	enum in_param_of of;
	enum in_param_bit bit;
	enum value_need need;
	bool (*parse)(struct str value, struct in_args *a);
	const char *rfc;
} rows[] = {
	{ STR_INIT("SIZE"), PARAM_OF_MAIL, PARAM_SIZE, WITH_VALUE, size_parse, "1870 3" },
	{ STR_INIT("BODY"), PARAM_OF_MAIL, PARAM_BODY, WITH_VALUE, body_parse, "6152 2, 3030 3" },
	{ STR_INIT("SMTPUTF8"), PARAM_OF_MAIL, PARAM_SMTPUTF8, WITHOUT_VALUE, NULL, "6531 3.4" },
	{ STR_INIT("REQUIRETLS"), PARAM_OF_MAIL, PARAM_REQUIRETLS, WITHOUT_VALUE, NULL, "8689 2" },
	{ STR_INIT("RET"), PARAM_OF_MAIL, PARAM_RET, WITH_VALUE, ret_parse, "3461 4.3" },
	{ STR_INIT("ENVID"), PARAM_OF_MAIL, PARAM_ENVID, WITH_VALUE, envid_parse, "3461 4.4" },
	{ STR_INIT("AUTH"), PARAM_OF_MAIL, PARAM_AUTH, WITH_VALUE, auth_value_parse, "4954 5" },
	{ STR_INIT("NOTIFY"), PARAM_OF_RCPT, PARAM_NOTIFY, WITH_VALUE, notify_parse, "3461 4.1" },
	{ STR_INIT("ORCPT"), PARAM_OF_RCPT, PARAM_ORCPT, WITH_VALUE, orcpt_parse, "3461 4.2" },
};

static bool
bad(struct in_args *a, enum smtp_reply_name name)
{
	a->bad = name;
	return false;
}

static bool
take_param(struct str keyword, const struct str *value, enum in_param_of of, struct in_args *a)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].of != of || !str_eq_nocase(rows[i].keyword, keyword))
			continue;
		if ((a->params & rows[i].bit) || (value != NULL) != (rows[i].need == WITH_VALUE))
			return bad(a, SMTP_BAD_PARAM);
		a->params |= rows[i].bit;
		return value == NULL || rows[i].parse(*value, a) || bad(a, SMTP_BAD_PARAM);
	}
	return bad(a, SMTP_UNKNOWN_PARAM);
}

bool
in_params_parse(struct cur *c, enum in_param_of of, struct in_args *a)
{
	struct str keyword;
	struct str value;
	bool has_value;

	while (cur_take(c, " ")) {
		while (cur_take(c, " "))
			;
		keyword = cur_want_while(c, is_keyword, KEYWORD_MAX, "parameter");
		has_value = cur_take_char(c, '=');
		value = has_value ? cur_want_while(c, is_value, SMTP_LINE_MAX, "value") : (struct str){ 0 };
		if (!cur_ok(c))
			return bad(a, SMTP_BAD_PARAM);
		if (!take_param(keyword, has_value ? &value : NULL, of, a))
			return false;
	}
	return cur_end(c) || bad(a, SMTP_BAD_PARAM);
}
