/* trace.c - `postern trace ID|ADDRESS|MESSAGE-ID': the life of messages, out of the record that the role log keeps.
 *
 * Asked three times: for the lines that name the word, the newest first; for all lines of the messages those tell of; and for what was
 * refused in the same sessions. */
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postern/core/clock.h>
#include <postern/core/io.h>
#include <postern/core/logline.h>
#include <postern/core/mem.h>
#include <postern/role/verbs.h>

#include "ask.h"

enum {
	MESSAGES_MAX = 1000, /* and as many sessions, and refused lines */
	WORDS_FIXED = 3,
	WORDS_MAX = WORDS_FIXED + MESSAGES_MAX,
	DAYS_MAX = 3660,
	DAY_SECONDS = 24 * 60 * 60,
	BEFORE_SECONDS = 15 * 60, /* a session may have been refused something before its message */
};

const struct cli_owner cli_log = { "log", ROLE_LOG, trace_run_alone };

/* What is collected; objects are sets by their keys. */
struct tracing {
	json_t *messages; /* qid → its lines */
	json_t *sessions; /* sid → true, of the messages */
	json_t *senders;  /* from → true, of the messages */
	json_t *refused;  /* the line as text → the line */
	bool cut;         /* there is more than is shown */
};

static const char *
word(const json_t *line, const char *key)
{
	const char *s = json_string_value(json_object_get(line, key));

	return s != NULL ? s : "";
}

/* False: there are too many already. */
static bool
add(json_t *set, const char *key, json_t *value)
{
	bool fits = json_object_get(set, key) != NULL || json_object_size(set) < MESSAGES_MAX;

	if (fits && *key != '\0' && json_object_get(set, key) == NULL)
		json_object_set(set, key, value);
	json_decref(value);
	return fits;
}

static bool
add_refused(struct tracing *t, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);
	bool fits = add(t->refused, text, json_incref(line));

	free(text);
	return fits;
}

/* Which messages? */
static bool
find_message(struct tracing *t, json_t *line)
{
	if (*word(line, "qid") == '\0')
		return add_refused(t, line);
	if (!add(t->messages, word(line, "qid"), json_array()))
		return false;
	add(t->sessions, word(line, "sid"), json_true());
	add(t->senders, word(line, "from"), json_true());
	return true;
}

static bool
first_page(void *ctx, json_t *page)
{
	struct tracing *t = ctx;
	json_t *line;
	size_t i;

	json_array_foreach(page, i, line)
		t->cut = t->cut || !find_message(t, line);
	json_decref(page);
	return !t->cut;
}

static bool
second_page(void *ctx, json_t *page)
{
	struct tracing *t = ctx;
	json_t *line;
	size_t i;

	json_array_foreach(page, i, line)
		json_array_append(json_object_get(t->messages, word(line, "qid")), line);
	json_decref(page);
	return true;
}

/* By the same sender: other recipients of the same message. */
static bool
third_page(void *ctx, json_t *page)
{
	struct tracing *t = ctx;
	json_t *line;
	size_t i;

	json_array_foreach(page, i, line)
		if (json_object_get(t->senders, word(line, "from")) != NULL)
			t->cut = !add_refused(t, line) || t->cut;
	json_decref(page);
	return !t->cut;
}

/* Nothing is logged of a message before its id is made, which tells when that was (core/io.h). The rest is for its session. */
static uint64_t
since_of(const struct tracing *t, uint64_t since)
{
	uint64_t oldest = UINT64_MAX;
	const char *qid;
	json_t *lines;

	json_object_foreach(t->messages, qid, lines) {
		uint64_t ms = 0;
		struct id id;

		for (int i = 0; id_parse(str_of(qid), &id) && i < 6; i++)
			ms = ms << 8 | id.b[i];
		oldest = ms / 1000 < oldest ? ms / 1000 : oldest;
	}
	return oldest > since + BEFORE_SECONDS && oldest != UINT64_MAX ? oldest - BEFORE_SECONDS : since;
}

/* For one word, or for all in a set. */
static int
ask(const struct conf *conf, const char *kind, uint64_t since, const struct str *words, uint32_t n, bool (*page)(void *ctx, json_t *page),
    struct tracing *t)
{
	struct str *all = mem_array(WORDS_MAX, sizeof(all[0]));
	char seconds[24];
	int status;

	snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)since);
	all[0] = STR("trace");
	all[1] = str_of(kind);
	all[2] = str_of(seconds);
	memcpy(all + WORDS_FIXED, words, n * sizeof(words[0]));
	status = cli_ask_each(conf, &cli_log, &(struct strs){ all, WORDS_FIXED + n }, page, t);
	free(all);
	return status;
}

static int
ask_set(const struct conf *conf, const char *kind, uint64_t since, json_t *set, bool (*page)(void *ctx, json_t *page), struct tracing *t)
{
	struct str *words = mem_array(MESSAGES_MAX, sizeof(words[0]));
	uint32_t n = 0;
	const char *key;
	json_t *value;
	int status = CLI_DONE;

	json_object_foreach(set, key, value)
		words[n++] = str_of(key);
	if (n > 0)
		status = ask(conf, kind, since, words, n, page, t);
	free(words);
	return status;
}

static int
collect(const struct conf *conf, uint64_t since, const char *wanted, struct tracing *t)
{
	struct str first = str_of(wanted);
	int status = ask(conf, "all", since, &first, 1, first_page, t);

	since = since_of(t, since);
	if (status == CLI_DONE)
		status = ask_set(conf, "mail", since, t->messages, second_page, t);
	if (status == CLI_DONE)
		status = ask_set(conf, "refused", since, t->sessions, third_page, t);
	return status;
}

/* --- in the order of time --- */

static int64_t
time_of(const json_t *line)
{
	struct wall t;

	return logline_time(str_of(word(line, "time")), &t) ? t.us : 0;
}

struct timed {
	int64_t us;
	size_t place; /* lines of one moment stay as they were logged */
	json_t *value;
};

static int
by_time(const void *a, const void *b)
{
	const struct timed *x = a;
	const struct timed *y = b;

	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Sorts an array that came with the newest first; line gives the line whose time counts. */
static json_t *
in_order(json_t *array, const json_t *(*line)(const json_t *item))
{
	size_t n = json_array_size(array);
	struct timed *all = mem_array(n + 1, sizeof(all[0]));
	json_t *sorted = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *value = json_array_get(array, n - 1 - i);

		all[i] = (struct timed){ time_of(line(value)), i, value };
	}
	qsort(all, n, sizeof(all[0]), by_time);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, all[i].value);
	json_decref(array);
	free(all);
	return sorted;
}

static const json_t *
itself(const json_t *line)
{
	return line;
}

static const json_t *
first_event(const json_t *item)
{
	return json_array_get(json_object_get(item, "events"), 0);
}

static json_t *
messages_of(const struct tracing *t)
{
	json_t *list = json_array();
	const char *qid;
	json_t *lines;

	json_object_foreach(t->messages, qid, lines) {
		json_t *events = in_order(json_incref(lines), itself);

		json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "qid", qid, "waiting", trace_waiting(events), "events", events));
	}
	return in_order(list, first_event);
}

/* By session. */
static json_t *
refused_of(const struct tracing *t)
{
	json_t *sessions = json_object();
	json_t *list = json_array();
	const char *key;
	json_t *line;

	json_object_foreach(t->refused, key, line) {
		json_t *events = json_object_get(sessions, word(line, "sid"));

		if (events == NULL) {
			events = json_array();
			json_object_set_new(sessions, word(line, "sid"), events);
		}
		json_array_append(events, line);
	}
	json_object_foreach(sessions, key, line)
		json_array_append_new(list, json_pack("{s:s, s:o}", "sid", key, "events", in_order(json_incref(line), itself)));
	json_decref(sessions);
	return in_order(list, first_event);
}

/* --- the command --- */

static int
show(const struct cli *c, json_t *story, uint64_t days)
{
	struct buf out;
	int status;

	if (cli_json(c))
		return cli_print_json(story);
	buf_init(&out, SIZE_MAX);
	trace_show(story, &out);
	status = out.n > 0 ? cli_print(&out)
			   : cli_say(CLI_FAILED, "nothing is recorded of %s in the last %llu day%s", c->args[0], (unsigned long long)days,
				 days == 1 ? "" : "s");
	buf_fini(&out);
	json_decref(story);
	return status;
}

static int
trace_days(const struct cli *c, const struct conf *conf, uint64_t days)
{
	struct tracing t = { json_object(), json_object(), json_object(), json_object(), false };
	uint64_t back = days * DAY_SECONDS;
	uint64_t now = (uint64_t)wall_seconds(wall_now());
	int status;

	status = collect(conf, now > back ? now - back : 0, c->args[0], &t);
	if (status == CLI_DONE)
		status = show(c, json_pack("{s:o, s:o, s:b}", "messages", messages_of(&t), "refused", refused_of(&t), "cut", t.cut), days);
	json_decref(t.messages);
	json_decref(t.sessions);
	json_decref(t.senders);
	json_decref(t.refused);
	return status;
}

int
do_trace(struct cli *c)
{
	struct conf *conf = cli_conf(c);
	uint64_t days;
	int status;

	if (conf == NULL)
		return CLI_FAILED;
	days = conf->trace.days;
	if (c->given[OPT_DAYS] != NULL && (!str_u64(str_of(c->given[OPT_DAYS]), DAYS_MAX, &days) || days == 0))
		status = cli_say(CLI_USAGE, "--days wants a number from 1 to %d", DAYS_MAX);
	else
		status = trace_days(c, conf, days);
	conf_unref(conf);
	return status;
}
