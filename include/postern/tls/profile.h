/* profile.h - what each service offers in TLS, as data.
 *
 * One row per service. All: TLS 1.2 at least (RFC 8996), ephemeral elliptic-curve key exchange only (no
 * finite-field groups: CVE-2002-20001), no renegotiation, no compression, no early data. Where people log in only
 * AEAD ciphers; on port 25 also CBC with ECDHE, because the alternative there is plain text (RFC 7435). */
#ifndef POSTERN_TLS_PROFILE_H
#define POSTERN_TLS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include <postern/core/str.h>

/* The first five stand in the order of conf_service. */
enum tls_service {
	TLS_SMTP,
	TLS_SUBMISSION,
	TLS_SUBMISSIONS,
	TLS_IMAP,
	TLS_IMAPS,
	TLS_POP3,
	TLS_POP3S,
	TLS_SIEVE,
	TLS_HTTPS,
	TLS_SERVICES,
};

enum { TLS_ALPN_MAX = 2 };

struct tls_profile {
	const char *name;      /* as in the log and in the configuration: "submission" */
	int min_version;       /* OpenSSL's TLS1_2_VERSION or TLS1_3_VERSION */
	const char *ciphers12; /* OpenSSL's names, in our order of preference */
	const char *ciphers13;
	const char *groups;
	/* Protocol ids (RFC 7301) that belong to the service. A client that offers ids but none of these is refused
	 * with no_application_protocol; one that offers none is taken. */
	const char *alpn[TLS_ALPN_MAX];
	size_t tickets;        /* given after a TLS 1.3 handshake; 0: no resumption at all */
	bool ask_client_cert;  /* request one, optional and unverified */
	bool implicit;         /* TLS from the first byte, no STARTTLS */
};

const struct tls_profile *tls_profile_of(enum tls_service service);
/* By name; false if there is none. */
bool tls_profile_find(struct str name, enum tls_service *service);

#endif
