/* smtp_out_peer.h - client sessions of SMTP in this process, with a relay that only notes what it is told. */
#ifndef POSTERN_TESTS_SMTP_OUT_PEER_H
#define POSTERN_TESTS_SMTP_OUT_PEER_H

#include <postern/core/arena.h>
#include <postern/smtp/out.h>

#include "talk.h"

enum { OUT_MAILS_MAX = 16, OUT_RCPTS_MAX = 2000 };

/* A message that waits to be sent, and what came of it. */
struct out_mail {
	struct smtp_out_mail mail;
	struct smtp_out_rcpt *rcpts;
	struct str *results; /* by recipient, as the transcript sees it; p NULL: none yet */
	struct str body;
	size_t at;           /* bytes of the body that were given */
	bool done;
};

enum out_answers { OUT_NOW, OUT_LATER, OUT_HELD };

struct out_world {
	struct arena arena;
	struct smtp_out_conf conf;
	struct smtp_out *session;
	struct out_mail mails[OUT_MAILS_MAX];
	size_t nmails;
	size_t sendable, next; /* so many may go; the next of them */
	size_t now;            /* mail under way, +1; 0: none */
	enum out_answers answers;
	size_t piece;          /* bytes of one piece of a body */
	bool verified, fails;  /* TLS that comes; a body that cannot be read */
	bool ready, asked;     /* the session waits for a message, for a piece */
	bool handshake, closed;
	struct buf said;
	unsigned writes, dones;
	struct str end;
};

/* Lets everything go on that can. */
void out_world_drive(struct out_world *w);
/* The transcript's words. */
enum talk_word out_world_word(void *ctx, struct str word, struct str rest, struct buf *why);

extern const struct smtp_out_ops out_world_ops;

#endif
