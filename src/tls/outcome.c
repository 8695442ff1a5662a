/* outcome.c - what a client's handshake came to, in words and in the terms of TLS reporting (RFC 8460 4.3). */
#include <postern/tls/client.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define ROW(name, report, words)                                                                                       \
	{                                                                                                              \
		name, #name, report, words                                                                             \
	}

static const struct verdict {
	long code;
	const char *reason;
	enum tlsrpt_result report;
	const char *words;
} verdicts[] = {
	ROW(X509_V_ERR_HOSTNAME_MISMATCH, TLSRPT_CERTIFICATE_HOST_MISMATCH, "the certificate is for other names"),
	ROW(X509_V_ERR_CERT_HAS_EXPIRED, TLSRPT_CERTIFICATE_EXPIRED, "a certificate has expired"),
	ROW(X509_V_ERR_CERT_NOT_YET_VALID, TLSRPT_CERTIFICATE_NOT_TRUSTED, "a certificate is not valid yet"),
	ROW(X509_V_ERR_DANE_NO_MATCH, TLSRPT_VALIDATION_FAILURE, "no TLSA record matches the certificates"),
	ROW(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, TLSRPT_CERTIFICATE_NOT_TRUSTED, "the certificate is self-signed"),
	ROW(X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, TLSRPT_CERTIFICATE_NOT_TRUSTED, "the chain ends at an unknown CA"),
	ROW(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, TLSRPT_CERTIFICATE_NOT_TRUSTED,
	    "the issuer of a certificate is unknown"),
	ROW(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, TLSRPT_CERTIFICATE_NOT_TRUSTED,
	    "the issuer of a certificate is unknown"),
	ROW(X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, TLSRPT_CERTIFICATE_NOT_TRUSTED,
	    "the server did not send the issuer of its certificate"),
	ROW(X509_V_ERR_INVALID_PURPOSE, TLSRPT_CERTIFICATE_NOT_TRUSTED, "a certificate is not meant for this use"),
	ROW(X509_V_ERR_INVALID_CA, TLSRPT_CERTIFICATE_NOT_TRUSTED, "an issuer is no CA"),
	ROW(X509_V_ERR_CERT_SIGNATURE_FAILURE, TLSRPT_CERTIFICATE_NOT_TRUSTED, "a signature in the chain is wrong"),
	ROW(X509_V_ERR_EE_KEY_TOO_SMALL, TLSRPT_CERTIFICATE_NOT_TRUSTED, "the server's key is too weak"),
	ROW(X509_V_ERR_CA_KEY_TOO_SMALL, TLSRPT_CERTIFICATE_NOT_TRUSTED, "a CA's key is too weak"),
	ROW(X509_V_ERR_CA_MD_TOO_WEAK, TLSRPT_CERTIFICATE_NOT_TRUSTED, "a signature in the chain is too weak"),
	ROW(X509_V_ERR_CERT_CHAIN_TOO_LONG, TLSRPT_CERTIFICATE_NOT_TRUSTED, "the chain is too long"),
	ROW(X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, TLSRPT_CERTIFICATE_NOT_TRUSTED,
	    "a certificate demands what nobody here understands"),
	ROW(X509_V_ERR_PERMITTED_VIOLATION, TLSRPT_CERTIFICATE_NOT_TRUSTED, "a CA is not for names like this"),
	ROW(X509_V_ERR_EXCLUDED_VIOLATION, TLSRPT_CERTIFICATE_NOT_TRUSTED, "a CA is not for names like this"),
};

static const struct verdict *
find_verdict(long code)
{
	static const struct verdict other = {
		.reason = "X509_V_ERR_UNSPECIFIED",
		.report = TLSRPT_CERTIFICATE_NOT_TRUSTED,
		.words = "the certificate cannot be verified",
	};

	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
		if (verdicts[i].code == code)
			return &verdicts[i];
	return &other;
}

static void
tell_verdict(long code, struct tls_outcome *o)
{
	const struct verdict *v = find_verdict(code);

	o->report = v->report;
	o->reason = v->reason;
	o->words = v->words;
}

/* The usage of the record that vouched for the server, or -1. */
static int
dane_usage(SSL *ssl)
{
	uint8_t usage;

	if (SSL_get0_dane_authority(ssl, NULL, NULL) < 0 || SSL_get0_dane_tlsa(ssl, &usage, NULL, NULL, NULL, NULL) < 0)
		return -1;
	return usage;
}

void
tls_client_outcome(SSL *ssl, struct tls_outcome *o)
{
	long verdict = SSL_get_verify_result(ssl);
	int usage = dane_usage(ssl);

	*o = (struct tls_outcome){ .got = TLS_LEVEL_ENCRYPT, .reason = "" };
	if (verdict != X509_V_OK) {
		o->failure = TLS_FAILURE_UNAUTHENTICATED;
		tell_verdict(verdict, o);
	} else if (usage != -1) {
		o->got = TLS_LEVEL_DANE;
		o->words = usage == TLSA_DANE_EE ? "a TLSA record vouches for the certificate"
						 : "a TLSA record vouches for the issuer of the certificate";
	} else if (SSL_get0_peername(ssl) != NULL) {
		o->got = TLS_LEVEL_VERIFY;
		o->words = "a known CA vouches for the name";
	} else {
		o->words = "a known CA, and no name to compare with";
	}
}

/* The words of facts.c are for a server. */
static const struct {
	int reason;
	const char *words;
} failures[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, "the server does no TLS version from 1.2 on" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the server does no TLS version from 1.2 on" },
	{ SSL_R_WRONG_VERSION_NUMBER, "the server does not speak TLS" },
	{ SSL_R_UNEXPECTED_EOF_WHILE_READING, "the server closed the connection" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the server found nothing in common with us" },
	{ SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, "the server wants stronger ciphers" },
	{ SSL_R_TLSV1_UNRECOGNIZED_NAME, "the server does not know the name it was asked for" },
	{ SSL_R_TLSV1_ALERT_INTERNAL_ERROR, "the server has a fault of its own" },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, "the server refuses to go on" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the server wants a certificate of ours" },
	{ SSL_R_EE_KEY_TOO_SMALL, "the server's key is too weak" },
	{ SSL_R_DH_KEY_TOO_SMALL, "the server's key exchange is too weak" },
};

static const char *
failure_words(unsigned long code)
{
	const char *why;

	if (code == 0)
		return "the server closed the connection";
	for (size_t i = 0; ERR_GET_LIB(code) == ERR_LIB_SSL && i < sizeof failures / sizeof *failures; i++)
		if (failures[i].reason == ERR_GET_REASON(code))
			return failures[i].words;
	why = ERR_reason_error_string(code);
	return why != NULL ? why : "TLS failed for a reason without words";
}

void
tls_client_failed(SSL *ssl, unsigned long code, struct tls_outcome *o)
{
	*o = (struct tls_outcome){
		.got = TLS_LEVEL_NONE,
		.words = failure_words(code),
		.report = TLSRPT_VALIDATION_FAILURE,
		.reason = "",
		.failure = TLS_FAILURE_HANDSHAKE,
	};
	if (ssl == NULL || ERR_GET_LIB(code) != ERR_LIB_SSL || ERR_GET_REASON(code) != SSL_R_CERTIFICATE_VERIFY_FAILED)
		return;
	o->failure = TLS_FAILURE_UNAUTHENTICATED;
	tell_verdict(SSL_get_verify_result(ssl), o);
}
