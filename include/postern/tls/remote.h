/* remote.h - private keys that live in another process.
 *
 * A key object made here has only public parts; a signature is asked for by a function of the caller, with the
 * whole message to be signed, so that the process with the key can see that it is part of a TLS handshake and
 * nothing else. Implemented as a small OpenSSL provider (remote.c, the one file that knows). Works for TLS 1.2 and
 * 1.3 with RSA (PKCS#1 and PSS), ECDSA and Ed25519. */
#ifndef POSTERN_TLS_REMOTE_H
#define POSTERN_TLS_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/types.h>

#include <postern/core/buf.h>
#include <postern/core/err.h>
#include <postern/core/str.h>

/* SignatureScheme, RFC 8446 4.2.3. In TLS 1.2 the ECDSA ones say nothing about the curve. */
enum tls_scheme {
	TLS_RSA_PKCS1_SHA256 = 0x0401,
	TLS_RSA_PKCS1_SHA384 = 0x0501,
	TLS_RSA_PKCS1_SHA512 = 0x0601,
	TLS_ECDSA_SHA256 = 0x0403,
	TLS_ECDSA_SHA384 = 0x0503,
	TLS_ECDSA_SHA512 = 0x0603,
	TLS_RSA_PSS_SHA256 = 0x0804,
	TLS_RSA_PSS_SHA384 = 0x0805,
	TLS_RSA_PSS_SHA512 = 0x0806,
	TLS_ED25519 = 0x0807,
};

enum {
	TLS_TBS_MAX = 512,        /* what a handshake signs is shorter */
	TLS_SIGNATURE_MAX = 1024, /* RSA with 8192 bits */
	TLS_KEY_ID_MAX = 64,
};

/* Asks for a signature of tbs by the key of that name; adds it to sig as it goes on the wire. Blocks; false on
 * refusal or when the other process does not answer in time: the handshake fails, with an alert to the client. */
struct tls_signer {
	bool (*sign)(void *ctx, struct str key_id, enum tls_scheme scheme, struct str tbs, struct buf *sig);
	void *ctx;
};

/* The library context in which everything of tls lives: no configuration file, no environment. Made on first use. */
OSSL_LIB_CTX *tls_lib(void);

/* A key object that stands for the private key of cert. The signer is copied; ctx must outlive all handshakes.
 * Freed with EVP_PKEY_free. NULL with words in e. */
EVP_PKEY *tls_remote_key(X509 *cert, struct str key_id, const struct tls_signer *signer, struct err *e);

#endif
