/* context.h - results of SEARCH and SORT that are kept up to date (CONTEXT=SEARCH, CONTEXT=SORT: RFC 5267 4).
 *
 * A context is a searching command with UPDATE that outlives its answer: its program is asked again for messages that
 * changed or came, and what that does to the results is told as ADDTO and REMOVEFROM. The cost is that of the change:
 * results are kept so that one of a million is found, added and taken away quickly (marks.h, rank.h).
 *
 *   context.c         life: beginning, being taken over from the command, end; limits
 *   context_update.c  what happened to the mailbox, asked of each program
 *   context_tell.c    ADDTO and REMOVEFROM
 *
 * Contexts belong to the selected mailbox and end with it. */
#ifndef IMAP_CONTEXT_H
#define IMAP_CONTEXT_H

#include "marks.h"
#include "rank.h"
#include "search.h"

enum {
	CONTEXTS_MAX = 16,                      /* of a session */
	CONTEXT_SORTED_MAX = 32 * 1024 * 1024,  /* octets of sorted results with their keys, all contexts of a session */
	CONTEXT_RANGES_MAX = 100 * 1000,        /* ranges of sequence numbers and of "$" in one program */
	CONTEXT_CHUNK = 500,                    /* ranges, or sorted results, of one line */
	CONTEXT_TAGS_MAX = 100,                 /* of one CANCELUPDATE */
};

struct context {
	struct context *next;
	struct command run;       /* what is left of the command: tag, form, arguments */
	struct search *search;    /* in run.args; before that in the command's */
	bool sorted;
	bool moves;               /* what changes may get another place, too: it goes and comes */
	struct marks marks;       /* results of SEARCH … */
	struct rank rank;         /* … or SORT */
	struct uidset saved;      /* "$" as it was */
	enum step (*step)(struct imap_session *s, struct context *x); /* what is done next; NULL: nothing */
	bool asked;               /* the program has answered */
	bool failed;              /* it cannot be asked any more */
	const char *refused;      /* why it cannot be one; NULL: it can */
	struct uidset asks;       /* sequence numbers it is asked for … */
	uint32_t compared;        /* … up to this one what it said is compared with the results */
	struct uidset leaving;    /* UIDs that are no results any more: to be told */
	struct uidset coming;     /* UIDs that are new results: to be told */
	struct uidset placing;    /* of these, those that get their places in a sorted list */
};

/* --- context.c --- */

/* Before the search: RETURN (UPDATE) becomes a context, if there is room for one. False: its tag is in use already. */
bool context_begin(struct imap_session *s, struct command *c);
/* After the search: what the command holds of it becomes the context's; or "NO [NOUPDATE …]". */
void context_keep(struct imap_session *s, struct command *c);
/* q->m, with these keys, is a result of a sorted context. */
void context_add_sorted(struct search *q, const struct mailkeys *k);
void context_free(struct context *x);
/* Ends the context with this tag; false: there is none. */
bool context_cancel(struct selected *box, struct str tag);
void contexts_free(struct selected *box);
/* RFC 9586 3: where there are no sequence numbers, no results are told in them. */
void contexts_end_numbered(struct imap_session *s);
void context_write_noupdate(struct imap_session *s, struct str tag, const char *why);
static inline struct str
context_tag(const struct context *x)
{
	return str_from(x->run.tag, x->run.tag_size);
}

/* --- context_update.c --- */

/* These messages are gone; they are still in the view. True: that has to be told. */
bool contexts_gone(struct selected *box, const struct uidset *uids);
/* These messages changed or are new. */
void contexts_ask(struct selected *box, const struct uidset *seqs);
/* Asks, as far as there is anything to ask; DONE when all have answered: context.coming is known. */
enum step contexts_ask_step(struct imap_session *s);
/* Tells what the contexts have to tell; DONE when all is told. */
enum step contexts_step(struct imap_session *s);

/* --- context_tell.c --- */

/* One line of what is leaving, of what is coming. */
void context_tell_leaving(struct imap_session *s, struct context *x);
void context_tell_coming(struct imap_session *s, struct context *x);

#endif
