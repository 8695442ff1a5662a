/* rows.h - the rows of every table of the protocol, shown one by one: CAPABILITY is made of them, and docs/imap-table.md. */
#ifndef IMAP_ROWS_H
#define IMAP_ROWS_H

#include <stddef.h>

#include <postern/core/str.h>

struct row {
	const char *table;
	struct str name;
	const char *capability; /* NULL: none of its own */
	const char *rfc;        /* "RFC 9051 6.4.4" */
};

struct rows {
	void (*see)(void *ctx, const struct row *row);
	void *ctx;
};

static inline void
rows_show(const struct rows *r, const char *table, struct str name, const char *capability, const char *rfc)
{
	r->see(r->ctx, &(struct row){ table, name, capability, rfc });
}

/* By file. */
void append_rows(const struct rows *r);
void capability_rows(const struct rows *r);
/* Those that depend on the session. */
void capability_session_rows(const struct rows *r);
void enable_rows(const struct rows *r);
void fetch_rows(const struct rows *r);
void front_rows(const struct rows *r);
void list_rows(const struct rows *r);
void search_rows(const struct rows *r);
void search_key_rows(const struct rows *r);
void sort_rows(const struct rows *r);
void status_rows(const struct rows *r);
void thread_rows(const struct rows *r);
/* All that every session has. */
void session_rows(const struct rows *r);

#endif
