/* suite.h - cipher suites and key exchange groups by number: what they are called and what they are worth.
 *
 * For looking at servers from outside, so it knows the broken ones, too, and those that OpenSSL does not speak. */
#ifndef POSTERN_TLS_SUITE_H
#define POSTERN_TLS_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TLS_SUITES_MAX = 128, /* in the table */
	TLS_GROUPS_MAX = 24,
};

enum tls_worth {
	TLS_WORTH_GOOD,
	TLS_WORTH_OLD, /* nothing is known against it but its age: CBC with HMAC */
	TLS_WORTH_WEAK, /* no forward secrecy, or a cipher of small blocks */
	TLS_WORTH_ANON, /* encrypts, and anybody may be at the other end */
	TLS_WORTH_BROKEN, /* can be read or forged: RC4, DES, export, no encryption */
	TLS_WORTHS,
};

/* How the key comes about in TLS 1.2 and before: what ServerKeyExchange holds. */
enum tls_exchange { TLS_EXCHANGE_NONE, TLS_EXCHANGE_DH, TLS_EXCHANGE_ECDH };

struct tls_suite {
	uint16_t id;
	const char *name; /* IANA's: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" */
};

/* NULL: none that is known here. */
const struct tls_suite *tls_suite_find(uint16_t id);
/* The suites that a version knows, the better first; returns how many. version: 0x0300 (SSL 3) to 0x0304. */
size_t tls_suite_list(uint16_t version, uint16_t out[static TLS_SUITES_MAX]);
enum tls_worth tls_suite_worth(const struct tls_suite *s);
/* Why it is worth no more: "RC4 can be read"; "" for a good one. Static. */
const char *tls_suite_why(const struct tls_suite *s);
enum tls_exchange tls_suite_exchange(const struct tls_suite *s);

/* "x25519"; NULL for none that is known here. Static. */
const char *tls_group_name(uint16_t id);
/* True for groups below 112 bits of strength. */
bool tls_group_is_weak(uint16_t id);
size_t tls_group_list(uint16_t version, uint16_t out[static TLS_GROUPS_MAX]);

/* "TLS 1.2" for 0x0303; "SSL 3" for 0x0300; "?". Static. */
const char *tls_version_name(uint16_t version);

#endif
