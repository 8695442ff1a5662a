/* probe_sts.c - addresses of the policy host, then the policy file by HTTPS. */
#include "probe_sts.h"

#include <stdio.h>

static void
finish(struct probe_sts *s, const char *words)
{
	snprintf(s->words, sizeof s->words, "%s", words);
	s->done(s->ctx);
}

static const char *
parse(struct probe_sts *s, const struct fetch_result *r, char words[static ERR_LOG_MAX])
{
	struct err e;

	words[0] = '\0';
	if (r->problem != FETCH_OK)
		snprintf(words, ERR_LOG_MAX, "https://%.*s: %.*s", STR_ARG(s->host), STR_ARG(r->words));
	else if (r->code != 200)
		snprintf(
		    words, ERR_LOG_MAX, "https://%.*s answers %u, where only 200 counts", STR_ARG(s->host), r->code);
	else if (!tls_sts_is_text(r->content_type))
		snprintf(words, ERR_LOG_MAX, "https://%.*s: the policy is not text/plain", STR_ARG(s->host));
	else if (!tls_sts_parse_policy(arena_str(&s->arena, r->body), &s->policy, &e))
		snprintf(words, ERR_LOG_MAX, "the policy: %.*s", ERR_LOG_MAX - 16, e.log);
	else
		s->has_policy = true;
	return words;
}

static void
on_policy(void *ctx, const struct fetch_result *r)
{
	struct probe_sts *s = ctx;
	char words[ERR_LOG_MAX];

	s->get = NULL;
	finish(s, parse(s, r, words));
}

static void
fetch_policy(struct probe_sts *s)
{
	struct fetch_request q = { .host = s->host,
		.path = STR("/.well-known/mta-sts.txt"),
		.port = 443,
		.addrs = s->addrs,
		.naddrs = s->naddrs,
		.max = STS_POLICY_MAX,
		.ms = PROBE_STS_MS };

	if (s->naddrs > 0) {
		s->get = fetch_get(s->fetch, &q, on_policy, s);
		return;
	}
	finish(s, arena_strf(&s->arena, "%.*s has no address that can be had", STR_ARG(s->host)).p);
}

static void
on_address(void *ctx, const struct dns_answer *a)
{
	struct probe_sts *s = ctx;

	for (uint32_t i = 0; i < a->nrecords && s->naddrs < FETCH_ADDRESSES_MAX; i++)
		memcpy(s->addrs[s->naddrs++].ip, a->records[i].ip, sizeof s->addrs[0].ip);
	if (--s->open == 0)
		fetch_policy(s);
}

bool
sts_ask(struct probe_sts *s, struct loop *l, struct dns *dns, struct str ca_file, struct str domain,
    void (*done)(void *ctx), void *ctx)
{
	struct err e;

	*s = (struct probe_sts){ .done = done, .ctx = ctx };
	arena_init(&s->arena);
	s->fetch = fetch_open(l, ca_file, &e);
	if (s->fetch == NULL) {
		snprintf(s->words, sizeof s->words, "the policy cannot be fetched: %.*s", ERR_LOG_MAX - 64, e.log);
		return false;
	}
	s->host = arena_strf(&s->arena, "mta-sts.%.*s", STR_ARG(domain));
	s->open = 2;
	dns_ask(dns, DNS_A, s->host, on_address, s);
	dns_ask(dns, DNS_AAAA, s->host, on_address, s);
	return true;
}

void
sts_fini(struct probe_sts *s)
{
	fetch_cancel(s->get);
	if (s->fetch != NULL)
		fetch_close(s->fetch);
	arena_fini(&s->arena);
}
