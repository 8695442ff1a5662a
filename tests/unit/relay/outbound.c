/* outbound.c - a relay, the servers it sends to, and a plan that says where they are. */
#include "outbound.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/message/envelope.h>

static struct outbound *here; /* whose plan it is */

/* --- the plan --- */

struct relay_planning {
	struct loop_timer timer;
	void (*done)(void *ctx, const struct relay_plan *p);
	void *ctx;
};

static void
on_planned(void *ctx)
{
	struct relay_planning *p = ctx;

	p->done(p->ctx, &here->plan);
}

struct relay_planning *
relay_plan_ask(const struct relay_ops *ops, void *ops_ctx, struct loop *loop, const struct relay_plan_query *q,
    void (*done)(void *ctx, const struct relay_plan *p), void *ctx)
{
	struct relay_planning *p = NEW(struct relay_planning);

	(void)ops;
	(void)ops_ctx;
	here->plans++;
	here->asked_message = q->message;
	p->done = done;
	p->ctx = ctx;
	loop_timer_init(&p->timer, loop, on_planned, p);
	loop_timer_start(&p->timer, 0);
	return p;
}

void
relay_plan_free(struct relay_planning *p)
{
	loop_timer_fini(&p->timer);
	free(p);
}

struct relay_host *
out_host(struct outbound *w, const char *name)
{
	struct relay_host *h = &w->hosts[w->plan.nhosts++];

	h->name = str_of(name);
	h->words = "";
	h->ttl = 3600;
	out_demand(h, TLS_LEVEL_MAY);
	w->plan.verdict = QUEUE_DONE;
	w->plan.hosts = w->hosts;
	return h;
}

void
out_add_addr(struct relay_host *h, struct addr a)
{
	h->addrs[h->naddrs++] = a;
}

void
out_demand(struct relay_host *h, enum tls_level level)
{
	struct tls_decision *d = &h->decision;
	bool strict = level >= TLS_LEVEL_ENCRYPT;

	*d = (struct tls_decision){ .connect = true, .level = level, .sni = h->name };
	d->check = level >= TLS_LEVEL_VERIFY ? TLS_CHECK_MUST : TLS_CHECK_NOTE;
	d->on[TLS_FAILURE_NOT_OFFERED] = d->on[TLS_FAILURE_HANDSHAKE] = strict ? TLS_NEXT_HOST : TLS_NEXT_PLAIN;
	d->on[TLS_FAILURE_UNAUTHENTICATED] = level >= TLS_LEVEL_VERIFY ? TLS_NEXT_HOST : TLS_NEXT_UNAUTHENTICATED;
	d->names[d->n_names++] = h->name;
	snprintf(d->why, sizeof d->why, "the test demands %s", tls_level_name(level));
}

struct peer *
out_server(struct outbound *w, const char *name, const struct peer_script *script)
{
	struct peer *p = peer_new(w->loop, "127.0.0.1", script);

	w->peers[w->npeers++] = p;
	out_add_addr(out_host(w, name), peer_addr(p));
	return p;
}

/* --- certificates --- */

struct out_certs out_certs;

int
out_make_certs(void **state)
{
	struct out_certs *c = &out_certs;

	(void)state;
	c->ca = pki_cert_new(&(struct pki_make){ .cn = "Test CA", .ca = true });
	c->mx = pki_cert_new(&(struct pki_make){ .cn = "mx", .san = "DNS:mx.remote.test", .issuer = &c->ca });
	c->other = pki_cert_new(&(struct pki_make){ .cn = "other", .san = "DNS:other.test", .issuer = &c->ca });
	return 0;
}

int
out_free_certs(void **state)
{
	(void)state;
	pki_cert_free(&out_certs.ca);
	pki_cert_free(&out_certs.mx);
	pki_cert_free(&out_certs.other);
	return 0;
}

/* --- the relay --- */

static struct str
op_password(void *ctx, const struct conf_route *route)
{
	(void)route;
	return str_of(((struct outbound *)ctx)->password);
}

static const struct relay_ops ops = { .password = op_password };

static const struct conf *
parse(const char *more)
{
	char text[2048];
	struct conf_errors e;
	const struct conf *c;

	snprintf(text, sizeof text, "hostname = \"mail.example.test\"\ndomains = { \"example.test\" }\n%s\n%s\n",
	    strstr(more, "relay {") == NULL ? "relay { connect_timeout = 1s }" : "", more);
	conf_errors_init(&e);
	c = conf_parse(str_of(text), "test.conf", &e);
	for (size_t i = 0; i < e.n; i++)
		fprintf(stderr, "%s\n", e.v[i].text);
	assert_non_null(c);
	conf_errors_fini(&e);
	return c;
}

static void
swallow(void *ctx, struct str line)
{
	(void)ctx;
	if (getenv("RELAY_TEST_LOG") != NULL)
		fwrite(line.p, 1, line.n, stderr);
}

void
out_open(struct outbound *w, const char *conf)
{
	*w = (struct outbound){ .loop = loop_new(), .conf = parse(conf), .tls = tls_client_new(), .password = "" };
	here = w;
	log_to(swallow, NULL);
	w->relay = relay_new(w->loop, w->conf, w->tls, &ops, w);
}

void
out_open_trusting(struct outbound *w, const char *conf)
{
	struct buf pem;
	struct err e;

	out_open(w, conf);
	buf_init(&pem, 1 << 16);
	pki_cert_pem(&out_certs.ca, &pem);
	assert_true(tls_client_add_ca(w->tls, buf_str(&pem), "test", NULL, &e));
	buf_fini(&pem);
}

void
out_configure(struct outbound *w, const char *conf)
{
	conf_unref(w->conf);
	w->conf = parse(conf);
	relay_configure(w->relay, w->conf);
}

void
out_close(struct outbound *w)
{
	relay_free(w->relay);
	for (unsigned i = 0; i < w->npeers; i++)
		peer_free(w->peers[i]);
	for (int i = 0; i < 3; i++)
		loop_turn(w->loop); /* connections free themselves in a turn of their own */
	tls_client_free(w->tls);
	conf_unref(w->conf);
	loop_free(w->loop);
}

/* --- jobs --- */

static int
write_message(const struct out_mail *m)
{
	struct envelope_writer w;
	struct envelope e = { .qid = id_new(),
		.received = wall_now(),
		.sid = STR("sid"),
		.helo = STR("h"),
		.protocol = STR("ESMTP"),
		.sender = str_of(m->sender) };
	struct envelope_recipient r = { .address = STR("b@remote.test") };
	struct envelope_target t = { .kind = ENVELOPE_REMOTE, .address = STR("b@remote.test") };
	const char *body = m->body != NULL ? m->body : "Subject: hi\r\n\r\n.dot\r\nbody\r\n";
	int fd = envelope_memfd();

	assert_true(
	    envelope_write_begin(&w, fd, &e) && envelope_write_recipient(&w, &r) && envelope_write_target(&w, &t));
	assert_true(envelope_write_body(&w, str_from(body, m->body_n > 0 ? m->body_n : strlen(body))));
	assert_true(envelope_write_prefix(&w, STR("Received: from here\r\n")));
	assert_true(envelope_write_finish(&w, m->flags));
	envelope_write_end(&w);
	return fd;
}

static void
copy_text(char *to, struct str from)
{
	assert_true(from.n < 64);
	memcpy(to, from.p, from.n);
	to[from.n] = '\0';
}

static void
copy_hop(struct out_result *r, size_t i, const struct queue_hop *h)
{
	assert_true(h->why.n < QUEUE_TEXT_SIZE);
	r->hops[i] = *h;
	copy_text(r->host[i], h->host);
	copy_text(r->ip[i], h->ip);
	copy_text(r->reason[i], h->reason);
	memcpy(r->why[i], h->why.p, h->why.n);
}

static void
on_done(void *ctx, const struct queue_relayed *result)
{
	struct out_result *r = ctx;

	assert_false(r->done);
	assert_int_equal(result->n, r->n);
	r->done = true;
	r->reach = result->reach;
	r->nhops = result->nhops;
	for (size_t i = 0; i < r->n; i++) {
		r->rcpts[i] = result->rcpts[i];
		assert_true(r->rcpts[i].text[0] != '\0' && r->rcpts[i].hop <= result->nhops);
	}
	for (size_t i = 0; i < r->nhops; i++)
		copy_hop(r, i, &result->hops[i]);
}

unsigned
out_send(struct outbound *w, const struct out_mail *m)
{
	struct out_mail mail = *m;
	struct out_result *r = &w->results[w->njobs];
	struct queue_job_rcpt rcpts[OUT_RCPTS_MAX];
	struct queue_job job = {
		.qid = id_new(), .sid = STR("sid"), .flags = m->flags, .rcpts = rcpts, .sts = str_of(m->sts)
	};

	assert_true(w->njobs < OUT_JOBS_MAX);
	mail.sender = m->sender != NULL ? m->sender : "a@example.test";
	mail.rcpts[0] = m->rcpts[0] != NULL ? m->rcpts[0] : "b@remote.test";
	while (job.n < OUT_RCPTS_MAX && mail.rcpts[job.n] != NULL) {
		rcpts[job.n] = (struct queue_job_rcpt){ .address = str_of(mail.rcpts[job.n]), .notify = m->notify };
		job.n++;
	}
	job.destination = str_of(m->destination != NULL ? m->destination : "remote.test");
	job.sender = str_of(mail.sender);
	job.fd = write_message(&mail);
	*r = (struct out_result){ .n = job.n };
	relay_send(w->relay, &job, on_done, r);
	assert_false(r->done);
	close(job.fd);
	return w->njobs++;
}

/* Of the machine: the test may have made time stand still. */
static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct out_result *
out_wait(struct outbound *w, unsigned job)
{
	int64_t end = now_ms() + 20000;

	while (!w->results[job].done && now_ms() < end)
		out_run(w, 1);
	assert_true(w->results[job].done);
	return &w->results[job];
}

struct out_result *
out_deliver(struct outbound *w, const struct out_mail *m)
{
	return out_wait(w, out_send(w, m));
}

static void
nothing(void *ctx)
{
	(void)ctx;
}

void
out_run(struct outbound *w, int ms)
{
	int64_t end = now_ms() + ms;
	struct loop_timer t;

	loop_timer_init(&t, w->loop, nothing, NULL);
	while (now_ms() < end) {
		loop_timer_start(&t, end - now_ms());
		loop_once(w->loop);
	}
	loop_timer_fini(&t);
}

void
assert_says(const char *text, const char *words)
{
	if (strstr(text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

void
assert_verdict(const struct out_result *r, size_t i, enum queue_verdict verdict, const char *status, const char *words)
{
	static const char *const names[] = { "done", "temp", "perm" };

	assert_true(i < r->n);
	if (r->rcpts[i].verdict != verdict || strcmp(r->rcpts[i].status, status) != 0)
		fail_msg("recipient %zu: %s %s \"%s\", not %s %s", i, names[r->rcpts[i].verdict], r->rcpts[i].status,
		    r->rcpts[i].text, names[verdict], status);
	assert_says(r->rcpts[i].text, words);
}
