/* front.c - certificates as keys sends them, doors as the parent opened them.
 *
 * Limits of the configuration are for a service as a whole; each of its processes takes its share. */
#include "front.h"

#include <stdlib.h>
#include <unistd.h>

#include <postern/core/clock.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

#include "sign.h"

struct door {
	enum conf_service service; /* SERVICE_COUNT: the local socket */
	int fd;
	struct listen_ops ops;
	void *ctx;
	struct listener *listener;
};

struct front {
	struct env *env;
	struct door doors[FRONT_DOORS_MAX];
	unsigned ndoors;
	struct listen_gate *gates[SERVICE_COUNT + 1];
	bool started;
	bool open;

	struct arena arena; /* of the certificates that are arriving */
	struct tls_cert certs[TLS_CERTS_MAX];
	size_t ncerts;
	bool have_certs;
	struct tls_server *servers[SERVICE_COUNT];
	struct tls_ticket_ring tickets[SERVICE_COUNT];
	bool have_tickets[SERVICE_COUNT];
	struct tls_signer signer;
};

struct front *
front_of(struct env *env)
{
	struct front *f = env->front;

	if (f != NULL)
		return f;
	f = NEW(struct front);
	f->env = env;
	f->signer = (struct tls_signer){ sign_by_keys, env };
	arena_init(&f->arena);
	env->front = f;
	return f;
}

void
front_add_door(struct front *f, struct str service, int fd, const struct listen_ops *ops, void *ctx)
{
	struct door *d = &f->doors[f->ndoors];

	if (f->ndoors == FRONT_DOORS_MAX)
		log_fatal("more than %d addresses to listen on", FRONT_DOORS_MAX);
	*d = (struct door){ .service = SERVICE_COUNT, .fd = fd, .ops = *ops, .ctx = ctx };
	for (int i = 0; i < SERVICE_COUNT; i++)
		if (str_eq(service, str_of(conf_service_name((enum conf_service)i))))
			d->service = (enum conf_service)i;
	f->ndoors++;
}

static uint32_t
share(unsigned limit, unsigned processes)
{
	return processes > 1 ? (limit + processes - 1) / processes : limit;
}

static struct listen_limits
limits_now(const struct front *f)
{
	const struct conf *conf = f->env->conf;
	unsigned n = f->env->row->count(conf);

	return (struct listen_limits){ .total = share(conf->limits.connections, n),
		.per_source = share(conf->limits.connections_per_source, n),
		.per_source_minute = share(FRONT_SOURCE_PER_MINUTE, n) };
}

/* Who may connect as often as he likes: this machine, and those who relay through us. */
static struct listen_gate *
new_gate(const struct front *f, const struct listen_limits *limits)
{
	const struct conf_nets *nets = &f->env->conf->relay_from;
	struct addr_net *list = mem_array(nets->n + 2, sizeof *list);
	struct listen_gate *g;

	for (size_t i = 0; i < nets->n; i++) {
		memcpy(list[i].ip, nets->v[i].addr, sizeof list[i].ip);
		list[i].bits = (uint8_t)nets->v[i].bits;
	}
	list[nets->n] = (struct addr_net){ .ip = { [10] = 0xff, [11] = 0xff, [12] = 127 }, .bits = 104 };
	list[nets->n + 1] = (struct addr_net){ .ip = { [15] = 1 }, .bits = 128 };
	g = listen_gate_new(limits, list, nets->n + 2);
	free(list);
	return g;
}

static void
open_doors(struct front *f)
{
	struct listen_limits limits = limits_now(f);

	if (f->open || !f->started || !f->have_certs || f->env->draining)
		return;
	f->open = true;
	for (unsigned i = 0; i < f->ndoors; i++) {
		struct door *d = &f->doors[i];

		if (f->gates[d->service] == NULL)
			f->gates[d->service] = new_gate(f, &limits);
		d->listener = listener_new(f->env->loop, d->fd, f->gates[d->service], &d->ops, d->ctx);
	}
}

void
front_start(struct front *f)
{
	f->started = true;
	open_doors(f);
}

void
front_close_doors(struct front *f)
{
	for (unsigned i = 0; i < f->ndoors; i++) {
		if (f->doors[i].listener != NULL)
			listener_free(f->doors[i].listener);
		f->doors[i].listener = NULL;
		io_close(&f->doors[i].fd);
	}
}

void
front_reload(struct front *f)
{
	struct listen_limits limits = limits_now(f);

	for (unsigned i = 0; i <= SERVICE_COUNT; i++)
		if (f->gates[i] != NULL)
			listen_gate_limit(f->gates[i], &limits);
}

void
front_left(struct front *f, enum conf_service service, const struct addr *peer)
{
	listen_gate_left(f->gates[service], peer);
}

unsigned
front_fill(const struct front *f)
{
	struct listen_limits limits = limits_now(f);
	uint32_t most = 0;

	for (unsigned i = 0; i < SERVICE_COUNT; i++)
		if (f->gates[i] != NULL && listen_gate_open(f->gates[i]) > most)
			most = listen_gate_open(f->gates[i]);
	return limits.total > 0 ? (unsigned)((uint64_t)most * 100 / limits.total) : 0;
}

void
front_sid(char sid[static SID_SIZE])
{
	char text[ID_TEXT_SIZE];

	id_text(id_new(), text);
	memcpy(sid, text + ID_TEXT_SIZE - SID_SIZE, SID_SIZE); /* the random end, with its NUL */
}

/* --- TLS --- */

static bool
is_ours(const struct front *f, int service)
{
	bool imap = service == SERVICE_IMAP || service == SERVICE_IMAPS;

	return imap == (f->env->row->role == ROLE_IMAP);
}

SSL *
front_tls(struct front *f, enum conf_service service)
{
	return f->servers[service] != NULL ? tls_server_session(f->servers[service]) : NULL;
}

size_t
front_mechanisms(const struct conf *conf, struct str out[static SASL_MECHANISMS_MAX])
{
	static const struct sasl_channel bound = {
		.tls = true, .scram = true, .exporter = STR_INIT("x"), .end_point = STR_INIT("x")
	};
	static const struct sasl_channel plain = { .tls = true };

	return sasl_offer(conf->auth.scram ? &bound : &plain, out);
}

void
front_bindings(const struct conn *c, struct front_bindings *b)
{
	SSL *ssl = conn_is_secure(c) ? conn_ssl(c) : NULL;

	b->exporter = str_from(b->exporter_bytes, ssl != NULL ? tls_binding_exporter(ssl, b->exporter_bytes) : 0);
	b->end_point = str_from(b->end_point_bytes, ssl != NULL ? tls_binding_end_point(ssl, b->end_point_bytes) : 0);
}

void
front_log_end(enum conf_service service, const char *sid, const char *client, const struct conn *c, enum conn_end why)
{
	/* a handshake was begun and not ended */
	if (conn_ssl(c) == NULL || conn_is_secure(c) || why == CONN_END_CLOSED)
		return;
	tls_facts_log_failure((enum tls_service)service, str_of(sid), str_of(client), conn_ssl(c), conn_tls_error(c),
	    why == CONN_END_TLS ? NULL : conn_end_words(why));
}

void
front_on_certificate(void *env, struct ipc_chan *from, const struct certificate_ask *said)
{
	struct front *f = front_of(env);
	struct str name = said->names.n > 0 ? said->names.v[0] : STR("");

	(void)from;
	if (f->ncerts == TLS_CERTS_MAX)
		return;
	f->certs[f->ncerts++] = (struct tls_cert){ .name = arena_str(&f->arena, name),
		.key_id = arena_str(&f->arena, said->key),
		.chain = arena_str(&f->arena, said->chain) };
}

static void
use_certificates(struct front *f, int i)
{
	struct err e;

	if (f->servers[i] != NULL) {
		if (!tls_server_replace(f->servers[i], f->certs, f->ncerts, &e))
			log_say(LEVEL_ERROR, "tls", "%s: the old certificates stay: %s",
			    conf_service_name((enum conf_service)i), e.log);
		return;
	}
	f->servers[i] = tls_server_new((enum tls_service)i, f->certs, f->ncerts, &f->signer, &e);
	if (f->servers[i] == NULL)
		log_say(LEVEL_ERROR, "tls", "%s: no TLS: %s", conf_service_name((enum conf_service)i), e.log);
	else if (f->have_tickets[i])
		tls_server_tickets(f->servers[i], &f->tickets[i]);
}

void
front_on_certificates_end(void *env, struct ipc_chan *from, const struct certificates_end_ask *said)
{
	struct front *f = front_of(env);

	(void)from;
	(void)said;
	for (int i = 0; i < SERVICE_COUNT; i++)
		if (is_ours(f, i) && f->ncerts > 0)
			use_certificates(f, i);
	f->ncerts = 0;
	arena_reset(&f->arena);
	f->have_certs = true;
	open_doors(f);
}

void
front_on_ticket_key(void *env, struct ipc_chan *from, const struct ticket_key_ask *said)
{
	struct front *f = front_of(env);

	(void)from;
	for (int i = 0; i < SERVICE_COUNT; i++) {
		if (!str_eq(said->service, str_of(conf_service_name((enum conf_service)i))) ||
		    said->key.n != sizeof f->tickets[i])
			continue;
		memcpy(&f->tickets[i], said->key.p, sizeof f->tickets[i]);
		f->have_tickets[i] = true;
		if (f->servers[i] != NULL)
			tls_server_tickets(f->servers[i], &f->tickets[i]);
	}
}

/* --- */

static void
out_of_time(void *env)
{
	env_end(env);
}

void
front_drain_limit(struct env *env, unsigned seconds)
{
	static struct loop_timer limit;

	loop_timer_init(&limit, env->loop, out_of_time, env);
	loop_timer_start(&limit, (int64_t)seconds * 1000);
}

void
front_log_refused(void *ctx, const struct addr *peer, const char *why)
{
	static struct mono next;
	static unsigned untold;
	char client[ADDR_TEXT_SIZE];
	struct log_line l;

	(void)ctx;
	/* whoever floods us with connections does not flood the log as well */
	if (mono_before(mono_now(), next)) {
		untold++;
		return;
	}
	next = mono_add_ms(mono_now(), FRONT_REFUSED_MS);
	addr_text_ip(peer, client);
	log_begin(&l, LEVEL_WARN, "refuse");
	log_cstr(&l, "client", client);
	log_num(&l, "code", 421);
	log_cstr(&l, "why", why);
	if (untold > 0)
		log_num(&l, "before", untold);
	log_end(&l);
	untold = 0;
}
