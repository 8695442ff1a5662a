/* thread.c - tests of threading against the RFC's words taken literally (a slow model of lists and searches),
 * and of limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include <postern/message/charset.h>

#include "thread.h"

enum { MESSAGES = 12, NODES = 200 };

struct letter {
	char id[20];
	char refs[120];
	char subject[30];
	int64_t date;
};

/* --- the model: RFC 5256 3, REFERENCES, step by step --- */

struct model {
	int parent[NODES];   /* -1: the root */
	int number[NODES];   /* 0: a dummy */
	bool there[NODES];
	char id[NODES][20];
	int n;
	const struct letter *letters;
};

static int
find_id(struct model *m, const char *id, bool unused)
{
	for (int i = 0; i < m->n; i++)
		if (strcmp(m->id[i], id) == 0)
			return unused && m->number[i] != 0 ? -1 : i;
	m->parent[m->n] = -1;
	m->number[m->n] = 0;
	m->there[m->n] = true;
	snprintf(m->id[m->n], sizeof(m->id[0]), "%s", id);
	return m->n++;
}

static bool
makes_loop(const struct model *m, int parent, int child)
{
	for (; parent != -1; parent = m->parent[parent])
		if (parent == child)
			return true;
	return false;
}

static void
step1(struct model *m, int number)
{
	const struct letter *l = &m->letters[number - 1];
	char refs[120];
	char unique[20];
	int last = -1;
	int own = l->id[0] != '\0' ? find_id(m, l->id, true) : -1;

	if (own == -1) {
		snprintf(unique, sizeof(unique), "#%d", number);
		own = find_id(m, unique, true);
	}
	m->number[own] = number;
	snprintf(refs, sizeof(refs), "%s", l->refs);
	for (char *save, *r = strtok_r(refs, " ", &save); r != NULL; r = strtok_r(NULL, " ", &save)) {
		int i = find_id(m, r, false);

		if (last != -1 && m->parent[i] == -1 && !makes_loop(m, last, i))
			m->parent[i] = last;
		last = i;
	}
	m->parent[own] = -1;
	if (last != -1 && !makes_loop(m, last, own))
		m->parent[own] = last;
}

static int
children(const struct model *m, int of)
{
	int n = 0;

	for (int i = 0; i < m->n; i++)
		n += m->there[i] && m->parent[i] == of;
	return n;
}

static void
step3(struct model *m)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (int i = 0; i < m->n; i++) {
			int n = children(m, i);

			if (!m->there[i] || m->number[i] != 0 || (n > 1 && m->parent[i] == -1))
				continue;
			for (int c = 0; c < m->n; c++)
				if (m->there[c] && m->parent[c] == i)
					m->parent[c] = m->parent[i];
			m->there[i] = false;
			changed = true;
		}
	}
}

/* The number whose date a node sorts by: its own, or that of the first child of a dummy. */
static int
dated(const struct model *m, int i)
{
	int best = 0;

	if (m->number[i] != 0)
		return m->number[i];
	for (int c = 0; c < m->n; c++) {
		int d = m->there[c] && m->parent[c] == i ? dated(m, c) : 0;

		if (d != 0 && (best == 0 || m->letters[d - 1].date < m->letters[best - 1].date ||
		    (m->letters[d - 1].date == m->letters[best - 1].date && d < best)))
			best = d;
	}
	return best;
}

static bool
is_before(const struct model *m, int a, int b)
{
	int x = dated(m, a);
	int y = dated(m, b);

	return m->letters[x - 1].date != m->letters[y - 1].date ? m->letters[x - 1].date < m->letters[y - 1].date : x < y;
}

static int
sorted_children(const struct model *m, int of, int list[NODES])
{
	int n = 0;

	for (int i = 0; i < m->n; i++) {
		int at = n;

		if (!m->there[i] || m->parent[i] != of)
			continue;
		for (; at > 0 && is_before(m, i, list[at - 1]); at--)
			list[at] = list[at - 1];
		list[at] = i;
		n++;
	}
	return n;
}

static const char *
subject_of(const struct model *m, int i, bool *reply)
{
	const char *s = m->letters[dated(m, i) - 1].subject;

	*reply = m->number[i] != 0 && strncmp(s, "Re: ", 4) == 0;
	return strncmp(s, "Re: ", 4) == 0 ? s + 4 : s;
}

static void
merge_two(struct model *m, int current, int *table, bool current_reply, bool table_reply)
{
	bool current_dummy = m->number[current] == 0;
	bool table_dummy = m->number[*table] == 0;

	if (current_dummy && table_dummy) {
		for (int c = 0; c < m->n; c++)
			if (m->there[c] && m->parent[c] == current)
				m->parent[c] = *table;
		m->there[current] = false;
	} else if (table_dummy || (current_reply && !table_reply)) {
		m->parent[current] = *table;
	} else {
		int dummy = m->n++;

		m->there[dummy] = true;
		m->number[dummy] = 0;
		m->parent[dummy] = -1;
		m->id[dummy][0] = '\0';
		m->parent[current] = dummy;
		m->parent[*table] = dummy;
		*table = dummy;
	}
}

static void
step5(struct model *m)
{
	int roots[NODES];
	int n = sorted_children(m, -1, roots);
	int table[NODES];
	char subject[NODES][30];
	bool replies[NODES];

	for (int i = 0; i < n; i++) {
		snprintf(subject[i], sizeof(subject[i]), "%s", subject_of(m, roots[i], &replies[i]));
		table[i] = -1;
	}
	/* table[i] belongs to the first root with that subject */
	for (int i = 0; i < n; i++) {
		int first = 0;
		int t;

		while (strcmp(subject[first], subject[i]) != 0)
			first++;
		if (table[first] == -1) {
			table[first] = i;
			continue;
		}
		t = table[first];
		if (m->number[roots[t]] != 0 && (m->number[roots[i]] == 0 || (replies[t] && !replies[i])))
			table[first] = i;
	}
	int node[NODES];
	bool node_reply[NODES];
	for (int i = 0; i < n; i++) {
		node[i] = table[i] != -1 ? roots[table[i]] : -1;
		node_reply[i] = table[i] != -1 && replies[table[i]];
	}
	for (int i = 0; i < n; i++) {
		int first = 0;

		while (strcmp(subject[first], subject[i]) != 0)
			first++;
		if (subject[i][0] == '\0' || node[first] == roots[i] || m->parent[roots[i]] != -1)
			continue;
		merge_two(m, roots[i], &node[first], replies[i], node_reply[first]);
		node_reply[first] = node_reply[first] && m->number[node[first]] != 0;
	}
}

static void
write_model(const struct model *m, struct buf *out, int of)
{
	int list[NODES];
	int n = sorted_children(m, of, list);

	for (int i = 0; i < n; i++) {
		bool opens = of == -1 || m->number[of] == 0 || n > 1;

		if (of != -1 && m->number[of] != 0 && i == 0)
			buf_add_char(out, ' ');
		if (opens)
			buf_add_char(out, '(');
		if (m->number[list[i]] != 0)
			buf_addf(out, "%d", m->number[list[i]]);
		write_model(m, out, list[i]);
		if (opens)
			buf_add_char(out, ')');
	}
}

static void
model_references(const struct letter *letters, int n, struct buf *out)
{
	static struct model m;

	m = (struct model){ .letters = letters };
	for (int i = 1; i <= n; i++)
		step1(&m, i);
	step3(&m);
	step5(&m);
	write_model(&m, out, -1);
}

/* --- against it --- */

/* A message with these fields goes in. */
static void
add(struct threads *t, uint32_t number, int64_t date, struct mime_envelope e)
{
	struct mailkeys keys;
	struct buf row;

	buf_init(&row, SIZE_MAX);
	mailkeys_write(&row, &e);
	assert_true(mailkeys_read(buf_str(&row), &keys));
	threads_add(t, &(struct thread_message){ .number = number, .date = date, .keys = &keys });
	buf_fini(&row);
}

static void
thread(enum thread_algorithm algorithm, const struct letter *letters, int n, struct buf *out)
{
	struct threads t;

	threads_init(&t, algorithm);
	for (int i = 0; i < n; i++) {
		const struct letter *l = &letters[i];
		char id[30], refs[300] = "";
		size_t at = 0;
		struct str list = str_of(l->refs);
		struct str one;

		snprintf(id, sizeof(id), "<%.24s>", l->id);
		while (str_cut(&list, ' ', &one))
			at += (size_t)snprintf(refs + at, sizeof(refs) - at, "<%.*s> ", STR_ARG(one));
		add(&t, (uint32_t)i + 1, l->date, (struct mime_envelope){ .subject = str_of(l->subject),
			.message_id = str_of(id), .references = str_of(refs) });
	}
	while (!threads_step(&t, 3))
		;
	while (!threads_write(&t, out, 2))
		;
	threads_fini(&t);
}

static void
random_letters(struct letter letters[MESSAGES], int n)
{
	static const char *const subjects[] = { "a", "b", "Re: a", "Re: b", "", "Re: " };

	for (int i = 0; i < n; i++) {
		struct letter *l = &letters[i];

		l->refs[0] = '\0';
		l->id[0] = '\0';
		if (rand() % 10 > 0)
			snprintf(l->id, sizeof(l->id), "%d@x", rand() % 10);
		for (int r = rand() % 4; r > 0; r--)
			snprintf(l->refs + strlen(l->refs), 10, "%s%d@x", l->refs[0] != '\0' ? " " : "", rand() % 10);
		snprintf(l->subject, sizeof(l->subject), "%s", subjects[rand() % 6]);
		l->date = rand() % 8;
	}
}

static void
references_as_the_rfc_says(void **state)
{
	(void)state;
	srand(5);
	for (int round = 0; round < 20000; round++) {
		struct letter letters[MESSAGES];
		struct buf got, want;
		int n = rand() % (MESSAGES + 1);

		random_letters(letters, n);
		buf_init(&got, SIZE_MAX);
		buf_init(&want, SIZE_MAX);
		thread(THREAD_REFERENCES, letters, n, &got);
		model_references(letters, n, &want);
		if (strcmp(buf_cstr(&got), buf_cstr(&want)) != 0)
			for (int i = 0; i < n; i++)
				print_message("%d: <%s> refs (%s) '%s' date %d\n", i + 1, letters[i].id, letters[i].refs,
				    letters[i].subject, (int)letters[i].date);
		assert_string_equal(buf_cstr(&got), buf_cstr(&want));
		buf_fini(&got);
		buf_fini(&want);
	}
}

static void
ordered_subject(void **state)
{
	static const struct letter letters[] = {
		{ "", "", "b", 5 }, { "", "", "Re: a", 3 }, { "", "", "a", 4 }, { "", "", "Re: B", 1 }, { "", "", "c", 2 },
		{ "", "", "a", 9 },
	};
	struct buf got;

	(void)state;
	buf_init(&got, SIZE_MAX);
	thread(THREAD_ORDEREDSUBJECT, letters, 6, &got);
	assert_string_equal(buf_cstr(&got), "(4 1)(5)(2 (3)(6))");
	buf_fini(&got);
}

/* A chain of answers is no recursion, and costs as much as it has messages, in either direction. */
static void
long_chains(void **state)
{
	enum { LONG = 50000 };

	(void)state;
	for (int down = 0; down < 2; down++) {
		struct threads t;
		struct buf out;

		threads_init(&t, THREAD_REFERENCES);
		buf_init(&out, SIZE_MAX);
		for (uint32_t i = 0; i < LONG; i++) {
			char id[20], refs[20];

			snprintf(id, sizeof(id), "<%u@x>", down ? LONG - i : i);
			snprintf(refs, sizeof(refs), "<%u@x>", down ? LONG - i + 1 : i - 1);
			add(&t, i + 1, i, (struct mime_envelope){ .message_id = str_of(id),
				.references = i > 0 || down ? str_of(refs) : STR("") });
		}
		while (!threads_step(&t, 1000))
			;
		while (!threads_write(&t, &out, 1000))
			;
		assert_false(t.full);
		assert_int_equal(t.nroot, 1);
		assert_true(str_starts(buf_str(&out), down ? STR("(1 2 3 ") : STR("(1 2 3 ")));
		buf_fini(&out);
		threads_fini(&t);
	}
}

static void
too_many_references(void **state)
{
	struct threads t;
	struct buf refs;

	(void)state;
	threads_init(&t, THREAD_REFERENCES);
	buf_init(&refs, SIZE_MAX);
	for (unsigned i = 0; i < 3 * MAILKEYS_REFERENCES_MAX; i++)
		buf_addf(&refs, "<%u@x>", i);
	add(&t, 1, 0, (struct mime_envelope){ .references = buf_str(&refs) });
	assert_int_equal(t.n, MAILKEYS_REFERENCES_MAX + 1);
	add(&t, 2, 0, (struct mime_envelope){ .message_id = STR("<2999@x>") });
	assert_int_equal(t.n, MAILKEYS_REFERENCES_MAX + 1);
	add(&t, 3, 0, (struct mime_envelope){ .message_id = STR("<0@x>") });
	assert_int_equal(t.n, MAILKEYS_REFERENCES_MAX + 2);
	buf_fini(&refs);
	threads_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_as_the_rfc_says),
		cmocka_unit_test(ordered_subject),
		cmocka_unit_test(long_chains),
		cmocka_unit_test(too_many_references),
	};
	int failed;

	charset_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	charset_fini();
	return failed;
}
