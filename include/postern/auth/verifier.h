/* verifier.h - what is stored instead of a password, and how a password is checked against it.
 *
 * A verifier is one hash string (argon2id, or what was imported) and, unless switched off, SCRAM-SHA-256 keys (RFC 5802
 * 3, RFC 7677) made from the same password at the same time. Checking is slow by intent: it runs in the hashing
 * threads. Nothing here logs, and what was derived from a password is wiped. */
#ifndef POSTERN_AUTH_VERIFIER_H
#define POSTERN_AUTH_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/err.h>
#include <postern/core/str.h>

enum {
	VERIFIER_HASH_MAX = 255,       /* bytes of the hash string */
	VERIFIER_MEMORY_MAX = 1 << 30, /* a hash may ask for no more memory … */
	VERIFIER_PASSES_MAX = 16,      /* … argon2 passes … */
	VERIFIER_ROUNDS_MAX = 5000000, /* … SHA-crypt rounds … */
	VERIFIER_BCRYPT_MAX = 14,      /* … or bcrypt cost (logarithm) than this */
	SCRAM_KEY_SIZE = 32,
	SCRAM_SALT_SIZE = 16,
	SCRAM_ITERATIONS_MIN = 4096, /* RFC 7677 4; what is read from a row */
	SCRAM_ITERATIONS = 20000,    /* what we make */
};

struct scram_keys {
	uint32_t iterations; /* 0: there are none */
	uint8_t salt[SCRAM_SALT_SIZE];
	uint8_t stored[SCRAM_KEY_SIZE]; /* StoredKey */
	uint8_t server[SCRAM_KEY_SIZE]; /* ServerKey */
};

struct verifier {
	char hash[VERIFIER_HASH_MAX + 1]; /* NUL-terminated; "$argon2id$…", "$6$…", "$2b$…", "$y$…" */
	struct scram_keys scram;
};

/* What a new verifier costs. */
struct verifier_cost {
	unsigned passes;           /* argon2id t */
	uint64_t memory;           /* bytes */
	uint32_t scram_iterations; /* 0: no SCRAM keys */
};

/* Makes a verifier for what was typed (prepared here). Permanent error with words for the administrator when it cannot
 * be a password. Takes as long as one check and the SCRAM iterations. */
bool verifier_make(struct verifier *v, struct str password, const struct verifier_cost *cost, struct err *e);

/* Takes a hash over from another system: "{SCHEME}text" with Dovecot's scheme names, or a bare "$6$…"-like string.
 * {PLAIN} and {CLEARTEXT} are hashed at once. MD5, DES, SHA-1 and what has no sound primitive is refused with words. */
bool verifier_import(struct verifier *v, struct str text, const struct verifier_cost *cost, struct err *e);

enum verifier_result {
	VERIFIER_WRONG,
	VERIFIER_RIGHT,
	VERIFIER_RIGHT_OLD, /* right, and a new verifier should be made: imported, other cost, or SCRAM keys missing */
	VERIFIER_FAILED,    /* could not be computed: the hash is damaged or memory was not to be had */
};
/* Compares in constant time. Imported hashes are also tried with the bytes as typed: they were not made from prepared
 * ones. */
enum verifier_result verifier_check(const struct verifier *v, struct str password, const struct verifier_cost *cost);
/* Costs what a check of a new verifier costs; for names that do not exist. */
void verifier_check_nobody(struct str password, const struct verifier_cost *cost);

/* "argon2id", "sha512-crypt", … ; "unknown". */
const char *verifier_scheme(const struct verifier *v);

/* The keys for one password (prepared with SASLprep here, or as OpaqueString where SASLprep refuses). */
bool scram_keys_make(struct scram_keys *k, struct str password, struct str salt, uint32_t iterations);
/* Salt and iterations for a name that does not exist: the same for the same name as long as the secret lives, so
 * that asking twice tells nothing. The keys match no password. */
void scram_keys_fake(struct scram_keys *k, struct str name, const uint8_t secret[static 32], uint32_t iterations);

#endif
