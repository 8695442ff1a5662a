/* queue_sts.c - the queue's side of MTA-STS discovery (RFC 8461 3): record, then file. What cannot be learnt now is FAILED, and
 * what is known stays in force; a record that does not count is none. fetch faces the network: nothing of its answer is taken as
 * it comes. */
#include "queue_sts.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/mem.h>
#include <postern/dns/answer.h>
#include <postern/tls/sts.h>

#define RECORD_PREFIX "_mta-sts."

enum { WORDS_MAX = 400 };

struct look {
	struct ipc_chan *fetch;
	char *domain;
	char *known_id;
	bool refresh;
	char id[STS_ID_MAX + 1];
	uint32_t ttl;
	void (*done)(void *ctx, const struct queue_sts *s);
	void *ctx;
};

static void
finish(struct look *l, const struct queue_sts *s)
{
	l->done(l->ctx, s);
	free(l->domain);
	free(l->known_id);
	free(l);
}

/* One line, printable: what a server or a neighbour says may be anything. */
static void
make_printable(char *words)
{
	for (char *p = words; *p != '\0'; p++)
		if (!ascii_is_print(*p))
			*p = '?';
}

__attribute__((format(printf, 3, 4))) static void
fail(struct look *l, enum tlsrpt_result result, const char *format, ...)
{
	char words[WORDS_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	make_printable(words);
	finish(l, &(struct queue_sts){
		      .news = QUEUE_STS_FAILED, .words = str_of(words), .result = result, .ttl = STS_RETRY_S });
}

/* --- the file --- */

static bool
read_policy(int fd, struct buf *body, struct err *e)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fd != -1 ? fcntl(fd, F_GET_SEALS) : -1;
	struct stat st;

	/* memory, so that reading does not wait; sealed, so that it does not change */
	if (seals == -1 || (seals & wanted) != wanted || fstat(fd, &st) == -1)
		return err_temp(e, "", "fetch gave no sealed file");
	return (st.st_size <= STS_POLICY_MAX && io_read_fd(fd, body)) ||
	       err_temp(e, "", "fetch gave a file that is too large");
}

/* In the form that is kept. */
static bool
rewrite_policy(struct str body, struct buf *out, struct err *e)
{
	struct sts_policy policy;

	if (!tls_sts_parse_policy(body, &policy, e))
		return false;
	tls_sts_write_policy(&policy, out);
	return !out->over || err_perm(e, "", "MTA-STS policy: more than %u bytes of it to keep", QUEUE_STS_MAX);
}

static void
take_file(struct look *l, int fd)
{
	struct buf body, kept;
	struct err e;

	buf_init(&body, STS_POLICY_MAX);
	buf_init(&kept, QUEUE_STS_MAX);
	if (!read_policy(fd, &body, &e))
		fail(l, TLSRPT_STS_POLICY_FETCH_ERROR, "%s", e.log);
	else if (!rewrite_policy(buf_str(&body), &kept, &e))
		fail(l, TLSRPT_STS_POLICY_INVALID, "%s", e.log);
	else
		finish(l, &(struct queue_sts){
			      .news = QUEUE_STS_NEW, .id = str_of(l->id), .policy = buf_str(&kept), .ttl = l->ttl });
	buf_fini(&body);
	buf_fini(&kept);
}

static void
on_file(void *ctx, const struct fetch_policy_answer *a)
{
	struct look *l = ctx;
	int fd = a != NULL ? a->body : -1;
	enum tlsrpt_result result = TLSRPT_STS_POLICY_FETCH_ERROR;

	if (a != NULL && (a->result == TLSRPT_STS_POLICY_INVALID || a->result == TLSRPT_STS_WEBPKI_INVALID))
		result = (enum tlsrpt_result)a->result;
	if (a == NULL)
		fail(l, result, "the process that fetches policies ended");
	else if (a->result != TLSRPT_OK)
		fail(l, result, "%.*s", STR_ARG(a->why));
	else
		take_file(l, fd);
	io_close(&fd);
}

/* --- the record --- */

static void
take_record(struct look *l, struct str id)
{
	snprintf(l->id, sizeof l->id, "%.*s", STR_ARG(id));
	if (!l->refresh && str_eq(id, str_of(l->known_id)))
		finish(l, &(struct queue_sts){ .news = QUEUE_STS_SAME, .id = str_of(l->id), .ttl = l->ttl });
	else
		ask_fetch_policy(l->fetch, &(struct fetch_policy_ask){ .domain = str_of(l->domain) }, on_file, l);
}

static void
take_records(struct look *l, const struct dns_answer *answer, struct arena *a)
{
	struct str *texts = arena_array(a, answer->nrecords, sizeof *texts);
	struct str id;
	struct err e;

	for (uint32_t i = 0; i < answer->nrecords; i++)
		texts[i] = answer->records[i].text;
	l->ttl = answer->ttl;
	if (tls_sts_choose_record(texts, answer->nrecords, &id, &e))
		take_record(l, id);
	else /* RFC 8461 3.1 */
		finish(l, &(struct queue_sts){ .news = QUEUE_STS_NONE, .words = str_of(e.log), .ttl = l->ttl });
}

static void
on_records(void *ctx, const struct lookup_answer *said)
{
	struct look *l = ctx;
	struct dns_answer answer;
	struct arena a;

	arena_init(&a);
	dns_answer_unpack(said, DNS_TXT, &a, &answer);
	if (answer.status == DNS_FAILED || answer.status == DNS_BOGUS)
		fail(l, TLSRPT_STS_POLICY_FETCH_ERROR, "TXT " RECORD_PREFIX "%s: %s: %.*s", l->domain,
		    dns_status_name(answer.status), STR_ARG(answer.why));
	else
		take_records(l, &answer, &a);
	arena_fini(&a);
}

void
queue_sts_look(const struct queue_sts_query *q, void (*done)(void *ctx, const struct queue_sts *s), void *ctx)
{
	struct look *l = NEW(struct look);
	struct arena a;

	*l = (struct look){ .fetch = q->fetch,
		.domain = mem_cstr(q->domain),
		.known_id = mem_cstr(q->known_id),
		.refresh = q->refresh,
		.done = done,
		.ctx = ctx };
	arena_init(&a);
	ask_lookup(q->dns,
	    &(struct lookup_ask){ .type = DNS_TXT, .name = arena_strf(&a, RECORD_PREFIX "%s", l->domain) }, on_records,
	    l);
	arena_fini(&a);
}
