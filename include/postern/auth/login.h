/* login.h - logins from first byte to verdict: SASL, penalties, hashing threads, the cache and the directory together.
 *
 * Runs in the auth role. The fronts hand in decoded bytes and get one answer per start or step. The order never
 * changes: penalty, cache, queue for a hashing thread, check, verdict. Unknown names, disabled accounts and wrong
 * passwords cost the same time and get the same words; the log tells them apart. One event=login line per verdict. */
#ifndef POSTERN_AUTH_LOGIN_H
#define POSTERN_AUTH_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/auth/directory.h>
#include <postern/auth/penalty.h>
#include <postern/auth/sasl.h>
#include <postern/conf/conf.h>
#include <postern/core/io.h>
#include <postern/core/loop.h>

enum {
	LOGIN_EXCHANGES_MAX = 4096,    /* open at once in the process; one more is told to come later */
	LOGIN_EXCHANGE_MS = 60 * 1000, /* from start to the last response */
	LOGIN_WAITING_MAX = 1024,      /* checks that wait for a hashing thread */
	LOGIN_CACHE_MAX = 16384,       /* remembered right passwords */
};

enum login_verdict {
	LOGIN_CHALLENGE,
	LOGIN_OK,
	LOGIN_WRONG,     /* SMTP 535 5.7.8, IMAP NO [AUTHENTICATIONFAILED] */
	LOGIN_FORBIDDEN, /* right, but to act as somebody else: 535 5.7.8, NO [AUTHORIZATIONFAILED] */
	LOGIN_MALFORMED, /* 501 5.5.2, BAD */
	LOGIN_UNKNOWN,   /* no such mechanism on this connection: 504 5.5.4, NO [CANNOT] */
	LOGIN_LATER,     /* 454 4.7.0, NO [UNAVAILABLE] */
};

struct login_ask {
	uint32_t owner;     /* who asks (a channel): only he can step or abort */
	struct str service; /* "submission", "imap", … for the log */
	struct str sid;
	struct source client;
	struct str mechanism;
	const struct str *initial;   /* NULL: none was sent */
	struct sasl_channel channel; /* scram is set from the configuration */
};

struct login_answer {
	uint64_t exchange; /* for step and abort after CHALLENGE; 0 otherwise */
	enum login_verdict verdict;
	bool close;        /* the source is refused: answer and end the connection */
	struct str data;   /* CHALLENGE: decoded, may be empty */
	struct str user;   /* OK: canonical address */
	uint64_t quota;    /* OK: bytes in force, 0: none */
	struct id ticket;  /* OK: for the store */
	const char *words; /* for the peer, static */
};

typedef void login_fn(void *ctx, const struct login_answer *answer);

struct login;

/* dir stays the caller's; conf is referenced. */
struct login *login_new(struct loop *loop, struct directory *dir, const struct conf *conf);
/* Ends the hashing threads (waits for what they compute) and forgets all exchanges without an answer. */
void login_free(struct login *l);
/* The new configuration; the number of threads stays until a restart. */
void login_reload(struct login *l, const struct conf *conf);

/* on_answer is called exactly once, perhaps before login_start returns, unless login_drop comes first. */
void login_start(struct login *l, const struct login_ask *ask, login_fn *on_answer, void *ctx);
void login_step(
    struct login *l, uint32_t owner, uint64_t exchange, struct str response, login_fn *on_answer, void *ctx);
/* The client cancelled or is gone; an unknown number is ignored. An answer still due is given now: LATER. */
void login_abort(struct login *l, uint32_t owner, uint64_t exchange);
/* Ends all of an owner's; his channel is gone, so no answers are given. */
void login_drop(struct login *l, uint32_t owner);

/* Does one pair of user and password work? For `user check`: no penalty, no cache; takes one check. user as typed.
 * Unless OK, the words for the administrator are in e. */
enum login_verdict login_check_now(
    struct directory *dir, const struct conf *conf, struct str user, struct str password, struct err *e);

struct login_stats {
	size_t exchanges;
	size_t waiting;
	size_t hashing;
	uint64_t checked;  /* passwords hashed since the start */
	uint64_t cached;   /* answered from the cache */
	uint64_t refused;  /* by penalty */
	uint64_t too_late; /* LATER because no thread came free */
};
void login_stats(const struct login *l, struct login_stats *out);

/* Does what is due at mono_now(): delays, deadlines, exchanges that took too long. The service sets its own timer;
 * tests with a fake clock call this. */
void login_tick(struct login *l);

#endif
