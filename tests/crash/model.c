/* model.c - the expected content of mailboxes. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/mem.h>

void
model_init(struct model *m)
{
	memset(m, 0, sizeof *m);
}

void
model_fini(struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->boxes[i].entries);
		free(m->boxes[i].history);
	}
	model_init(m);
}

static void *
duplicate(const void *p, size_t n)
{
	void *copy = mem_new(n);

	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

void
model_copy(struct model *to, const struct model *from)
{
	model_fini(to);
	*to = *from;
	for (size_t i = 0; i < to->n; i++) {
		struct box *b = &to->boxes[i];

		b->entries = duplicate(b->entries, b->n * sizeof *b->entries);
		b->cap = b->n;
		b->history = duplicate(b->history, b->history_n * sizeof *b->history);
	}
}

struct box *
model_box(struct model *m, const char *id)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->boxes[i].id, id) == 0)
			return &m->boxes[i];
	return NULL;
}

struct box *
model_box_add(struct model *m, const char *id)
{
	struct box *b = &m->boxes[m->n++];

	if (m->n > MODEL_BOXES)
		abort();
	memset(b, 0, sizeof *b);
	snprintf(b->id, sizeof b->id, "%s", id);
	return b;
}

static size_t
place(const struct box *b, uint32_t uid)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (b->entries[mid].uid < uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct entry *
box_find(struct box *b, uint32_t uid)
{
	size_t at = place(b, uid);

	return at < b->n && b->entries[at].uid == uid ? &b->entries[at] : NULL;
}

void
box_add(struct box *b, struct entry e)
{
	size_t at = place(b, e.uid);

	if (b->n == b->cap) {
		b->cap = b->cap * 2 + 16;
		b->entries = mem_resize(b->entries, b->cap * sizeof *b->entries);
	}
	memmove(b->entries + at + 1, b->entries + at, (b->n - at) * sizeof *b->entries);
	b->entries[at] = e;
	b->n++;
}

void
box_remove(struct box *b, uint32_t uid)
{
	struct entry *e = box_find(b, uid);

	if (e == NULL)
		return;
	memmove(e, e + 1, (size_t)(b->entries + b->n - e - 1) * sizeof *e);
	b->n--;
}

void
box_remember(struct box *b, uint32_t uid, uint32_t token)
{
	while (b->history_n <= uid) {
		size_t n = b->history_n * 2 + 64;

		b->history = mem_resize(b->history, n * sizeof *b->history);
		memset(b->history + b->history_n, 0, (n - b->history_n) * sizeof *b->history);
		b->history_n = n;
	}
	b->history[uid] = token;
}
