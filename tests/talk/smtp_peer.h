/* smtp_peer.h - SMTP sessions in this process, with a fake world around them, as a peer of the talk runner. */
#ifndef POSTERN_TESTS_SMTP_PEER_H
#define POSTERN_TESTS_SMTP_PEER_H

#include <postern/core/arena.h>
#include <postern/smtp/in.h>

#include "talk.h"

struct world;

enum { USERS_MAX = 20, GRANTS_MAX = 20, MESSAGES_MAX = 64 };

struct user {
	struct str address;
	struct str password; /* empty: cannot log in */
};

/* What a submit brought. */
struct message {
	struct envelope envelope;
	struct smtp_in_rcpt *rcpts;
	size_t nrcpts;
	struct buf body;
	struct buf prefix;
	unsigned flags;
};

enum asked { ASKED_NOTHING, ASKED_RESOLVE, ASKED_MAY_SEND, ASKED_AUTH, ASKED_SUBMIT, ASKED_SINK };

struct conn {
	struct world *world;
	struct smtp_in *session;
	bool wanted;    /* open, but waits for TLS */
	bool handshake; /* the session waits for TLS */
	bool paused, closed;
	unsigned writes;
	struct buf said;
	struct buf inbox; /* from the client, not yet fed */
	size_t fed;
	/* the answer to what is asked */
	enum asked asked;
	struct smtp_in_resolved resolved;
	struct envelope_target target;
	enum smtp_in_verdict verdict;
	struct smtp_in_authed authed;
	struct smtp_reply submitted;
	struct str mechanism, login_name; /* of an exchange that goes on */
	struct message *sink;
};

enum answers { ANSWERS_NOW, ANSWERS_LATER, ANSWERS_HELD };
enum sink_mood { SINK_TAKES, SINK_NO_OPEN, SINK_NO_WRITE, SINK_WAITS, SINK_WAITS_FAILS };

struct world {
	struct arena arena;
	struct smtp_in_conf conf;
	enum smtp_in_profile profile;
	struct user users[USERS_MAX];
	size_t nusers;
	struct user grants[GRANTS_MAX]; /* address: the login, password: what it may send as */
	size_t ngrants;
	struct str refused;             /* a recipient that gets refusal */
	struct smtp_reply refusal;
	struct smtp_reply submit_reply;
	bool relay;
	struct str client;
	struct str early;
	enum smtp_in_load load;
	enum answers answers;
	enum sink_mood sink;
	bool verdict_later;
	unsigned auths;  /* how often a mechanism was started */
	unsigned aborts; /* sinks given up */
	struct conn conns[TALK_CONNECTIONS + 1];
	struct message messages[MESSAGES_MAX];
	size_t nmessages;
	struct buf log;
};

/* Lets everything go on that can: answers, input. */
void conn_drive(struct conn *c);
/* The peer's words (smtp_words.c), and those of them that look at what came of it (smtp_look.c). */
struct world_word {
	const char *word;
	bool (*run)(struct world *w, struct str rest, struct buf *why);
};
enum talk_word world_word(void *ctx, struct str word, struct str rest, struct buf *why);
enum talk_word world_look(struct world *w, struct str word, struct str rest, struct buf *why);
/* Says in why what there is instead; false. */
bool world_no(struct buf *why, const char *what, struct str got);

/* A reply from "451 4.3.0 words". */
struct smtp_reply world_reply(struct world *w, struct str text);

extern const struct smtp_in_ops fake_ops;

#endif
