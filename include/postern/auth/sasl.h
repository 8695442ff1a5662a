/* sasl.h - the server's side of SASL mechanisms (RFC 4422) as values without I/O.
 *
 * sasl_start gets the mechanism and the initial response, sasl_step each further one; both say what has to happen next.
 * When a password has to be checked or keys have to be looked up, the caller does it (login.h) and hands the result
 * back. Bytes are decoded: base64 belongs to the protocols. SCRAM's last words travel as a challenge that the client
 * answers with nothing, because neither RFC 4954 nor RFC 9051 has room for data beside success. A mechanism is a row of
 * the table in sasl.c. */
#ifndef POSTERN_AUTH_SASL_H
#define POSTERN_AUTH_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/auth/verifier.h>
#include <postern/core/buf.h>
#include <postern/core/str.h>

enum {
	SASL_MESSAGE_MAX = 4096, /* bytes of one response, decoded */
	SASL_NAME_MAX = 512,     /* bytes of a user name */
	SASL_NONCE_MAX = 256,    /* bytes of a client's nonce */
	SASL_BINDING_MAX = 64,   /* bytes of channel binding data */
	SASL_MECHANISMS_MAX = 8,
};

/* What is known of the connection underneath. */
struct sasl_channel {
	bool tls;             /* without it no mechanism starts */
	bool scram;           /* SCRAM is offered (auth { scram }) */
	struct str exporter;  /* RFC 9266, TLS 1.3 only; empty: not known */
	struct str end_point; /* RFC 5929 4, hash of our certificate; empty: not known */
};

enum sasl_next {
	SASL_CHALLENGE,      /* send s->out (may be empty), then step */
	SASL_CHECK_PASSWORD, /* compare s->password for s->authcid, then sasl_checked */
	SASL_WANT_KEYS,      /* find the SCRAM keys of s->authcid, then sasl_keys */
	SASL_OK,             /* s->authcid is who he says */
	SASL_WRONG,          /* password or proof is wrong */
	SASL_FORBIDDEN,      /* right, but asks to act as somebody else (RFC 4616 2: authzid) */
	SASL_UNKNOWN,        /* no such mechanism on such a channel */
	SASL_MALFORMED,      /* no such message, or out of order; s->why says what */
};

struct sasl_mechanism;

struct sasl {
	const struct sasl_mechanism *mechanism;
	struct sasl_channel channel; /* views into binding below */
	char exporter[SASL_BINDING_MAX];
	char end_point[SASL_BINDING_MAX];
	int state;
	struct buf out;
	struct buf authcid; /* as the client sent it; not prepared */
	struct buf authzid;
	struct buf password;
	struct buf first;  /* SCRAM: client-first-message-bare "," server-first-message */
	struct buf header; /* SCRAM: the GS2 header with which the client began, binding data behind it */
	struct buf nonce;  /* SCRAM: both nonces */
	bool other;        /* the caller found, before sasl_checked or sasl_keys, that authzid names somebody else */
	struct scram_keys keys;
	bool keys_real;  /* false: made up for somebody unknown; the proof cannot match */
	const char *why; /* static words for the log when something is not right */
};

/* Starts a new exchange in *s (init is not needed before, fini always after). initial is NULL when the client sent
 * none; an empty one is different. UNKNOWN for what is not offered on such a channel. */
enum sasl_next sasl_start(
    struct sasl *s, struct str mechanism, const struct str *initial, const struct sasl_channel *channel);
enum sasl_next sasl_step(struct sasl *s, struct str response);
/* The answer to SASL_CHECK_PASSWORD. */
enum sasl_next sasl_checked(struct sasl *s, bool right);
/* The answer to SASL_WANT_KEYS; real: false when the keys are fake (scram_keys_fake). */
enum sasl_next sasl_keys(struct sasl *s, const struct scram_keys *keys, bool real);
/* The mechanism's registered name; empty before a start that found one. */
struct str sasl_name(const struct sasl *s);
/* Wipes and frees. Harmless on zeroed memory and a second time. */
void sasl_fini(struct sasl *s);

/* The mechanisms to offer on such a channel, best first, for EHLO and CAPABILITY; returns how many. */
size_t sasl_offer(const struct sasl_channel *channel, struct str out[static SASL_MECHANISMS_MAX]);

/* For tests with the RFCs' vectors: the server's part of the next nonces instead of random bytes; NULL: random again.
 */
void sasl_fix_nonce(const char *nonce);

#endif
