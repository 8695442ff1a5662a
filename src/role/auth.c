/* auth.c - the auth role: the directory, logins and recipients behind questions of smtp, imap, queue and the command line. */
#include <stdlib.h>
#include <sys/queue.h>

#include <postern/auth/directory.h>
#include <postern/auth/login.h>
#include <postern/auth/resolve.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>
#include <postern/net/addr.h>
#include <postern/role/owner.h>
#include <postern/role/verbs.h>

#include "env.h"
#include "roles.h"

enum { TEND_MS = 60 * 1000 };

struct auth {
	struct env *env;
	struct directory *dir;
	struct login *login;
	struct usage usage;
	struct resolver resolver;
	struct auth_admin admin;
	struct loop_timer tend;
	LIST_HEAD(, exchange) exchanges; /* questions to login.h not answered yet */
	uint64_t resolved;
};

struct exchange;

/* A client's address, whole: relay_from is compared with it, and the ledger of penalties takes the network itself. What is no
 * address (the local socket) is the loopback's. */
static struct source
source_of(struct str client)
{
	struct source out = { { [15] = 1 } };
	struct addr a;

	if (addr_parse_ip(client, &a))
		memcpy(out.b, a.ip, sizeof out.b);
	return out;
}

/* Each front process is an owner of its exchanges. */
static uint32_t
owner_number(enum role role, unsigned index)
{
	return (uint32_t)role * PEERS_MAX + index;
}

static uint32_t
asker(struct ipc_question *q)
{
	const struct ipc_chan *c = ipc_question_from(q);

	return owner_number(ipc_chan_peer(c), ipc_chan_index(c));
}

/* --- recipients --- */

static struct str
join_chain(struct arena *a, const struct resolve_answer *r)
{
	struct buf text;
	struct str out;

	buf_init(&text, 4096);
	for (size_t i = 0; i < r->nchain; i++) {
		if (i > 0)
			buf_add(&text, STR("; "));
		buf_add(&text, r->chain[i]);
	}
	out = arena_str(a, buf_str(&text));
	buf_fini(&text);
	return out;
}

/* Too many targets for one message cannot happen: an alias may become RESOLVE_TARGETS_MAX addresses of 320 bytes, which does not
 * fit, so the answer is cut off at what does and refused in words. */
static bool
fits(const struct resolve_answer *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->ntargets; i++)
		n += r->targets[i].address.n + r->targets[i].detail.n + 9;
	return n < IPC_MESSAGE_MAX - 8192;
}

static void
answer_targets(struct ipc_question *q, struct arena *a, const struct resolve_answer *r)
{
	uint32_t n = (uint32_t)r->ntargets;
	struct str *addresses = arena_array(a, n, sizeof *addresses);
	struct str *details = arena_array(a, n, sizeof *details);
	char *kinds = arena_alloc(a, n);

	for (uint32_t i = 0; i < n; i++) {
		addresses[i] = r->targets[i].address;
		details[i] = r->targets[i].detail;
		kinds[i] = r->targets[i].local ? 'l' : 'r';
	}
	answer_rcpt(q, &(struct rcpt_answer){ .verdict = (uint8_t)r->verdict,
			   .code = (uint16_t)r->code,
			   .enhanced = str_of(r->enhanced),
			   .words = str_of(r->words),
			   .why = join_chain(a, r),
			   .kinds = str_from(kinds, n),
			   .targets = { addresses, n },
			   .details = { details, n } });
}

static void
on_rcpt(void *ctx, struct ipc_question *q, const struct rcpt_ask *ask)
{
	struct auth *auth = ((struct env *)ctx)->role;
	struct resolve_ask r = { .address = ask->address,
		.login = ask->login,
		.client = source_of(ask->client),
		.size = ask->size,
		.smtputf8 = ask->smtputf8 != 0,
		.ours = ipc_chan_peer(ipc_question_from(q)) == ROLE_QUEUE };
	struct resolve_answer out;
	struct arena a;

	arena_init(&a);
	resolve(&auth->resolver, &r, &a, &out);
	auth->resolved++;
	if (fits(&out))
		answer_targets(q, &a, &out);
	else
		answer_rcpt(q, &(struct rcpt_answer){ .verdict = RESOLVE_REFUSE,
				   .code = 550,
				   .enhanced = STR("5.3.5"),
				   .words = STR("this address stands for too many others"),
				   .why = STR("targets do not fit one answer") });
	arena_fini(&a);
}

static void
on_may_send(void *ctx, struct ipc_question *q, const struct may_send_ask *ask)
{
	struct auth *auth = ((struct env *)ctx)->role;
	const char *why;

	answer_may_send(q, &(struct may_send_answer){
			       .verdict = (uint8_t)resolve_may_send(&auth->resolver, ask->login, ask->address, &why) });
}

/* --- logins --- */

/* A question under way to login.h; start and step have the same answer. */
struct exchange {
	LIST_ENTRY(exchange) link;
	struct auth *auth;
	uint32_t owner;
	struct ipc_question *question;
	bool step;
};

/* The owner of the mailbox learns of the login before the front has its answer: the channels are in order, and a front that
 * comes with a ticket comes later than we spoke. */
static void
send_ticket(struct auth *auth, const struct login_answer *a)
{
	unsigned store = owner_of(a->user, auth->env->conf->store.processes);

	say_ticket(env_peer(auth->env, ROLE_STORE, store),
	    &(struct ticket_ask){ .ticket = a->ticket, .user = a->user, .quota = a->quota });
}

/* Who logs in to send mail gets no ticket: nobody can use it but a front that was taken over. */
static bool
opens_mailboxes(const struct exchange *x)
{
	return x->owner / PEERS_MAX == ROLE_IMAP;
}

static void
on_login_answer(void *ctx, const struct login_answer *a)
{
	struct exchange *x = ctx;
	struct str words = str_of(a->words != NULL ? a->words : "");
	struct id ticket = { 0 };

	if (a->verdict == LOGIN_OK && opens_mailboxes(x)) {
		send_ticket(x->auth, a);
		ticket = a->ticket;
	}
	if (x->step)
		answer_sasl_step(x->question, &(struct sasl_step_answer){ .exchange = a->exchange,
						  .verdict = (uint8_t)a->verdict,
						  .close = a->close,
						  .data = a->data,
						  .user = a->user,
						  .ticket = ticket,
						  .words = words });
	else
		answer_sasl_start(x->question, &(struct sasl_start_answer){ .exchange = a->exchange,
						   .verdict = (uint8_t)a->verdict,
						   .close = a->close,
						   .data = a->data,
						   .user = a->user,
						   .ticket = ticket,
						   .words = words });
	LIST_REMOVE(x, link);
	free(x);
}

static struct exchange *
new_exchange(struct auth *auth, struct ipc_question *q, bool step)
{
	struct exchange *x = NEW(struct exchange);

	*x = (struct exchange){ .auth = auth, .owner = asker(q), .question = q, .step = step };
	LIST_INSERT_HEAD(&auth->exchanges, x, link);
	return x;
}

static void
on_sasl_start(void *ctx, struct ipc_question *q, const struct sasl_start_ask *ask)
{
	struct auth *auth = ((struct env *)ctx)->role;
	struct login_ask l = { .owner = asker(q),
		.service = ask->service,
		.sid = ask->sid,
		.client = source_of(ask->client),
		.mechanism = ask->mechanism,
		.initial = ask->has_initial ? &ask->initial : NULL,
		.channel = { .tls = ask->tls != 0, .exporter = ask->exporter, .end_point = ask->end_point } };

	login_start(auth->login, &l, on_login_answer, new_exchange(auth, q, false));
}

static void
on_sasl_step(void *ctx, struct ipc_question *q, const struct sasl_step_ask *ask)
{
	struct auth *auth = ((struct env *)ctx)->role;

	login_step(auth->login, asker(q), ask->exchange, ask->data, on_login_answer, new_exchange(auth, q, true));
}

static void
on_sasl_abort(void *ctx, struct ipc_chan *from, const struct sasl_abort_ask *said)
{
	struct auth *auth = ((struct env *)ctx)->role;

	login_abort(auth->login, owner_number(ipc_chan_peer(from), ipc_chan_index(from)), said->exchange);
}

/* --- the rest --- */

static void
on_usage(void *ctx, struct ipc_chan *from, const struct usage_ask *said)
{
	struct auth *auth = ((struct env *)ctx)->role;

	(void)from;
	usage_note(&auth->usage, said->user, said->bytes);
}

/* A closed account is as none: its mailboxes are nobody's to see. */
static void
on_owner(void *ctx, struct ipc_question *q, const struct owner_ask *ask)
{
	struct auth *auth = ((struct env *)ctx)->role;
	struct owner_answer answer = { .known = 0 };
	struct arena a;
	struct user u;
	struct err e;

	arena_init(&a);
	if (directory_user(auth->dir, ask->user, &a, &u, &e) == DIRECTORY_FOUND && !u.disabled)
		answer = (struct owner_answer){ .known = 1, .quota = admin_quota(auth->env->conf, &u) };
	answer_owner(q, &answer);
	arena_fini(&a);
}

static void
on_tend(void *ctx)
{
	struct auth *auth = ctx;

	directory_tend(auth->dir);
	loop_timer_start(&auth->tend, TEND_MS);
}

static void
use_conf(struct auth *auth)
{
	const struct conf *conf = auth->env->conf;

	auth->resolver = (struct resolver){ .dir = auth->dir, .conf = conf, .usage = &auth->usage };
	auth->admin = (struct auth_admin){ .admin = { .dir = auth->dir, .conf = conf, .part = true },
		.resolver = &auth->resolver,
		.login = auth->login,
		.usage = &auth->usage };
}

static void
start(struct env *env)
{
	struct auth *auth = NEW(struct auth);
	struct err e;

	auth->env = env;
	auth->dir = directory_open(env->root, &e);
	if (auth->dir == NULL)
		log_fatal("directory of accounts: %s", e.log);
	auth->login = login_new(env->loop, auth->dir, env->conf);
	usage_init(&auth->usage);
	use_conf(auth);
	loop_timer_init(&auth->tend, env->loop, on_tend, auth);
	loop_timer_start(&auth->tend, TEND_MS);
	env->role = auth;
}

static void
reload(struct env *env, const struct conf *was)
{
	struct auth *auth = env->role;

	(void)was;
	login_reload(auth->login, env->conf);
	use_conf(auth);
}

/* A front is gone: its exchanges end, and nobody waits for the answers any more. */
static void
drop_owner(struct auth *auth, uint32_t owner)
{
	struct exchange *x = LIST_FIRST(&auth->exchanges);

	login_drop(auth->login, owner);
	while (x != NULL) {
		struct exchange *next = LIST_NEXT(x, link);

		if (x->owner == owner)
			on_login_answer(x, &(struct login_answer){ .verdict = LOGIN_LATER });
		x = next;
	}
}

static void
on_peer(struct env *env, enum role role, unsigned index, bool there)
{
	struct auth *auth = env->role;

	if (!there)
		drop_owner(auth, owner_number(role, index));
}

static void
counters(struct env *env, struct counters_out *out)
{
	struct auth *auth = env->role;
	struct login_stats l;
	struct directory_counts d;
	struct err e;

	login_stats(auth->login, &l);
	if (directory_count(auth->dir, &d, &e)) {
		counter_add(out, "users", d.users);
		counter_add(out, "aliases", d.aliases);
		counter_add(out, "domains", d.domains);
	}
	counter_add(out, "recipients_resolved", auth->resolved);
	counter_add(out, "logins_open", l.exchanges);
	counter_add(out, "passwords_hashed", l.checked);
	counter_add(out, "passwords_cached", l.cached);
	counter_add(out, "refused_by_penalty", l.refused);
	counter_add(out, "refused_by_load", l.too_late);
}

static void *
admin(struct env *env)
{
	return &((struct auth *)env->role)->admin;
}

static const struct ipc_handlers handlers = {
	.rcpt = on_rcpt,
	.may_send = on_may_send,
	.sasl_start = on_sasl_start,
	.sasl_step = on_sasl_step,
	.sasl_abort = on_sasl_abort,
	.usage = on_usage,
	.owner = on_owner,
};

const struct role_ops auth_ops = {
	.handlers = &handlers,
	.verbs = auth_verbs,
	.admin = admin,
	.start = start,
	.reload = reload,
	.peer = on_peer,
	.counters = counters,
};
