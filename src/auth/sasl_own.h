/* sasl_own.h - what a mechanism is; private to src/auth/sasl*.c. */
#ifndef POSTERN_AUTH_SASL_OWN_H
#define POSTERN_AUTH_SASL_OWN_H

#include <postern/auth/sasl.h>

enum sasl_need {
	SASL_NEEDS_SCRAM = 1,   /* keys are kept */
	SASL_NEEDS_BINDING = 2, /* the channel has binding data */
};

struct sasl_mechanism {
	struct str name;
	unsigned needs;
	/* initial: NULL when the client sent none */
	enum sasl_next (*start)(struct sasl *s, const struct str *initial);
	enum sasl_next (*step)(struct sasl *s, struct str response);
	enum sasl_next (*checked)(struct sasl *s, bool right);
	enum sasl_next (*keys)(struct sasl *s);
};

/* Both note why and return the verdict. */
enum sasl_next sasl_malformed(struct sasl *s, const char *why);
enum sasl_next sasl_wrong(struct sasl *s, const char *why);

enum sasl_next sasl_plain_start(struct sasl *s, const struct str *initial);
enum sasl_next sasl_plain_step(struct sasl *s, struct str response);
enum sasl_next sasl_login_start(struct sasl *s, const struct str *initial);
enum sasl_next sasl_login_step(struct sasl *s, struct str response);
enum sasl_next sasl_password_checked(struct sasl *s, bool right);
enum sasl_next sasl_scram_start(struct sasl *s, const struct str *initial);
enum sasl_next sasl_scram_step(struct sasl *s, struct str response);
enum sasl_next sasl_scram_keys(struct sasl *s);

#endif
