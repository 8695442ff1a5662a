/* trial.h - what a server accepts, found out by elimination: everything is offered, what it chooses is noted and
 * offered no more, until it refuses. Pure: offers come out, answers (peek.h) go in; who asks the server is not known here. */
#ifndef POSTERN_TLS_TRIAL_H
#define POSTERN_TLS_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/tls/peek.h>
#include <postern/tls/suite.h>

enum tls_trial_of { TLS_TRIAL_SUITES, TLS_TRIAL_GROUPS };

enum tls_order {
	TLS_ORDER_UNKNOWN, /* one choice only, or the last question was not answered */
	TLS_ORDER_SERVER,
	TLS_ORDER_CLIENT,
};

struct tls_trial {
	enum tls_trial_of of;
	uint16_t version;
	struct str sni;
	uint16_t suites[TLS_SUITES_MAX]; /* still offered */
	size_t nsuites;
	uint16_t groups[TLS_GROUPS_MAX];
	size_t ngroups;
	uint16_t chosen[TLS_SUITES_MAX]; /* suites or groups, in the server's order */
	size_t nchosen;
	enum { TLS_TRIAL_ELIMINATES, TLS_TRIAL_REVERSED, TLS_TRIAL_OVER } step;
	enum tls_order order; /* SUITES: whose preference counts */
	bool complete; /* the server refused what was left: nothing is missing */
	bool strange; /* it chose what was not offered */
	struct tls_peek_answer first; /* of the first answer, when nchosen > 0 */
	unsigned dh_bits; /* the shortest field that was seen with a certificate; 0: none */
	uint16_t curve; /* a curve that was seen on the way; 0: none */
};

/* All suites of a version, or all groups with the suites given (those that were accepted, with an exchange that needs
 * groups). sni must outlive the trial. */
void tls_trial_suites(struct tls_trial *t, uint16_t version, struct str sni);
void tls_trial_groups(struct tls_trial *t, uint16_t version, struct str sni, const uint16_t *suites, size_t n);

/* The next question; false: nothing more to ask. The offer points into the trial. */
bool tls_trial_offer(const struct tls_trial *t, struct tls_peek_offer *o);
/* The server chose. */
void tls_trial_chosen(struct tls_trial *t, const struct tls_peek_answer *a);
/* The server refused (alert, or closed without a word). */
void tls_trial_refused(struct tls_trial *t);
/* No answer can be had; what is known is not complete. */
void tls_trial_lost(struct tls_trial *t);

#endif
