/* control.c - accepting commands and finding their verbs. */
#include <postern/role/control.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/log.h>
#include <postern/core/mem.h>

struct client {
	struct ipc_chan *chan;
	struct control *control;
};

struct control {
	struct loop *loop;
	enum role me;
	int fd;
	uid_t owner;
	const struct control_verb *verbs;
	void *ctx;
	struct loop_io io;
	unsigned nclients;
};

bool
control_fail(struct control_answer *out, struct arena *a, unsigned status, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	out->status = status;
	out->why = arena_str(a, str_from(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
	return true;
}

json_t *
control_text(struct str s)
{
	json_t *j = json_stringn(s.p != NULL ? s.p : "", s.n);
	struct buf b;

	if (j != NULL)
		return j;
	buf_init(&b, s.n * 3 + 1);
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x80)
			buf_add_char(&b, s.p[i]);
		else
			buf_add(&b, STR("\xef\xbf\xbd"));
	}
	j = json_stringn(buf_cstr(&b), b.n);
	buf_fini(&b);
	return j;
}

/* The one command that control_run waits for. */
static struct {
	struct control_answer *out;
	struct arena *arena;
} waiting;

static void
keep_answer(const struct control_answer *answer)
{
	ASSERT(waiting.out != NULL);
	*waiting.out = *answer;
	waiting.out->why = arena_str(waiting.arena, answer->why);
	waiting.out->more = arena_str(waiting.arena, answer->more);
	waiting.out = NULL;
}

static void
send_answer(struct ipc_question *q, struct control_answer *answer)
{
	char *text = answer->json != NULL ? json_dumps(answer->json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	struct str json = str_of(text != NULL ? text : "");

	if (json.n > CONTROL_JSON_MAX) {
		/* verbs page their answers; one that does not must not end the role */
		log_say(LEVEL_ERROR, "control", "answer of %zu bytes does not fit", json.n);
		answer->status = ADMIN_FAILED;
		answer->why = STR("the answer is too long for one message");
		json.n = 0;
	}
	answer_admin(
	    q, &(struct admin_answer){
		   .status = (uint8_t)answer->status, .why = answer->why, .json = json, .more = answer->more });
	free(text);
	json_decref(answer->json);
}

void
control_reply(struct ipc_question *q, struct control_answer *answer)
{
	if (q == NULL)
		keep_answer(answer);
	else
		send_answer(q, answer);
}

static const struct control_verb *
find_verb(const struct control_verb *verbs, const struct strs *words, unsigned *used)
{
	for (const struct control_verb *v = verbs; v->noun != NULL; v++) {
		if (words->n == 0 || !str_eq(words->v[0], str_of(v->noun)))
			continue;
		*used = v->verb != NULL ? 2 : 1;
		if (v->verb == NULL || (words->n > 1 && str_eq(words->v[1], str_of(v->verb))))
			return v;
	}
	return NULL;
}

/* True when *out is the answer. */
static bool
run(const struct control_verb *verbs, void *ctx, const struct strs *words, struct control_ask *ask,
    struct control_answer *out)
{
	unsigned used = 0;
	const struct control_verb *v = find_verb(verbs, words, &used);

	if (v == NULL)
		return control_fail(out, ask->arena, ADMIN_USAGE, "there is no such command here");
	if (words->n < used + v->least || words->n > used + v->most)
		return control_fail(out, ask->arena, ADMIN_USAGE, "wrong number of arguments");
	ask->args = (struct strs){ words->v + used, words->n - used };
	return v->run(ctx, ask, out);
}

void
control_run(struct loop *l, const struct control_verb *verbs, void *ctx, const struct strs *words, struct str after,
    struct arena *a, struct control_answer *out)
{
	struct control_ask ask = { .after = after, .arena = a };

	*out = (struct control_answer){ .status = ADMIN_DONE };
	waiting.out = out;
	waiting.arena = a;
	if (run(verbs, ctx, words, &ask, out)) {
		waiting.out = NULL;
	} else if (l == NULL) {
		waiting.out = NULL;
		control_fail(out, a, ADMIN_LATER, "this needs the running server");
	} else {
		while (waiting.out != NULL)
			loop_once(l);
	}
}

static void
on_admin(void *ctx, struct ipc_question *q, const struct admin_ask *asked)
{
	struct control *c = ((struct client *)ctx)->control;
	struct control_answer out = { .status = ADMIN_DONE };
	struct arena a;
	struct control_ask ask = { .after = asked->after, .arena = &a, .question = q };

	arena_init(&a);
	if (run(c->verbs, c->ctx, &asked->words, &ask, &out))
		control_reply(q, &out);
	arena_fini(&a);
}

static const struct ipc_handlers control_handlers = { .admin = on_admin };

static void
drop_client(struct client *cl)
{
	cl->control->nclients--;
	ipc_chan_free_later(cl->chan);
	free(cl);
}

static void
on_client_gone(void *ctx, struct ipc_chan *chan)
{
	(void)chan;
	drop_client(ctx);
}

static void
add_client(struct control *c, int fd)
{
	struct client *cl = NEW(struct client);
	uid_t uid;

	cl->control = c;
	cl->chan = ipc_chan_new(c->loop, c->me, ROLE_CLI, &control_handlers, cl);
	c->nclients++;
	ipc_chan_on_gone(cl->chan, on_client_gone, cl);
	ipc_chan_attach(cl->chan, fd);
	uid = ipc_chan_uid(cl->chan);
	if (uid == 0 || uid == c->owner)
		return;
	log_say(LEVEL_WARN, "control", "user %u may not command this server", (unsigned)uid);
	drop_client(cl);
}

static void
on_acceptable(void *ctx, int ready)
{
	struct control *c = ctx;
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)ready;
	if (fd == -1)
		return;
	if (c->nclients >= CONTROL_CLIENTS_MAX)
		close(fd);
	else
		add_client(c, fd);
}

void
control_open(struct loop *l, enum role me, int fd, uid_t owner, const struct control_verb *verbs, void *ctx)
{
	struct control *c = NEW(struct control);

	*c = (struct control){ .loop = l, .me = me, .fd = fd, .owner = owner, .verbs = verbs, .ctx = ctx };
	io_nonblock(fd);
	loop_io_init(&c->io, l, fd, on_acceptable, c);
	loop_io_watch(&c->io, LOOP_READ);
}
