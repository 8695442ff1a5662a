/* dns.c - the dns role: the one process that asks the network for names. It validates what it hears and answers
 * LOOKUP.
 *
 * Trust anchor and root hints are read outside, as the configuration names them, and copied into <state>/dns by the
 * role itself, so that nothing is written there with root's rights. From then on libunbound keeps its copy (RFC
 * 5011); a changed original begins a new one. Without an anchor nothing can be trusted: every question is answered
 * FAILED, which is temporary for mail, and the log and `status` say so. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/dns/resolver.h>
#include <postern/role/verbs.h>

#include "env.h"
#include "roles.h"

enum {
	ANCHOR_FILE_MAX = 64 * 1024,
	HINTS_FILE_MAX = 1024 * 1024,
	ANCHOR_LOOK_MS = 12 * 60 * 60 * 1000, /* RFC 5011 2.3: keys are looked at also while nobody asks */
	PATH_SIZE = 4200,
};

/* A file from outside. */
struct given {
	struct str path; /* as configured, for messages */
	struct buf text;
	bool there;
	int error; /* when not */
};

struct dns_role {
	struct env *env;
	struct dns_admin admin;
	struct given anchor;
	struct given hints;
	char anchor_copy[PATH_SIZE];
	char hints_copy[PATH_SIZE];
	char broken[ERR_LOG_MAX];
	struct loop_timer look;
};

static struct dns_role *
role_of(struct env *env)
{
	return env->role;
}

/* --- files --- */

static void
read_given(struct given *g, struct str path, size_t max)
{
	g->path = path;
	buf_init(&g->text, max);
	if (path.n == 0)
		return;
	g->there = io_read_file(AT_FDCWD, path.p, &g->text);
	g->error = errno;
}

static void
open_outside(struct env *env)
{
	struct dns_role *r = NEW(struct dns_role);

	r->env = env;
	read_given(&r->anchor, env->conf->dns.trust_anchor, ANCHOR_FILE_MAX);
	read_given(&r->hints, env->conf->dns.root_hints, HINTS_FILE_MAX);
	env->role = r;
}

static void
copy_path(const struct dns_role *r, const char *name, char out[static PATH_SIZE])
{
	snprintf(out, PATH_SIZE, "%s/%s", r->env->root, name);
}

/* Whole or not at all. */
static bool
write_copy(const char *path, struct str text, struct err *e)
{
	char fresh[PATH_SIZE + 8];
	int fd;
	bool ok;

	snprintf(fresh, sizeof fresh, "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ok = fd != -1 && io_write_all(fd, text) && fsync(fd) == 0 && rename(fresh, path) == 0;
	if (!ok)
		err_temp(e, "", "cannot write %s in the state directory's dns: %s", path, strerror(errno));
	io_close(&fd);
	return ok;
}

/* Is the copy one of what the configuration names now? */
static bool
copy_is_current(const struct dns_role *r, const char *original)
{
	struct buf was;
	bool same;

	buf_init(&was, ANCHOR_FILE_MAX);
	same = io_read_file(AT_FDCWD, original, &was) && str_eq(buf_str(&was), buf_str(&r->anchor.text)) &&
	       access(r->anchor_copy, R_OK) == 0;
	buf_fini(&was);
	return same;
}

/* The copy that libunbound keeps, and beside it what it began as. */
static bool
renew_anchor(struct dns_role *r, const char *original, struct err *e)
{
	struct str text = buf_str(&r->anchor.text);

	return write_copy(r->anchor_copy, text, e) && write_copy(original, text, e);
}

enum anchor_use { ANCHOR_AS_KEPT, ANCHOR_ANEW };

static bool
prepare_anchor(struct dns_role *r, enum anchor_use use, struct err *e)
{
	char original[PATH_SIZE];

	copy_path(r, "anchor", r->anchor_copy);
	copy_path(r, "anchor.original", original);
	if (r->anchor.there)
		return (use == ANCHOR_AS_KEPT && copy_is_current(r, original)) || renew_anchor(r, original, e);
	if (use == ANCHOR_AS_KEPT && access(r->anchor_copy, R_OK) == 0) {
		log_say(LEVEL_WARN, "dns", "trust anchor %s: %s; the kept copy serves", r->anchor.path.p,
		    strerror(r->anchor.error));
		return true;
	}
	return err_perm(e, "", "trust anchor %s: %s; install dns-root-data or set dns.trust_anchor", r->anchor.path.p,
	    strerror(r->anchor.error));
}

static bool
prepare_hints(struct dns_role *r, struct err *e)
{
	copy_path(r, "root.hints", r->hints_copy);
	if (r->hints.there)
		return write_copy(r->hints_copy, buf_str(&r->hints.text), e);
	return err_perm(e, "", "root hints %s: %s", r->hints.path.p, strerror(r->hints.error));
}

/* --- the resolver --- */

static struct dns *
open_resolver(struct dns_role *r, enum anchor_use use, struct err *e)
{
	const struct conf_dns *conf = &r->env->conf->dns;
	const char *forward[DNS_FORWARDERS_MAX + 1] = { NULL };
	struct dns_options o = { .anchor_kept = true, .forward = forward };
	struct dns *d;
	struct arena a;

	if (conf->trust_anchor.n > 0) {
		if (!prepare_anchor(r, use, e))
			return NULL;
		o.anchor = r->anchor_copy;
	}
	if (conf->root_hints.n > 0) {
		if (!prepare_hints(r, e))
			return NULL;
		o.root_hints = r->hints_copy;
	}
	arena_init(&a);
	for (size_t i = 0; i < conf->forward.n && i < DNS_FORWARDERS_MAX; i++)
		forward[i] = dns_forwarder(&conf->forward.v[i], &a);
	d = dns_open(r->env->loop, &o, e);
	arena_fini(&a);
	return d;
}

static void
begin(struct dns_role *r)
{
	struct err e;

	r->admin = (struct dns_admin){ .dns = open_resolver(r, ANCHOR_AS_KEPT, &e) };
	if (r->admin.dns == NULL && r->anchor.there) {
		log_say(LEVEL_WARN, "dns", "%s; beginning anew with %s", e.log, r->anchor.path.p);
		r->admin.dns = open_resolver(r, ANCHOR_ANEW, &e);
	}
	if (r->admin.dns != NULL)
		return;
	snprintf(r->broken, sizeof r->broken, "%s", e.log);
	r->admin.broken = r->broken;
	log_say(LEVEL_ERROR, "dns", "no names can be looked up: %s", r->broken);
}

static void
on_looked(void *ctx, const struct dns_answer *a)
{
	(void)ctx;
	if (a->status == DNS_BOGUS)
		log_say(LEVEL_ERROR, "dns",
		    "the root does not validate: is the trust anchor right, and the clock? %.*s", STR_ARG(a->why));
}

/* Any question for the root makes libunbound look at its keys when they are old. */
static void
look_at_root(void *ctx)
{
	struct dns_role *r = ctx;

	if (r->admin.dns != NULL)
		dns_ask(r->admin.dns, DNS_A, STR("."), on_looked, r);
	loop_timer_start(&r->look, ANCHOR_LOOK_MS);
}

static void
start(struct env *env)
{
	struct dns_role *r = role_of(env);

	if (env->conf->dns.trust_anchor.n == 0)
		log_say(LEVEL_WARN, "dns", "dns.trust_anchor is empty: nothing is validated, there is no DANE");
	begin(r);
	loop_timer_init(&r->look, env->loop, look_at_root, r);
	loop_timer_start(&r->look, ANCHOR_LOOK_MS);
}

static bool
same_servers(const struct conf_addrs *a, const struct conf_addrs *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = str_eq(a->v[i].text, b->v[i].text);
	return same;
}

static void
reload(struct env *env, const struct conf *was)
{
	struct dns_role *r = role_of(env);

	if (same_servers(&was->dns.forward, &env->conf->dns.forward))
		return;
	dns_close(r->admin.dns);
	begin(r);
}

/* --- questions --- */

struct lookup {
	struct ipc_question *question;
	enum dns_type type;
};

static void
on_answer(void *ctx, const struct dns_answer *answer)
{
	struct lookup *l = ctx;
	struct lookup_answer out;
	struct arena a;

	arena_init(&a);
	dns_answer_pack(answer, l->type, &a, &out);
	answer_lookup(l->question, &out);
	arena_fini(&a);
	free(l);
}

static void
on_lookup(void *ctx, struct ipc_question *q, const struct lookup_ask *ask)
{
	struct dns_role *r = role_of(ctx);
	struct lookup *l;

	if (r->admin.dns == NULL) {
		answer_lookup(q, &(struct lookup_answer){ .status = DNS_FAILED, .why = str_of(r->broken) });
		return;
	}
	l = NEW(struct lookup);
	*l = (struct lookup){ q, (enum dns_type)ask->type };
	dns_ask(r->admin.dns, l->type, ask->name, on_answer, l);
}

static void
counters(struct env *env, struct counters_out *out)
{
	const struct dns_role *r = role_of(env);
	struct dns_counts c = { 0 };

	counter_add(out, "out_of_service", r->admin.dns == NULL);
	if (r->admin.dns != NULL)
		dns_count(r->admin.dns, &c);
	counter_add(out, "asked", c.asked);
	for (unsigned i = 0; i < DNS_STATUSES; i++)
		counter_add(out, dns_status_name(i), c.by_status[i]);
	counter_add(out, "open", c.flying + c.waiting);
}

static void *
admin(struct env *env)
{
	return &role_of(env)->admin;
}

static const struct ipc_handlers handlers = { .lookup = on_lookup };

const struct role_ops dns_ops = {
	.handlers = &handlers,
	.verbs = dns_verbs,
	.admin = admin,
	.open = open_outside,
	.start = start,
	.reload = reload,
	.counters = counters,
};
