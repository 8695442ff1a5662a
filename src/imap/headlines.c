/* headlines.c - a record of header fields: left_out (8 octets), then an item for each field in the order of the header: number of
 * its name (1 octet), length (2 octets), the field with all its line ends. The last item is the empty line. */
#include "headlines.h"

#include <string.h>

#include <postern/message/header.h>

enum { ITEM_HEAD = 3, EMPTY_LINE = 0xff };

/* What Thunderbird, mutt, Apple Mail, Roundcube, K-9, Evolution, mbsync and Delta Chat name in HEADER.FIELDS; what comes first has
 * precedence where there is too much. Another list is another version of the row. Not here: Received, DKIM-Signature,
 * Authentication-Results, Received-SPF, Autocrypt, BIMI-Indicator. They are larger than all others together, and who asks for them
 * does so once. */
static const struct str names[] = {
	STR_INIT("From"), STR_INIT("To"), STR_INIT("Cc"), STR_INIT("Bcc"), STR_INIT("Sender"), STR_INIT("Reply-To"),
	STR_INIT("Subject"), STR_INIT("Date"), STR_INIT("Message-ID"), STR_INIT("In-Reply-To"), STR_INIT("References"),
	STR_INIT("MIME-Version"), STR_INIT("Content-Type"), STR_INIT("Content-Transfer-Encoding"),
	STR_INIT("Content-Description"), STR_INIT("Content-Class"), STR_INIT("Lines"), STR_INIT("Newsgroups"),
	STR_INIT("Priority"), STR_INIT("X-Priority"), STR_INIT("X-MSMail-Priority"), STR_INIT("Importance"),
	STR_INIT("List-ID"), STR_INIT("List-Post"), STR_INIT("List-Unsubscribe"), STR_INIT("List-Unsubscribe-Post"),
	STR_INIT("List-Subscribe"), STR_INIT("List-Archive"), STR_INIT("List-Help"), STR_INIT("List-Owner"),
	STR_INIT("Mailing-List"), STR_INIT("X-Mailing-List"), STR_INIT("X-List"), STR_INIT("X-BeenThere"),
	STR_INIT("X-Loop"), STR_INIT("Originator"),
	STR_INIT("Return-Path"), STR_INIT("Delivered-To"), STR_INIT("X-Original-To"), STR_INIT("Envelope-To"),
	STR_INIT("Mail-Followup-To"), STR_INIT("Mail-Reply-To"), STR_INIT("Disposition-Notification-To"),
	STR_INIT("X-Draft-Info"), STR_INIT("X-Label"), STR_INIT("X-Keywords"), STR_INIT("X-Mailer"), STR_INIT("User-Agent"),
	STR_INIT("X-Spam-Flag"), STR_INIT("X-Spam-Status"), STR_INIT("X-Spam-Level"), STR_INIT("X-Spam-Score"),
	STR_INIT("X-TUID"), STR_INIT("X-OfflineIMAP"),
	STR_INIT("X-Uniform-Type-Identifier"), STR_INIT("X-Universally-Unique-Identifier"), STR_INIT("X-MS-Has-Attach"),
	STR_INIT("X-Calendar-Attachment"), STR_INIT("X-K9mail-Identity"), STR_INIT("Chat-Version"),
	STR_INIT("Autocrypt-Setup-Message"), STR_INIT("X-Microsoft-Original-Message-ID"),
};
enum { NAMES = sizeof(names) / sizeof(*names) };
_Static_assert((int)NAMES <= (int)HEADLINES_MAX, "a bit for each name");

/* NAMES when it is not in the list. */
static unsigned
number_of(struct str name)
{
	unsigned i = 0;

	while (i < NAMES && !str_eq_nocase(names[i], name))
		i++;
	return i;
}

bool
headlines_bits(const struct str *wanted, size_t n, uint64_t *bits)
{
	*bits = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned number = number_of(wanted[i]);

		if (number == NAMES)
			return false;
		*bits |= UINT64_C(1) << number;
	}
	return true;
}

/* The names of which there is too much. */
static uint64_t
too_large(struct str header)
{
	size_t size[NAMES + 1] = { 0 };
	struct header_walk w = header_begin(header);
	struct header_field f;
	uint64_t bits = 0;
	size_t all = 0;

	while (header_next(&w, &f))
		size[number_of(f.name)] += f.whole.n;
	for (unsigned i = 0; i < NAMES; i++) {
		if (size[i] > HEADLINES_NAME_MAX || all + size[i] > HEADLINES_ALL_MAX)
			bits |= UINT64_C(1) << i;
		else
			all += size[i];
	}
	return bits;
}

static void
add_item(struct buf *out, unsigned number, struct str bytes)
{
	uint16_t n = (uint16_t)bytes.n;

	buf_add_char(out, (char)number);
	buf_add(out, str_from(&n, sizeof(n)));
	buf_add(out, bytes);
}

void
headlines_write(struct buf *out, struct str header)
{
	uint64_t left_out = too_large(header);
	struct header_walk w = header_begin(header);
	struct header_field f;

	buf_add(out, str_from(&left_out, sizeof(left_out)));
	while (header_next(&w, &f)) {
		unsigned number = number_of(f.name);

		if (number < NAMES && !(left_out >> number & 1))
			add_item(out, number, f.whole);
	}
	add_item(out, EMPTY_LINE, str_sub(header, w.at, header_size(header)));
}

/* The next item off *items; false when there is none, or it is cut. */
static bool
next_item(struct str *items, unsigned *number, struct str *bytes)
{
	uint16_t n;

	if (items->n < ITEM_HEAD)
		return false;
	memcpy(&n, items->p + 1, sizeof(n));
	*number = (unsigned char)items->p[0];
	*bytes = str_sub(*items, ITEM_HEAD, (size_t)ITEM_HEAD + n);
	*items = str_sub(*items, (size_t)ITEM_HEAD + n, items->n);
	return bytes->n == n;
}

bool
headlines_read(struct str record, struct headlines *h)
{
	struct str rest, bytes;
	unsigned number;
	bool more = true;

	if (record.n < sizeof(h->left_out))
		return false;
	memcpy(&h->left_out, record.p, sizeof(h->left_out));
	h->items = rest = str_sub(record, sizeof(h->left_out), record.n);
	while (more) {
		if (!next_item(&rest, &number, &bytes) || (number >= NAMES && number != EMPTY_LINE))
			return false;
		more = number != EMPTY_LINE;
	}
	return rest.n == 0;
}

void
headlines_select(struct buf *out, const struct headlines *h, uint64_t bits)
{
	struct str rest = h->items;
	struct str bytes;
	unsigned number;

	while (next_item(&rest, &number, &bytes))
		if (number == EMPTY_LINE || bits >> number & 1)
			buf_add(out, bytes);
}
