/* replay.c - from the log of the killed process to what must be there. */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/buf.h>

static void
add_token(struct tokens *t, uint32_t token)
{
	if (t->n == REPLAY_TOKENS)
		abort();
	t->p[t->n++] = token;
}

static bool
take_token(struct tokens *t, uint32_t token)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->p[i] == token) {
			t->p[i] = t->p[--t->n];
			return true;
		}
	return false;
}

static void
change(struct entry *e, const struct request *q)
{
	e->flags = q->sign == '+' ? e->flags | q->flags : e->flags & ~q->flags;
	if (q->keyword != 0)
		e->keyword = q->sign == '+';
}

static void
apply_flags(struct model *m, const struct request *q)
{
	struct box *b = model_box(m, q->id);

	for (size_t i = 0; i < b->n; i++)
		if (uidset_has(&q->set, b->entries[i].uid))
			change(&b->entries[i], q);
}

static void
parse_set(struct uidset *s, const char *text)
{
	uidset_clear(s);
	if (strcmp(text, "-") != 0 && !uidset_parse(s, str_of(text), 10000))
		abort();
}

/* The n-th of `from` became the n-th of `to`. */
static bool
apply_copy(struct model *m, const struct request *q, const char *source, const char *uids)
{
	struct box *from = model_box(m, q->id), *to = model_box(m, q->to);
	struct uidset a, b;
	uint32_t x, y;
	bool ok = true;

	uidset_init(&a);
	uidset_init(&b);
	parse_set(&a, source);
	parse_set(&b, uids);
	for (x = uidset_next(&a, 1), y = uidset_next(&b, 1); ok && x != 0; x = uidset_next(&a, x + 1), y = uidset_next(&b, y + 1)) {
		struct entry *e = box_find(from, x), copy;

		ok = e != NULL && y != 0;
		if (!ok)
			break;
		copy = *e;
		copy.uid = y;
		if (q->kind == 'm')
			box_remove(from, x);
		box_add(to, copy);
	}
	uidset_fini(&a);
	uidset_fini(&b);
	return ok;
}

static void
remove_set(struct box *b, const struct uidset *set)
{
	for (uint32_t uid = uidset_next(set, 1); uid != 0; uid = uidset_next(set, uid + 1))
		box_remove(b, uid);
}

static bool
acknowledge(struct replay *r, char kind, const char *rest)
{
	struct request *q = &r->r;
	char a[4096], b[4096];
	struct entry e = { 0 };
	struct uidset gone;
	bool ok = true;

	switch (kind) {
	case 'A':
		ok = q->kind == 'a' && sscanf(rest, "%*s %*u %*u %u", &e.uid) == 1;
		e.token = q->token;
		e.flags = q->flags;
		if (ok)
			box_add(model_box(&r->m, q->id), e);
		break;
	case 'F':
		apply_flags(&r->m, q);
		break;
	case 'E':
		uidset_init(&gone);
		ok = sscanf(rest, "%4095s", a) == 1;
		parse_set(&gone, a);
		remove_set(model_box(&r->m, q->id), &gone);
		uidset_fini(&gone);
		break;
	case 'C':
	case 'M':
		ok = sscanf(rest, "%4095s %4095s", a, b) == 2 && apply_copy(&r->m, q, a, b);
		break;
	case 'S':
		model_box(&r->m, q->id)->note = q->flags;
		break;
	case 'N':
		memcpy(model_box(&r->m, q->id)->name, q->name, sizeof q->name);
		break;
	default:
		break;
	}
	q->kind = 0;
	return ok;
}

static bool
ask(struct replay *r, char kind, const char *rest)
{
	struct request *q = &r->r;
	char set[4096] = "-";
	bool ok;

	q->kind = kind;
	if (kind == 'a')
		ok = sscanf(rest, "%26s %u %u", q->id, &q->token, &q->flags) == 3;
	else if (kind == 'f')
		ok = sscanf(rest, "%26s %4095s %c %u %u", q->id, set, &q->sign, &q->flags, &q->keyword) == 5;
	else if (kind == 's')
		ok = sscanf(rest, "%26s %u", q->id, &q->flags) == 2;
	else if (kind == 'n')
		ok = sscanf(rest, "%26s %63s", q->id, q->name) == 2;
	else if (kind == 'e')
		ok = sscanf(rest, "%26s %4095s", q->id, set) == 2;
	else
		ok = sscanf(rest, "%26s %4095s %26s", q->id, set, q->to) == 3;
	parse_set(&q->set, set);
	if (kind == 'a' && q->token > r->last_token)
		r->last_token = q->token;
	return ok && model_box(&r->m, q->id) != NULL;
}

static bool
see(struct replay *r, const char *rest)
{
	char id[ID_TEXT_SIZE];
	struct entry e = { 0 };
	struct box *b;

	if (sscanf(rest, "%26s %u %u", id, &e.uid, &e.token) != 3 || (b = model_box(&r->m, id)) == NULL)
		return false;
	if (!take_token(&r->delivered, e.token) && !take_token(&r->maybe, e.token))
		return box_find(b, e.uid) != NULL; /* appended or copied here: known */
	box_add(b, e);
	return true;
}

static bool
take_line(struct replay *r, const char *line)
{
	uint32_t token = (uint32_t)strtoul(line + 1, NULL, 10);

	switch (line[0]) {
	case 'd':
		add_token(&r->maybe, token);
		if (token > r->last_token)
			r->last_token = token;
		return true;
	case 'D':
		if (take_token(&r->maybe, token))
			add_token(&r->delivered, token);
		return true;
	case 'u':
		return see(r, line + 1);
	case 'x':
		r->r.kind = 0;
		return true;
	default:
		return strchr("afcmens", line[0]) != NULL ? ask(r, line[0], line + 1) : acknowledge(r, line[0], line + 1);
	}
}

bool
replay_read(struct replay *r, const char *log)
{
	FILE *f = fopen(log, "r");
	char line[16384];
	bool ok = true;

	r->r.kind = 0;
	r->delivered.n = r->maybe.n = 0;
	while (ok && f != NULL && fgets(line, sizeof line, f) != NULL) {
		ok = take_line(r, line);
		if (!ok)
			fprintf(stderr, "log: %s", line);
	}
	if (f != NULL)
		fclose(f);
	return ok;
}

void
replay_fini(struct replay *r)
{
	model_fini(&r->m);
	uidset_fini(&r->r.set);
}

/* -- matching -- */

struct expected {
	struct model m;
	struct extra extras[1000];
	size_t nextras;
};

static void
expect_extra(struct expected *x, const char *id, struct entry e)
{
	if (x->nextras == sizeof x->extras / sizeof x->extras[0])
		abort();
	snprintf(x->extras[x->nextras].id, sizeof x->extras[0].id, "%s", id);
	x->extras[x->nextras++].e = e;
}

static void
expect_transfer(struct expected *x, const struct request *q)
{
	struct box *from = model_box(&x->m, q->id);

	for (uint32_t uid = uidset_next(&q->set, 1); uid != 0; uid = uidset_next(&q->set, uid + 1)) {
		struct entry *e = box_find(from, uid);

		if (e != NULL)
			expect_extra(x, q->to, *e);
	}
	if (q->kind == 'm')
		remove_set(from, &q->set);
}

/* The state if the request was done. */
static void
expect_done(struct expected *x, const struct request *q)
{
	struct box *b = model_box(&x->m, q->id);

	switch (q->kind) {
	case 'a':
		expect_extra(x, q->id, (struct entry){ .token = q->token, .flags = q->flags });
		break;
	case 'f':
		apply_flags(&x->m, q);
		break;
	case 'e':
		for (uint32_t uid = uidset_next(&q->set, 1); uid != 0; uid = uidset_next(&q->set, uid + 1)) {
			struct entry *e = box_find(b, uid);

			if (e != NULL && (e->flags & 8) != 0) /* \Deleted */
				box_remove(b, uid);
		}
		break;
	case 'c':
	case 'm':
		expect_transfer(x, q);
		break;
	case 's':
		b->note = q->flags;
		break;
	case 'n':
		memcpy(b->name, q->name, sizeof b->name);
		break;
	default:
		break;
	}
}

static bool
same(const struct entry *a, const struct entry *b)
{
	return a->token == b->token && a->flags == b->flags && a->keyword == b->keyword;
}

static bool
take_extra(struct expected *x, struct tokens *delivered, struct tokens *maybe, const struct box *b, const struct entry *e,
    const char *inbox)
{
	for (size_t i = 0; i < x->nextras; i++)
		if (strcmp(x->extras[i].id, b->id) == 0 && same(&x->extras[i].e, e)) {
			x->extras[i] = x->extras[--x->nextras];
			return true;
		}
	if (strcmp(b->id, inbox) != 0 || e->flags != 0 || e->keyword)
		return false;
	return take_token(delivered, e->token) || take_token(maybe, e->token);
}

static bool
complain(struct buf *why, const struct box *b, const char *what, const struct entry *e)
{
	buf_addf(why, "  %s: %s: uid %u token %u flags %u%s\n", b->name, what, e->uid, e->token, e->flags,
	    e->keyword ? " keyword" : "");
	return false;
}

static bool
match_box(struct expected *x, struct box *b, struct box *found, struct tokens *delivered, struct tokens *maybe, struct buf *why)
{
	bool ok = true;

	if (found == NULL || strcmp(found->name, b->name) != 0) {
		buf_addf(why, "  %s: %s\n", b->name, found == NULL ? "is gone" : found->name);
		return false;
	}
	if (found->note != b->note) {
		buf_addf(why, "  %s: annotation %u, not %u\n", b->name, found->note, b->note);
		ok = false;
	}
	for (size_t i = 0; i < b->n; i++) {
		struct entry *e = box_find(found, b->entries[i].uid);

		if (e == NULL || !same(e, &b->entries[i]))
			ok = complain(why, b, e == NULL ? "missing" : "changed", &b->entries[i]);
	}
	for (size_t i = 0; i < found->n; i++)
		if (box_find(b, found->entries[i].uid) == NULL &&
		    !take_extra(x, delivered, maybe, found, &found->entries[i], x->m.boxes[0].id))
			ok = complain(why, b, "unexpected", &found->entries[i]);
	return ok;
}

static bool
match(struct replay *r, struct model *found, bool done, struct buf *why)
{
	struct expected *x = calloc(1, sizeof *x);
	struct tokens delivered = r->delivered, maybe = r->maybe;
	bool ok = true;

	model_copy(&x->m, &r->m);
	if (done)
		expect_done(x, &r->r);
	buf_addf(why, " if the last request (%c) was %sdone:\n", r->r.kind != 0 ? r->r.kind : '-', done ? "" : "not ");
	for (size_t i = 0; i < x->m.n; i++)
		ok = match_box(x, &x->m.boxes[i], model_box(found, x->m.boxes[i].id), &delivered, &maybe, why) && ok;
	for (size_t i = 0; i < x->nextras; i++)
		ok = complain(why, model_box(&x->m, x->extras[i].id), "did not come", &x->extras[i].e);
	for (size_t i = 0; i < delivered.n; i++) {
		buf_addf(why, "  delivered token %u is lost\n", delivered.p[i]);
		ok = false;
	}
	model_fini(&x->m);
	free(x);
	return ok;
}

static bool
counters_ok(struct replay *r, struct model *found)
{
	bool ok = true;

	for (size_t i = 0; i < r->m.n; i++) {
		struct box *was = &r->m.boxes[i], *is = model_box(found, was->id);

		if (is == NULL || is->uidvalidity != was->uidvalidity || is->uidnext < was->uidnext || is->modseq < was->modseq) {
			fprintf(stderr, "%s: UIDVALIDITY, UIDNEXT or HIGHESTMODSEQ went back\n", was->name);
			ok = false;
			continue;
		}
		for (size_t k = 0; k < is->n; k++)
			if (is->entries[k].uid < was->history_n && was->history[is->entries[k].uid] != 0 &&
			    was->history[is->entries[k].uid] != is->entries[k].token) {
				fprintf(stderr, "%s: UID %u means another message\n", was->name, is->entries[k].uid);
				ok = false;
			}
	}
	return ok;
}

bool
replay_matches(struct replay *r, struct model *found)
{
	struct buf why;
	bool ok;

	buf_init(&why, 1 << 20);
	ok = match(r, found, false, &why) || (r->r.kind != 0 && match(r, found, true, &why));
	if (!ok)
		fprintf(stderr, "not what was promised:\n%s", buf_cstr(&why));
	buf_fini(&why);
	return counters_ok(r, found) && ok;
}
