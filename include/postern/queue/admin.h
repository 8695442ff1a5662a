/* admin.h - the operator's view of the queue: list, show, hold, release, delete, retry, reroute, and what is known of the
 * destinations. For the control socket. */
#ifndef POSTERN_QUEUE_ADMIN_H
#define POSTERN_QUEUE_ADMIN_H

#include <postern/core/buf.h>
#include <postern/queue/queue.h>

struct queue_message_info {
	struct id qid;
	uint64_t size;        /* message as read: prefix and body */
	struct wall received; /* its age is now minus this */
	unsigned flags;       /* enum envelope_flag */
	struct str sender;
	struct str sid;
	struct str client;
	struct str helo;
	struct str login;
	struct str envid;
};

enum queue_state {
	QUEUE_WAITING, /* next_try says when; 0: not scheduled */
	QUEUE_HELD,    /* by the operator, or because its spool file is missing */
	QUEUE_FAILED,  /* its bounce is being made */
};

/* The host that was tried last for a recipient, and the TLS it came to. */
struct queue_last_host {
	struct str host; /* its name, or the address alone; "" when none was found yet */
	struct str ip;   /* with its port; "" when none was reached */
	enum tls_level wanted, got;
	struct str why;
	bool plain; /* without TLS although it was offered or tried: the fallback of `may' */
	bool said;  /* status and reason are its words */
};

struct queue_recipient_info {
	struct id qid;
	uint32_t number;     /* of the recipient in its message */
	enum queue_state state;
	struct str address;  /* as given */
	struct str target;   /* user, or address on another host; "" while the address waits to be resolved */
	bool local;
	unsigned attempts;
	struct wall next_try; /* 0: none is planned */
	struct wall last_try; /* 0: none yet */
	struct str status;    /* of the last attempt, RFC 3463; "" before the first */
	struct str reason;    /* in words why it waits */
	/* on other hosts */
	struct str destination; /* as queue.h names it; "" for a local one */
	bool under_way;         /* handed to a relay process at this moment */
	struct queue_last_host last;
};

/* Called for a message, then for each of its recipients. The values are valid during the call. */
struct queue_view {
	void (*message)(void *ctx, const struct queue_message_info *m);
	void (*recipient)(void *ctx, const struct queue_recipient_info *r);
};

/* Up to max messages after *at, oldest first; *at starts at all zeros and is moved to the last one shown. False at
 * the end. */
bool queue_list(struct queue *q, struct id *at, unsigned max, const struct queue_view *view, void *ctx);
/* One message; its header (with the prefix before it) is added to *header, cut at its ceiling, when header is not NULL.
 * False when there is none. */
bool queue_show(struct queue *q, struct id qid, const struct queue_view *view, void *ctx, struct buf *header);

enum queue_action {
	QUEUE_ACT_HOLD,
	QUEUE_ACT_RELEASE, /* held ones are tried at once */
	QUEUE_ACT_DELETE,  /* without a bounce */
	QUEUE_ACT_RETRY,   /* waiting ones are tried at once, their destinations rest no longer; held ones stay */
	QUEUE_ACT_REROUTE, /* those on other hosts go to selection.destination */
};

/* Which messages, and with a domain: only their recipients there (the domain of the target). */
struct queue_selection {
	bool all; /* else the n ids */
	const struct id *ids;
	size_t n;
	struct str domain;
	struct str destination; /* REROUTE: "=host:port" (queue.h), or "": where their domain's mail goes */
};

/* Acts in slices of a transaction each; done gets the number of recipients it concerned, or why it ended early. */
void queue_act(struct queue *q, enum queue_action action, const struct queue_selection *sel,
    void (*done)(void *ctx, uint64_t recipients, const struct err *e), void *ctx);

/* --- destinations --- */

/* A kind of failed TLS session of a day, as TLS reporting wants it (RFC 8460 4.4). */
struct queue_tls_failure {
	enum tlsrpt_policy policy;
	enum tlsrpt_result result;
	uint64_t sessions;
	struct str host, ip, reason;
};

struct queue_tls_day {
	struct wall begins; /* UTC */
	const struct tlsrpt_counts *counts; /* of each enum tlsrpt_policy */
	const struct queue_tls_failure *failures; /* those that were told apart: the counts know all */
	size_t n;
};

struct queue_destination_info {
	struct str name;  /* as queue.h names it */
	bool mail;        /* some waits for it, or is on its way */
	unsigned jobs;    /* on their way */
	unsigned window;  /* of them at most; 0: not known, there is no mail */
	struct wall rest_until;    /* no host was reached: it rests; 0: it does not */
	struct str status, reason; /* of the last try that reached no host; "" after one that did */
	/* TLS of the last host that was spoken to */
	struct wall tls_at; /* 0: never */
	struct queue_last_host last;
	struct wall plain_at;       /* the last fallback to plain text; 0: never */
	uint32_t handshakes_failed; /* in a row */
	/* MTA-STS */
	struct str sts_id, sts_policy; /* as tls_sts_write_policy makes it; "": none is known */
	struct wall sts_fetched, sts_check; /* when it came, when it is looked for again */
	struct str sts_words; /* how the last look failed, or "" */
	const struct queue_tls_day *days; /* the newest first */
	size_t ndays;
};

/* Destinations of which something is known, up to max after at (QUEUE_DESTINATION_SIZE bytes, "" at first), which moves to the
 * last one shown. False at the end. The values are valid during the call. */
bool queue_destinations(struct queue *q, char *at, unsigned max,
    void (*show)(void *ctx, const struct queue_destination_info *d), void *ctx);
/* The destination of a domain's mail, or one by its name. False when nothing is known of it. */
bool queue_destination_show(struct queue *q, struct str domain,
    void (*show)(void *ctx, const struct queue_destination_info *d), void *ctx);

#endif
