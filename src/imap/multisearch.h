/* multisearch.h - the arguments of ESEARCH (RFC 7377). */
#ifndef IMAP_MULTISEARCH_H
#define IMAP_MULTISEARCH_H

#include "allnames.h"
#include "filter.h"
#include "place.h"
#include "search.h"

enum {
	MULTISEARCH_SOURCES_MAX = 50, /* filters of one ESEARCH */
};

struct multisearch {
	struct search search; /* first: c->args is both */
	struct filter filter[MULTISEARCH_SOURCES_MAX];
	size_t n;
	unsigned sources;     /* their kinds, ORed */
	struct allnames names;
	size_t next;          /* to be looked at */
	struct place *mailboxes; /* that are meant, the selected one last … */
	size_t nmailboxes;
	size_t at;            /* … from here on they are still to be searched */
	bool selected;        /* it is among them */
	struct selected *other; /* under way, when it is not the selected one */
	struct buf correlator;
};

#endif
