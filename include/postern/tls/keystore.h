/* keystore.h - the private keys, in the one process that has them.
 *
 * Keys and chains come as bytes of PEM files that somebody with more rights opened. A key signs only for the
 * callers it was loaded for, only what has the shape of a TLS server's handshake signature, and only so often; so a
 * taken-over front can pretend to be the server while it lives, but cannot take the key along or have it sign
 * anything else. */
#ifndef POSTERN_TLS_KEYSTORE_H
#define POSTERN_TLS_KEYSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/err.h>
#include <postern/core/str.h>
#include <postern/tls/remote.h>

enum {
	KEYSTORE_KEYS_MAX = 1000,
	KEYSTORE_FILE_MAX = 256 * 1024, /* of a PEM file */
	KEYSTORE_CHAIN_MAX = 48 * 1024, /* of a chain as PEM: it travels in one message between processes */
	KEYSTORE_RATE = 2000,           /* signatures a second for one caller, bursts of the same size */
	KEYSTORE_CALLERS = 32,          /* bits of a caller mask */
};

/* Before anything else in the process: memory for keys that is not swapped out and not dumped. False when the
 * kernel refuses to lock it (RLIMIT_MEMLOCK): it works all the same, and is worth a line in the log. */
bool keystore_lock_memory(void);

struct keystore;
struct keystore *keystore_new(void);
/* Overwrites the keys. */
void keystore_free(struct keystore *k);

/* Takes a pair under id, in place of the one that was there. They must fit together, the key must be strong enough
 * (RSA from 2048, P-256, P-384, P-521, Ed25519) and not need a passphrase. False with what is wrong and what to do
 * in e: the old pair stays. callers: bits of those who may use it. name: for messages ("/etc/postern/key.pem"). */
bool keystore_load(struct keystore *k, struct str id, uint32_t callers, struct str chain_pem, struct str key_pem,
    const char *name, struct err *e);
/* The same, from descriptors (read from offset 0, left open). */
bool keystore_load_fds(
    struct keystore *k, struct str id, uint32_t callers, int chain_fd, int key_fd, const char *name, struct err *e);
/* Callers that connect to others and show this certificate there: they get the signature of a TLS 1.3 client (RFC 8446
 * 4.4.3) and no other. What a client signs in TLS 1.2 has no shape that could be told from anything else. */
void keystore_allow_clients(struct keystore *k, struct str id, uint32_t callers);
bool keystore_forget(struct keystore *k, struct str id);

/* The public part: the chain as PEM, leaf first; empty if there is no such id. Valid until the pair changes. */
struct str keystore_chain(const struct keystore *k, struct str id);
size_t keystore_count(const struct keystore *k);
/* Ids in no order: *at starts at 0; false at the end. */
bool keystore_next(const struct keystore *k, size_t *at, struct str *id);

/* Signs tbs for a caller (0 to KEYSTORE_CALLERS - 1); adds the signature to sig. False with the reason in e: no
 * such key or not for this caller (which looks the same), a scheme that the key does not do, bytes that are no
 * handshake, or too many. */
bool keystore_sign(struct keystore *k, unsigned caller, struct str id, enum tls_scheme scheme, struct str tbs,
    struct buf *sig, struct err *e);

/* What a TLS server signs: CertificateVerify (RFC 8446 4.4.3) or ServerKeyExchange (RFC 8422 5.4), and nothing else. */
bool keystore_is_handshake(struct str tbs);
/* What a TLS 1.3 client signs. */
bool keystore_is_client_handshake(struct str tbs);

#endif
