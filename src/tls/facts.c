/* facts.c - what a handshake came to, in the log and in words. */
#include <postern/tls/facts.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

#include <postern/core/log.h>

#include "pem.h"

static void
read_subject(SSL *ssl, char out[static TLS_SUBJECT_SIZE])
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	BIO *bio = cert != NULL ? BIO_new(BIO_s_mem()) : NULL;
	int n;

	out[0] = '\0';
	if (bio == NULL)
		return;
	X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	n = BIO_read(bio, out, TLS_SUBJECT_SIZE - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static void
read_alpn(SSL *ssl, char *out, size_t size)
{
	const unsigned char *id;
	unsigned n;

	SSL_get0_alpn_selected(ssl, &id, &n);
	if (n >= size)
		n = (unsigned)size - 1;
	if (n > 0)
		memcpy(out, id, n);
	out[n] = '\0';
}

static const char *
group_name(SSL *ssl)
{
	static const struct {
		int nid;
		const char *name;
	} groups[] = { { NID_X25519, "x25519" }, { NID_X9_62_prime256v1, "secp256r1" },
		{ NID_secp384r1, "secp384r1" } };
	int nid = (int)SSL_get_negotiated_group(ssl);

	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (groups[i].nid == nid)
			return groups[i].name;
	return "";
}

/* The server keeps the name of a resumed session in another place than that of a new one. */
static const char *
server_name(SSL *ssl)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	return name != NULL ? name : "";
}

void
tls_facts_read(SSL *ssl, struct tls_facts *f)
{
	*f = (struct tls_facts){
		.version = SSL_get_version(ssl),
		.cipher = SSL_get_cipher_name(ssl),
		.bits = SSL_get_cipher_bits(ssl, NULL),
		.group = group_name(ssl),
		.resumed = SSL_session_reused(ssl),
	};
	snprintf(f->sni, sizeof f->sni, "%s", server_name(ssl));
	read_alpn(ssl, f->alpn, sizeof f->alpn);
	read_subject(ssl, f->client_subject);
}

static void
begin(struct log_line *l, enum log_level level, enum tls_service service, struct str sid, struct str client)
{
	log_begin(l, level, "tls");
	log_str(l, "sid", sid);
	log_str(l, "client", client);
	log_cstr(l, "service", tls_profile_of(service)->name);
}

void
tls_facts_log(enum tls_service service, struct str sid, struct str client, SSL *ssl)
{
	struct tls_facts f;
	struct log_line l;

	tls_facts_read(ssl, &f);
	begin(&l, LEVEL_INFO, service, sid, client);
	log_cstr(&l, "version", f.version);
	log_cstr(&l, "cipher", f.cipher);
	log_cstr(&l, "group", f.group);
	log_cstr(&l, "sni", f.sni);
	log_cstr(&l, "alpn", f.alpn);
	log_cstr(&l, "client_cert", f.client_subject);
	log_cstr(&l, "resumed", f.resumed ? "yes" : "no");
	log_end(&l);
}

/* Alerts of the peer tell more about him than OpenSSL's words do. */
static const struct {
	int reason;
	const char *words;
} failure[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, "the client offers no TLS version from 1.2 on" },
	{ SSL_R_VERSION_TOO_LOW, "the client offers no TLS version from 1.2 on" },
	{ SSL_R_NO_SHARED_CIPHER, "the client offers no cipher that we do" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, "the client offers no group that we do" },
	{ SSL_R_NO_SHARED_GROUPS, "the client offers no group that we do" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "the client cannot check our kind of certificate" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, "the client wants another protocol (ALPN)" },
	{ SSL_R_HTTP_REQUEST, "the client speaks HTTP in the clear" },
	{ SSL_R_WRONG_VERSION_NUMBER, "the client does not speak TLS" },
	{ SSL_R_UNEXPECTED_EOF_WHILE_READING, "the client closed the connection" },
	{ SSL_R_BAD_EXTENSION, "the client sent a malformed extension" },
	{ SSL_R_CLIENTHELLO_TLSEXT, "the client sent a malformed extension" },
	{ SSL_R_CALLBACK_FAILED, "the client sent a malformed server name" },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was damaged on its way" },
	{ SSL_R_RECORD_TOO_SMALL, "a flood of empty records" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the client does not trust the issuer of our certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the client does not accept our certificate" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the client does not accept our certificate" },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "the client does not accept our kind of certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the client finds our certificate expired" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the client refuses our TLS version" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the client found nothing in common with us" },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, "the client refuses to go on" },
	{ SSL_R_TLSV1_ALERT_USER_CANCELLED, "the client gave up" },
};

const char *
tls_facts_failure(unsigned long code)
{
	const char *why;

	if (code == 0)
		return "the client closed the connection";
	for (size_t i = 0; ERR_GET_LIB(code) == ERR_LIB_SSL && i < sizeof failure / sizeof *failure; i++)
		if (failure[i].reason == ERR_GET_REASON(code))
			return failure[i].words;
	if (ERR_GET_LIB(code) == ERR_LIB_USER) /* remote.c */
		return "the signature could not be made";
	why = ERR_reason_error_string(code);
	return why != NULL ? why : "TLS failed for a reason without words";
}

void
tls_facts_log_failure(
    enum tls_service service, struct str sid, struct str client, SSL *ssl, unsigned long code, const char *instead)
{
	struct log_line l;

	begin(&l, LEVEL_INFO, service, sid, client);
	if (ssl != NULL)
		log_cstr(&l, "sni", server_name(ssl));
	log_cstr(&l, "why", instead != NULL ? instead : tls_facts_failure(code));
	log_end(&l);
}

const char *
tls_facts_words(SSL *ssl, char out[static TLS_WORDS_SIZE])
{
	out[0] = '\0';
	if (ssl != NULL)
		snprintf(out, TLS_WORDS_SIZE, "%s:%s:%d", SSL_get_version(ssl), SSL_get_cipher_name(ssl),
		    SSL_get_cipher_bits(ssl, NULL));
	return out;
}
