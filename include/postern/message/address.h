/* address.h - mail addresses of the envelope: RFC 5321 4.1.2 and 4.1.3, RFC 6531 3.3.
 *
 * Three forms of one address: as written (struct address, views into the command), canonical for mail of others
 * (domain as lower-case A-labels, local part untouched but for needless quotes), and canonical for our own accounts
 * (local part in lower case and NFC, too). Account names are compared bytewise in the last form only.
 *
 * Nothing is folded by compatibility: a circled, full-width, ligature or invisible character never becomes the
 * letter it looks like; an address that holds one is refused or stays an address of its own. */
#ifndef POSTERN_MESSAGE_ADDRESS_H
#define POSTERN_MESSAGE_ADDRESS_H

#include <stdbool.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/cur.h>
#include <postern/core/str.h>

/* RFC 5321 4.5.3.1, in octets. The path counts its brackets and source route. */
enum {
	ADDRESS_LOCAL_MAX = 64,
	ADDRESS_DOMAIN_MAX = 255,
	ADDRESS_LABEL_MAX = 63,
	ADDRESS_PATH_MAX = 256,
};

struct address {
	struct str local;  /* as written, a quoted one with its quotes */
	struct str domain; /* as written: a name, perhaps with a trailing dot, or a literal with its brackets; empty
	                      after ADDRESS_POSTMASTER; both empty: the null path */
};

enum address_option {
	ADDRESS_UTF8 = 1,       /* RFC 6531: bytes above 0x7f are allowed, as strict UTF-8 */
	ADDRESS_NULL = 2,       /* "<>" is a path */
	ADDRESS_POSTMASTER = 4, /* "<Postmaster>" without a domain is a path (RFC 5321 4.1.1.3) */
};

/* Each takes its production from the cursor or fails it with words for the peer. No control byte gets through, in a
 * quoted string neither. The views point into the cursor's bytes. */

/* Path: "<" [ A-d-l ":" ] Mailbox ">"; the source route is checked and dropped. */
bool address_parse_path(struct cur *c, unsigned options, struct address *out);
/* Domain / address-literal; one trailing dot is taken, too (and is part of *out). */
bool address_parse_domain(struct cur *c, unsigned options, struct str *out);
/* The whole of s is a mailbox. */
bool address_parse(struct str s, unsigned options, struct address *out);

static inline bool
address_is_null(const struct address *a)
{
	return a->local.n == 0 && a->domain.n == 0;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]": no name, never a local domain of ours. */
static inline bool
address_is_literal(const struct address *a)
{
	return a->domain.n > 0 && a->domain.p[0] == '[';
}

/* The one spelling of a domain: lower-case A-labels without the trailing dot (IDNA2008, after lower case and NFC; no
 * compatibility mapping), literals with the address as inet_ntop writes it. False: not a domain. */
bool address_canon_domain(struct arena *a, struct str domain, struct str *out);
/* "local@domain" of a stranger: canonical domain, needless quotes gone, else the local part as it came, for its case
 * may mean something at its home (RFC 5321 2.4). The null path is "", postmaster without a domain is "postmaster". */
bool address_canon(struct arena *a, const struct address *in, struct str *out);
/* "local@domain" as our directory names accounts: the local part in lower case and NFC besides. False also when the
 * local part holds characters with a compatibility form or without a visible form: no account has such a name. */
bool address_canon_user(struct arena *a, const struct address *in, struct str *out);

/* "user+tag" → "user" and "tag" at the first separator that has something before it; false: no detail, *user is all.
 * local is in canonical form; a quoted one has no detail. */
bool address_split_detail(struct str local, char separator, struct str *user, struct str *detail);
/* Cuts canonical text "local@domain" at its last "@". False when there is none. */
bool address_split(struct str text, struct str *local, struct str *domain);

/* Adds the local part that stands for the bytes of raw: as a dot-string if it is one, else in quotes. */
void address_write_local(struct buf *out, struct str raw);

#endif
