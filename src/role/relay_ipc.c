/* relay_ipc.c - a job and its result as messages between queue and relay. Neither side believes the other: what does not
 * fit is nonsense, and nonsense is answered like a process that ended. */
#include "relay_ipc.h"

#include <stdio.h>

#include <postern/core/be.h>
#include <postern/core/buf.h>
#include <postern/core/cur.h>

enum { HOP_MAX = 4096, NO_HOP = 0xff, DSN_PASSED = 0x80 };

/* --- the job --- */

void
relay_job_pack(const struct queue_job *job, struct arena *a, struct relay_mail_ask *out)
{
	uint32_t n = (uint32_t)job->n;
	struct str *addresses = arena_array(a, n, sizeof *addresses);
	struct str *orcpts = arena_array(a, n, sizeof *orcpts);
	char *notifies = arena_array(a, n, 1);

	for (uint32_t i = 0; i < n; i++) {
		addresses[i] = job->rcpts[i].address;
		orcpts[i] = job->rcpts[i].orcpt;
		notifies[i] = (char)job->rcpts[i].notify;
	}
	*out = (struct relay_mail_ask){ .qid = job->qid,
		.sid = job->sid,
		.destination = job->destination,
		.sender = job->sender,
		.flags = job->flags,
		.ret = (uint8_t)job->ret,
		.envid = job->envid,
		.addresses = { addresses, n },
		.notifies = { notifies, n },
		.orcpts = { orcpts, n },
		.sts = job->sts,
		.handshakes_failed = job->handshakes_failed,
		.file = job->fd };
}

static bool
job_fits(const struct relay_mail_ask *ask)
{
	return ask->file != -1 && ask->addresses.n > 0 && ask->addresses.n <= QUEUE_JOB_MAX &&
	       ask->orcpts.n == ask->addresses.n && ask->notifies.n == ask->addresses.n &&
	       ask->destination.n < QUEUE_DESTINATION_SIZE && ask->sts.n <= QUEUE_STS_MAX &&
	       ask->ret <= ENVELOPE_RET_HDRS && (ask->flags & ~ENVELOPE_FLAGS_ALL) == 0;
}

bool
relay_job_unpack(const struct relay_mail_ask *ask, struct arena *a, struct queue_job *out)
{
	struct queue_job_rcpt *rcpts;

	if (!job_fits(ask))
		return false;
	rcpts = arena_array(a, ask->addresses.n, sizeof *rcpts);
	for (uint32_t i = 0; i < ask->addresses.n; i++)
		rcpts[i] = (struct queue_job_rcpt){ .address = ask->addresses.v[i],
			.notify = (unsigned char)ask->notifies.p[i],
			.orcpt = ask->orcpts.v[i] };
	*out = (struct queue_job){ .qid = ask->qid,
		.sid = ask->sid,
		.destination = ask->destination,
		.sender = ask->sender,
		.flags = ask->flags,
		.ret = (enum envelope_ret)ask->ret,
		.envid = ask->envid,
		.rcpts = rcpts,
		.n = ask->addresses.n,
		.sts = ask->sts,
		.handshakes_failed = ask->handshakes_failed,
		.fd = ask->file };
	return true;
}

/* --- the result --- */

static struct str
pack_hop(const struct queue_hop *h, struct arena *a)
{
	struct buf b;
	struct str s;

	buf_init(&b, HOP_MAX);
	buf_add_be(&b, 1, h->wanted);
	buf_add_be(&b, 1, h->got);
	buf_add_be(&b, 1, h->policy);
	buf_add_be(&b, 1, h->counted);
	buf_add_be(&b, 1, h->result);
	buf_add_be(&b, 1, h->handshake_failed);
	buf_add_be(&b, 1, h->plain);
	buf_add_be(&b, 4, h->connect_ms);
	buf_add_be(&b, 4, h->transfer_ms);
	buf_add_str16(&b, h->host);
	buf_add_str16(&b, h->ip);
	buf_add_str16(&b, h->why);
	buf_add_str16(&b, h->reason);
	s = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return s;
}

static bool
unpack_hop(struct str bytes, struct queue_hop *h)
{
	struct cur c = cur_init(bytes);

	h->wanted = (enum tls_level)cur_be_in(&c, 1, 0, TLS_LEVELS - 1);
	h->got = (enum tls_level)cur_be_in(&c, 1, 0, TLS_LEVELS - 1);
	h->policy = (enum tlsrpt_policy)cur_be_in(&c, 1, 0, TLSRPT_POLICIES - 1);
	h->counted = cur_be_in(&c, 1, 0, 1) != 0;
	h->result = (enum tlsrpt_result)cur_be_in(&c, 1, 0, TLSRPT_RESULTS - 1);
	h->handshake_failed = cur_be_in(&c, 1, 0, 1) != 0;
	h->plain = cur_be_in(&c, 1, 0, 1) != 0;
	h->connect_ms = (uint32_t)cur_be(&c, 4);
	h->transfer_ms = (uint32_t)cur_be(&c, 4);
	h->host = envelope_take_text(&c, HOP_MAX);
	h->ip = envelope_take_text(&c, HOP_MAX);
	h->why = envelope_take_text(&c, HOP_MAX);
	h->reason = envelope_take_text(&c, HOP_MAX);
	return cur_end(&c);
}

void
relay_result_pack(const struct queue_relayed *r, struct arena *a, struct relay_mail_answer *out)
{
	uint32_t n = (uint32_t)r->n;
	uint32_t nhops = r->nhops < QUEUE_HOPS_MAX ? (uint32_t)r->nhops : QUEUE_HOPS_MAX;
	char *verdicts = arena_array(a, n, 1);
	char *hop_of = arena_array(a, n, 1);
	struct str *statuses = arena_array(a, n, sizeof *statuses);
	struct str *texts = arena_array(a, n, sizeof *texts);
	struct str *hops = arena_array(a, nhops, sizeof *hops);

	for (uint32_t i = 0; i < n; i++) {
		const struct queue_relayed_rcpt *rcpt = &r->rcpts[i];

		verdicts[i] = (char)(rcpt->verdict | (rcpt->dsn_passed ? DSN_PASSED : 0));
		hop_of[i] = (char)(rcpt->hop < nhops ? rcpt->hop : NO_HOP);
		statuses[i] = str_of(rcpt->status);
		texts[i] = str_of(rcpt->text);
	}
	for (uint32_t i = 0; i < nhops; i++)
		hops[i] = pack_hop(&r->hops[i], a);
	*out = (struct relay_mail_answer){ .reached = (uint8_t)r->reach,
		.verdicts = { verdicts, n },
		.hop_of = { hop_of, n },
		.statuses = { statuses, n },
		.texts = { texts, n },
		.hops = { hops, nhops } };
}

static bool
result_fits(const struct relay_mail_answer *answer)
{
	size_t n = answer->verdicts.n;

	return n > 0 && n <= QUEUE_JOB_MAX && answer->hop_of.n == n && answer->statuses.n == n &&
	       answer->texts.n == n && answer->hops.n <= QUEUE_HOPS_MAX && answer->reached <= QUEUE_CROWDED;
}

static bool
unpack_rcpt(const struct relay_mail_answer *answer, uint32_t i, struct queue_relayed_rcpt *out)
{
	unsigned verdict = (unsigned char)answer->verdicts.p[i];
	unsigned hop = (unsigned char)answer->hop_of.p[i];

	*out = (struct queue_relayed_rcpt){ .verdict = (enum queue_verdict)(verdict & ~(unsigned)DSN_PASSED),
		.dsn_passed = (verdict & DSN_PASSED) != 0,
		.hop = hop < answer->hops.n ? hop : (unsigned)answer->hops.n };
	snprintf(out->status, sizeof out->status, "%.*s", STR_ARG(answer->statuses.v[i]));
	snprintf(out->text, sizeof out->text, "%.*s", STR_ARG(answer->texts.v[i]));
	return out->verdict == QUEUE_DONE || out->verdict == QUEUE_TEMP || out->verdict == QUEUE_PERM;
}

bool
relay_result_unpack(const struct relay_mail_answer *answer, struct arena *a, struct queue_relayed *out)
{
	struct queue_relayed_rcpt *rcpts;
	struct queue_hop *hops;

	if (!result_fits(answer))
		return false;
	rcpts = arena_array(a, answer->verdicts.n, sizeof *rcpts);
	hops = arena_array(a, answer->hops.n, sizeof *hops);
	for (uint32_t i = 0; i < answer->verdicts.n; i++)
		if (!unpack_rcpt(answer, i, &rcpts[i]))
			return false;
	for (uint32_t i = 0; i < answer->hops.n; i++)
		if (!unpack_hop(answer->hops.v[i], &hops[i]))
			return false;
	*out = (struct queue_relayed){ .reach = (enum queue_reach)answer->reached,
		.rcpts = rcpts,
		.n = answer->verdicts.n,
		.hops = hops,
		.nhops = answer->hops.n };
	return true;
}
