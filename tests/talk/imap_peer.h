/* imap_peer.h - the world of an IMAP transcript or fuzz run: fronts and sessions in this process, over a store in a
 * temporary directory, with a fake of auth. Work of the store is done at once (threads = 0). */
#ifndef POSTERN_TESTS_IMAP_PEER_H
#define POSTERN_TESTS_IMAP_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/imap/front.h>
#include <postern/imap/session.h>

#include "imap_grammar.h"
#include "talk.h"

struct compress;
struct loop;
struct store;

enum { WORLD_CONNS = TALK_CONNECTIONS };

struct world;

struct imap_conn {
	struct world *world;
	bool open;
	bool closed;             /* by the server */
	bool handshake;          /* starttls was called */
	struct imap_front *front;
	struct imap_session *session;
	bool again;              /* the session wants to run … */
	bool later;              /* … when some time has passed */
	bool stalled;            /* the client does not read */
	size_t pending;          /* said and not read */
	size_t pending_max;
	struct buf said;
	struct buf inbox;        /* from the client, not taken yet */
	/* the question to auth that is open */
	bool asked;
	struct imap_auth_answer answer;
	struct buf answer_user;
	bool challenged;         /* PLAIN without an initial response */
	/* the hand-over to the store */
	bool opening;
	struct buf tag;
	struct grammar grammar;
	bool wants_owner;        /* the session asked for another user's account: */
	struct buf owner;
	bool released;           /* by the session, after UNAUTHENTICATE, … */
	struct buf rest;         /* … with these octets */
	struct compress *deflate; /* the client's side of the compressed stream; NULL: plain */
};

struct world {
	struct loop *loop;
	struct store *store;
	char root[64];
	struct imap_conn conns[WORLD_CONNS + 1];
	unsigned threads;        /* of the store; set before world_init */
	bool no_index;           /* of texts, for SEARCH */
	int64_t tick_ms;         /* a session that looks whether it may go on finds it so much later */
	bool imaps;              /* TLS from the first byte */
	uint64_t quota;
	uint64_t message_max;
	bool compress;           /* COMPRESS is offered */
	bool refuse_8bit;        /* header fields of APPEND */
	struct buf comment;      /* /shared/comment of the server */
	uint64_t message_limit;  /* messages of one command; 0: any number */
	uint64_t save_limit;     /* … of COPY and APPEND */
	unsigned questions;      /* that auth was asked */
	bool shared;             /* mailboxes of others are offered */
	struct buf shared_owner; /* whose are shown below Shared/ */
	struct buf locked;       /* the user whom auth does not know any more */
	unsigned opened;         /* accounts of others that were asked for */
	enum { OWNER_COMES, OWNER_WAITS, OWNER_MEETS_WORK } owner_when; /* the next account that was asked for: at once, later, in the midst of work */
	struct imap_conn *owner_for; /* who asked for the one that waits */
	struct store_user *owner;
	unsigned dropped;        /* files */
	struct buf log;
};

void world_init(struct world *w);
void world_fini(struct world *w);
/* The store is opened again without a search index; before anybody connects. */
void world_drop_index(struct world *w);
/* Goes on with every connection until nothing moves any more. */
void world_drive(struct world *w);
void world_connect(struct world *w, unsigned conn);
/* The client's bytes. */
void world_feed(struct world *w, unsigned conn, struct str bytes);
/* Connects inside TLS, logs in and forgets what was said. False: that did not work. */
bool world_login(struct world *w, unsigned conn, struct str user);
/* The client reads everything. */
void world_read(struct world *w, unsigned conn);
/* A delivery to INBOX or another mailbox of the user. */
bool world_deliver(struct world *w, struct str user, struct str mailbox, struct str message);
/* Another program drops a file into new/ of alice's INBOX. */
bool world_drop(struct world *w, struct str name, struct str message);
/* Another program cuts the file of the message with this UID to so many bytes, or removes it (-1). */
bool world_cut(struct world *w, struct str uid, int64_t bytes);

/* imap_words.c: the words of IMAP transcripts. */
enum talk_word world_word(void *ctx, struct str word, struct str rest, struct buf *why);

#endif
