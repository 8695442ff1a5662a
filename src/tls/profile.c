/* profile.c - the table of what each service offers in TLS. */
#include <postern/tls/profile.h>

#include <openssl/tls1.h>

#include "ciphers.h"

#define CIPHERS13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"

/* One ticket: a client that opens several connections gets one on each. */
#define STRICT                                                                                                         \
	.min_version = TLS1_2_VERSION, .ciphers12 = CIPHERS_AEAD, .ciphers13 = CIPHERS13, .groups = GROUPS, .tickets = 1
#define LENIENT                                                                                                        \
	.min_version = TLS1_2_VERSION, .ciphers12 = CIPHERS_AEAD ":" CIPHERS_CBC, .ciphers13 = CIPHERS13,              \
	.groups = GROUPS, .tickets = 1

/* SMTP has no registered protocol id; these two are what clients of other servers were taught to send. */
#define SMTP_ALPN .alpn = { "smtp", "esmtp" }

static const struct tls_profile profiles[TLS_SERVICES] = {
	[TLS_SMTP] = { .name = "smtp", LENIENT, SMTP_ALPN },
	[TLS_SUBMISSION] = { .name = "submission", STRICT, SMTP_ALPN },
	[TLS_SUBMISSIONS] = { .name = "submissions", STRICT, SMTP_ALPN, .implicit = true },
	[TLS_IMAP] = { .name = "imap", STRICT, .alpn = { "imap" } },
	[TLS_IMAPS] = { .name = "imaps", STRICT, .alpn = { "imap" }, .implicit = true },
	[TLS_POP3] = { .name = "pop3", STRICT, .alpn = { "pop3" } },
	[TLS_POP3S] = { .name = "pop3s", STRICT, .alpn = { "pop3" }, .implicit = true },
	[TLS_SIEVE] = { .name = "sieve", STRICT, .alpn = { "managesieve" } },
	[TLS_HTTPS] = { .name = "https", STRICT, .alpn = { "http/1.1" }, .implicit = true },
};

const struct tls_profile *
tls_profile_of(enum tls_service service)
{
	return &profiles[service];
}

bool
tls_profile_find(struct str name, enum tls_service *service)
{
	for (int i = 0; i < TLS_SERVICES; i++) {
		if (!str_eq(str_of(profiles[i].name), name))
			continue;
		*service = (enum tls_service)i;
		return true;
	}
	return false;
}
