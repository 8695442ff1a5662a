/* sort.h - SORT: cmd_sort.c (grammar and steps), sort_key.c (the table of criteria and their values). RFC 5256, 5957. */
#ifndef IMAP_SORT_H
#define IMAP_SORT_H

#include "order.h"
#include "ranks.h"
#include "search.h"

enum {
	SORT_CRITERIA_MAX = 8,
	SORT_TEXT_MAX = 256 * 1024 * 1024, /* octets of all texts that are sorted by */
};

struct sort;
struct sort_row;

struct sort_criterion {
	const struct sort_row *row;
	bool reverse;
};

/* What SORT needs of its messages. */
struct sort {
	struct search search; /* first: c->args is both */
	struct sort_criterion by[SORT_CRITERIA_MAX];
	size_t nby;
	bool by_score;        /* is among them: the order belongs to this search alone */
	uint32_t *seq;        /* of each message found, ascending */
	int64_t *values;      /* nby for each; of texts their number */
	size_t n;
	size_t cap;
	struct ranks texts;   /* folded */
	struct order order;   /* by the last criterion first, then by the one before it … */
	size_t sorting;       /* … this one is next, plus one */
	size_t at;            /* results that are taken over */
	uint32_t *uids;       /* all messages of the mailbox in order: recalled, or to be remembered (sortmem.h) */
	size_t nuids;
};

/* A criterion is a row. */
struct sort_row {
	struct str name;
	bool keys;     /* needs the keys */
	int64_t (*number)(const struct sort *o, const struct store_message *m, const struct mailkeys *k); /* NULL: */
	enum mailkeys_text text; /* compared by octets, folded (i;unicode-casemap) */
	bool scored;   /* by what the search says of the message */
	const char *capability;
	const char *rfc;
};

const struct sort_row *sort_find(struct str name);
/* Adds a message: its values by all criteria. Beyond SORT_TEXT_MAX texts.octets is over. */
void sort_add(struct sort *o, const struct store_message *m, const struct mailkeys *k, uint32_t seq);
/* Goes on by about budget comparisons; true when o->order has the messages in their order. */
bool sort_step(struct sort *o, size_t budget);
/* The values as bytes that compare like them: what comes first has the smaller ones. */
void sort_write_key(const struct sort *o, const struct store_message *m, const struct mailkeys *k, struct buf *out);
/* Gives back all values and the order. */
void sort_forget(struct sort *o);

#endif
