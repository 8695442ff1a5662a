/* binding.c - channel bindings: what ties a login to the TLS connection it came over (RFC 5056). */
#include <postern/tls/facts.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <postern/core/str.h>
#include <postern/tls/remote.h>

#include "setup.h"

enum { EXPORTER_SIZE = 32 };

size_t
tls_binding_exporter(SSL *ssl, uint8_t out[static TLS_BINDING_MAX])
{
	static const struct str label = STR_INIT("EXPORTER-Channel-Binding");

	/* before 1.3 the exported bytes are unique only with the extended master secret (RFC 9266 4.2, RFC 7627) */
	if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
		return 0;
	if (SSL_export_keying_material(ssl, out, EXPORTER_SIZE, label.p, label.n, (const unsigned char *)"", 0, 1) != 1)
		return 0;
	return EXPORTER_SIZE;
}

/* The hash that goes with the certificate's own signature; SHA-256 where that would be MD5 or SHA-1 (RFC 5929 4.1). */
static const char *
hash_for(X509 *cert)
{
	int hash, kind;

	if (X509_get_signature_info(cert, &hash, &kind, NULL, NULL) != 1 || hash == NID_undef)
		return NULL;
	return hash == NID_md5 || hash == NID_sha1 ? "SHA256" : OBJ_nid2sn(hash);
}

static size_t
hash_cert(X509 *cert, uint8_t out[static TLS_BINDING_MAX])
{
	const char *name = cert != NULL ? hash_for(cert) : NULL;
	EVP_MD *md = name != NULL ? EVP_MD_fetch(tls_lib(), name, NULL) : NULL;
	unsigned n = 0;

	if (md == NULL || EVP_MD_get_size(md) > TLS_BINDING_MAX || X509_digest(cert, md, out, &n) != 1)
		n = 0;
	EVP_MD_free(md);
	ERR_clear_error();
	return n;
}

/* A resumed connection shows no certificate: the client compares with the one it saw when the session began, which
 * may be the other of a pair or replaced by now. So the hash travels in the ticket, sealed with the rest. */
int
binding_on_ticket(SSL *ssl, void *arg)
{
	uint8_t hash[TLS_BINDING_MAX];
	size_t n;

	(void)arg;
	if (SSL_session_reused(ssl))
		return 1;
	n = hash_cert(SSL_get_certificate(ssl), hash);
	return n == 0 || SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), hash, n);
}

size_t
tls_binding_end_point(SSL *ssl, uint8_t out[static TLS_BINDING_MAX])
{
	void *kept;
	size_t n;

	if (!SSL_session_reused(ssl))
		return hash_cert(SSL_get_certificate(ssl), out);
	if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &kept, &n) != 1 || n == 0 || n > TLS_BINDING_MAX)
		return 0;
	memcpy(out, kept, n);
	return n;
}
