/* cmd_thread.c - THREAD and UID THREAD (RFC 5256 3): a SEARCH whose results become threads (thread.h), step by step. */
#include "commands.h"
#include "rows.h"
#include "search.h"
#include "thread.h"

enum {
	NODES_PER_STEP = 10000,
	NUMBERS_PER_STEP = 1000,
};

struct thread_args {
	struct search search; /* first: c->args is both */
	struct threads threads;
};

static const struct {
	const char *name;
	enum thread_algorithm algorithm;
	const char *capability;
	const char *rfc;
} algorithms[] = {
	{ "ORDEREDSUBJECT", THREAD_ORDEREDSUBJECT, "THREAD=ORDEREDSUBJECT", "RFC 5256 3" },
	{ "REFERENCES", THREAD_REFERENCES, "THREAD=REFERENCES", "RFC 5256 3" },
};
enum { ALGORITHMS = sizeof(algorithms) / sizeof(*algorithms) };

void
thread_rows(const struct rows *r)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
		rows_show(r, "THREAD algorithm", str_of(algorithms[i].name), algorithms[i].capability, algorithms[i].rfc);
}

static void
args_fini(struct command *c)
{
	struct thread_args *a = c->args;

	search_fini(&a->search);
	threads_fini(&a->threads);
}

static enum thread_algorithm
algorithm(struct lex *l)
{
	struct str name = lex_atom(l);

	for (size_t i = 0; i < ALGORITHMS; i++)
		if (str_eq_nocase(name, str_of(algorithms[i].name)))
			return algorithms[i].algorithm;
	lex_fail(l, "unknown threading algorithm");
	return THREAD_REFERENCES;
}

/* SP thread-alg SP charset 1*(SP search-key) */
bool
cmd_thread_parse(struct lex *l, struct command *c)
{
	struct thread_args *a = ARENA_NEW(&c->arena, struct thread_args);

	search_init(&a->search);
	c->args = a;
	c->fini = args_fini;
	lex_sp(l);
	threads_init(&a->threads, algorithm(l));
	lex_sp(l);
	search_parse_charset(l, &a->search);
	search_parse_keys(l, c, &a->search);
	return lex_ok(l);
}

/* --- steps --- */

static enum step
write_step(struct imap_session *s, struct command *c)
{
	struct thread_args *a = c->args;

	if (!threads_write(&a->threads, &s->out, NUMBERS_PER_STEP))
		return STEP_MORE;
	buf_add_cstr(&s->out, "\r\n");
	return search_finish(s, c);
}

static enum step
build_step(struct imap_session *s, struct command *c)
{
	struct thread_args *a = c->args;

	if (a->threads.full)
		return done_no(c, "LIMIT", "too much to thread");
	if (!threads_step(&a->threads, NODES_PER_STEP))
		return STEP_MORE;
	c->progress = NULL; /* the answer takes several steps */
	buf_add_cstr(&s->out, a->threads.nroot > 0 ? "* THREAD " : "* THREAD");
	c->step = write_step;
	return STEP_MORE;
}

static void
keep(struct search *q, const struct mailkeys *k)
{
	struct thread_args *a = (struct thread_args *)q;

	threads_add(&a->threads, &(struct thread_message){
		.number = q->c->uid ? q->m.uid : q->next,
		.date = mailkeys_sent(k, &q->m),
		.keys = k,
	});
}

enum step
cmd_thread_run(struct imap_session *s, struct command *c)
{
	struct search *q = c->args;

	q->c = c;
	q->limit = SEARCH_ALL_OR_NONE;
	q->twice = true;
	q->then = search_each_step;
	q->each = keep;
	q->wants_keys = true;
	q->keys_only = true;
	q->after_each = build_step;
	return search_begin(s, c);
}
