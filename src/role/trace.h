/* trace.h - the record of past messages: the lines of the log that tell of them, as they were logged, in plain files.
 *
 *   <state>/trace/20261120T110312481.mail       lines with a queue id
 *   <state>/trace/20261120T093000007.refused    refusals: strangers make those, so they do not push out the others
 *
 * A file begins at the time (UTC) in its name, covers at most one day and one eighth of what its kind may take; the oldest go first.
 * Nothing is flushed to disk: a power cut may cost the last seconds. Whatever else lies there is left alone. */
#ifndef ROLE_TRACE_H
#define ROLE_TRACE_H

#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/core/err.h>
#include <postern/core/logline.h>

enum trace_kind { TRACE_MAIL, TRACE_REFUSED, TRACE_KINDS };

enum {
	TRACE_NAME_SIZE = 32,
	TRACE_FILES_MAX = 4096,  /* that are looked at */
	TRACE_SLICE = 4 << 20,   /* bytes read for one page of an answer: some ms */
};

/* --- the files --- */

struct trace_file {
	char name[TRACE_NAME_SIZE];
	enum trace_kind kind;
	struct wall begin;
	uint64_t size;
};

/* Our files in the directory, the newest first. The caller frees *files. False with errno. */
bool trace_list(int dir, struct trace_file **files, size_t *n);
bool trace_name_parse(const char *name, struct trace_file *f);
/* "mail", "refused" */
const char *trace_kind_name(enum trace_kind kind);

/* One kind's file that is being written. */
struct trace_tape {
	int fd; /* -1: none yet */
	struct wall begin;
	uint64_t size;
	bool torn; /* its last line has no end */
	struct buf waiting;
};

struct trace_store {
	int dir;
	unsigned days;
	uint64_t max; /* bytes, of all */
	struct trace_tape tape[TRACE_KINDS];
	struct wall last; /* begin of the newest file */
	uint64_t lines;
	uint64_t failed; /* that could not be written */
	bool told;       /* that it cannot be written */
};

/* False: the directory cannot be opened. */
bool trace_open(struct trace_store *t, const char *dir, struct err *e);
void trace_close(struct trace_store *t);
/* How far back and how much; what is beyond goes now. To be called before lines come. */
void trace_limit(struct trace_store *t, unsigned days, uint64_t max);
/* Is it a line to remember? */
bool trace_wants(struct str line, const struct logline_head *h, enum trace_kind *kind);
/* The line with its newline; in the file after the next trace_flush. */
void trace_add(struct trace_store *t, enum trace_kind kind, struct str line);
void trace_flush(struct trace_store *t);
/* Removes what is too old or too much. */
void trace_trim(struct trace_store *t);

/* --- looking back --- */

/* What the verbs of admin_trace.c run on. */
struct trace_source {
	int dir;
	void (*catch_up)(void *ctx); /* takes what has come since; NULL: nothing comes */
	void *ctx;
};

/* Where a search goes on: before this offset of this file. An empty name: at the newest. */
struct trace_place {
	char name[TRACE_NAME_SIZE];
	uint64_t offset;
};

struct trace_query {
	const struct str *words; /* any of them as the whole value of a field that names: qid, msgid, from, to, …; letters of any case */
	size_t nwords;
	unsigned kinds; /* 1 << TRACE_MAIL, … */
	struct wall since;
	/* A matching line; false: the page is full, the next one begins with this line. */
	bool (*found)(void *ctx, const struct logline *l);
	void *ctx;
};

/* Reads the record backwards from *at, at most TRACE_SLICE bytes of it. False: that was all. */
bool trace_search(int dir, const struct trace_query *q, struct trace_place *at);

#endif
