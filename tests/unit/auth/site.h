/* site.h - what the tests of accounts stand on: a directory in a place of its own, and a configuration with cheap
 * hashes. */
#ifndef TESTS_UNIT_AUTH_SITE_H
#define TESTS_UNIT_AUTH_SITE_H

#include <postern/auth/admin.h>
#include <postern/auth/directory.h>
#include <postern/auth/penalty.h>
#include <postern/conf/conf.h>

struct site {
	char dir[64];
	struct directory *directory;
	struct conf *conf;
	struct admin admin;
};

/* auth: keys for that section besides the cheap hashes; top: other lines. */
void site_open(struct site *s, const char *auth, const char *top);
void site_close(struct site *s);
/* Closes the directory and opens it again. */
void site_reopen(struct site *s);
/* Adds an account with a password. */
void site_user(struct site *s, const char *address, const char *password);
void site_alias(struct site *s, const char *address, const char *targets[], size_t ntargets);
/* "192.0.2.1" or "2001:db8::1". */
struct source site_source(const char *text);

#endif
