/* login_own.h - the login service from inside; private to src/auth/login*.c.
 *
 * login.c keeps the exchanges and gives the answers; login_check.c decides who may try, and has passwords hashed. An
 * answer may call back into the service: whoever gives one touches the exchange no more. */
#ifndef POSTERN_AUTH_LOGIN_OWN_H
#define POSTERN_AUTH_LOGIN_OWN_H

#include <sys/queue.h>

#include <postern/auth/login.h>
#include <postern/core/map.h>

#include "lru.h"
#include "pool.h"

enum stage {
	STAGE_CLIENT,  /* the client's turn */
	STAGE_DELAYED, /* a penalty runs */
	STAGE_WAITING, /* for a hashing thread */
	STAGE_HASHING,
};

enum { GUESS_SIZE = 32 };

struct exchange {
	TAILQ_ENTRY(exchange) link;
	TAILQ_ENTRY(exchange) wait;
	uint64_t id;
	uint32_t owner;
	struct source client;
	char service[16];
	char sid[64];
	struct sasl sasl;
	struct mono until; /* the whole exchange */
	enum stage stage;
	struct mono due; /* DELAYED: to go on; WAITING: to give up */
	enum sasl_next want;
	login_fn *fn; /* the answer that is due */
	void *ctx;
	struct buf account; /* canonical, or what comes next to it */
	bool known;
	struct user user;          /* when known; user.address points into account */
	uint8_t guess[GUESS_SIZE]; /* keyed hash of name and password */
};

TAILQ_HEAD(exchanges, exchange);

/* A password that was right lately. */
struct right {
	struct mono until;
	uint64_t version; /* of the user then */
	size_t nuser;
	char user[DIRECTORY_NAME_MAX];
};

struct login {
	struct loop *loop;
	struct directory *dir;
	const struct conf *conf;
	struct penalty *penalty;
	struct pool *pool;
	struct lru cache; /* guess → struct right */
	struct exchanges all;
	struct exchanges waiting;
	size_t nwaiting;
	struct map by_id;
	uint64_t last_id;
	struct loop_timer timer;
	uint8_t guess_key[32]; /* new with each start */
	uint8_t salt_key[DIRECTORY_SECRET_SIZE];
	struct login_stats stats;
};

extern const char login_words_wrong[];
extern const char login_words_later[];
extern const char login_words_refused[];

/* login.c: what follows from the mechanism's word, and the last answer of an exchange (which ends it). */
void login_advance(struct login *l, struct exchange *x, enum sasl_next next);
void login_end(
    struct login *l, struct exchange *x, enum login_verdict verdict, bool close, const char *words, const char *why);
struct exchange *login_find(const struct login *l, uint64_t id);
void login_arm(struct login *l);

/* login_check.c: a name and a password, or a name for keys, are there. */
void login_admit(struct login *l, struct exchange *x, enum sasl_next want);
void login_go_on(struct login *l, struct exchange *x); /* the delay is over */
void login_pump(struct login *l);
void login_leave_queue(struct login *l, struct exchange *x);
void login_on_hashed(struct pool_job *job, void *ctx);
void login_drop_job(struct pool_job *job);

struct verifier_cost login_cost(const struct conf *conf);

#endif
