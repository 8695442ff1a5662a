/* dane.h - TLSA records (RFC 6698, 7671) as values: parsed, sorted into usable and not, in words.
 *
 * Matching against what a server shows is done by OpenSSL in the handshake (client.h); here is decided which records
 * take part in it. */
#ifndef POSTERN_TLS_DANE_H
#define POSTERN_TLS_DANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/str.h>

enum {
	TLSA_RECORDS_MAX = 32,      /* of one set; those behind are not looked at */
	TLSA_DATA_MAX = 16 * 1024,  /* a certificate; longer data is unusable */
};

/* RFC 6698 7.2, names of RFC 7218. */
enum tlsa_usage { TLSA_PKIX_TA = 0, TLSA_PKIX_EE = 1, TLSA_DANE_TA = 2, TLSA_DANE_EE = 3 };
enum tlsa_selector { TLSA_CERT = 0, TLSA_SPKI = 1 };
enum tlsa_matching { TLSA_FULL = 0, TLSA_SHA256 = 1, TLSA_SHA512 = 2 };

/* One record as it came; the numbers may be ones that nobody has defined. */
struct tlsa {
	uint8_t usage;
	uint8_t selector;
	uint8_t matching;
	struct str data; /* bytes, not hexadecimal; points into the answer */
};

/* RFC 6698 2.1: the RDATA of a record; *t points into it. False when it is too short to be one. */
bool tls_dane_parse(struct str rdata, struct tlsa *t);

/* For mail a record is usable with usage DANE-TA or DANE-EE, a known selector and matching type, and data of the
 * right shape: the length of the digest, or a certificate or key in DER and nothing behind it (RFC 7672 3.1,
 * RFC 7671 5). NULL if it is; else why not, in words ("PKIX usages do not count for mail"). Static text. */
const char *tls_dane_unusable(const struct tlsa *t);

enum { TLSA_WORDS_SIZE = 32 };
/* "3 1 1 3fe246a8…", for the log; NUL-terminated. */
const char *tls_dane_words(const struct tlsa *t, char out[static TLSA_WORDS_SIZE]);

#endif
