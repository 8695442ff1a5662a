/* tls_tlsa.c - a stranger's TLSA record: parsed, judged, and given to OpenSSL as a decision would. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <openssl/ssl.h>

#include <postern/tls/client.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct tls_client *client;
	static struct tls_decision d;
	struct tls_query q = { .domain = STR("d.test"), .host = STR("mx.d.test"), .mx = TLS_DNS_SECURE,
		.address = TLS_DNS_SECURE };
	struct tlsa record;
	char words[TLSA_WORDS_SIZE];
	struct err e;
	SSL *ssl;

	if (client == NULL)
		client = tls_client_new();
	if (!tls_dane_parse(str_from(p, n), &record))
		return 0;
	tls_dane_words(&record, words);
	q.tlsa[0] = (struct tlsa_answer){ TLS_DNS_SECURE, &record, 1 };
	tls_policy_decide(&q, &d);
	if (d.level != (tls_dane_unusable(&record) == NULL ? TLS_LEVEL_DANE : TLS_LEVEL_ENCRYPT))
		abort();
	ssl = tls_client_session(client, &d, &e);
	if (ssl == NULL && d.level == TLS_LEVEL_ENCRYPT)
		abort();
	SSL_free(ssl);
	return 0;
}
