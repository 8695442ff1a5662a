/* site.c - a throw-away directory and configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "site.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
site_reopen(struct site *s)
{
	struct err e;

	directory_close(s->directory);
	s->directory = directory_open(s->dir, &e);
	if (s->directory == NULL)
		fail_msg("directory_open: %s", e.log);
	s->admin.dir = s->directory;
}

void
site_open(struct site *s, const char *auth, const char *top)
{
	struct conf_errors errors;
	struct buf text;

	*s = (struct site){
		.dir = "/dev/shm/postern-auth-XXXXXX"
	}; /* every change is synced: memory keeps the tests quick */
	if (mkdtemp(s->dir) == NULL) {
		*s = (struct site){ .dir = "/tmp/postern-auth-XXXXXX" };
		assert_non_null(mkdtemp(s->dir));
	}
	buf_init(&text, 65536);
	buf_addf(&text,
	    "hostname = \"mx.example.test\"\ndomains = { \"example.test\", \"xn--bcher-kva.test\" }\n"
	    "auth { hash_passes = 1\n hash_memory = 8K\n hash_threads = 2\n%s }\n%s\n",
	    auth, top);
	conf_errors_init(&errors);
	s->conf = conf_parse(buf_str(&text), "test.conf", &errors);
	if (s->conf == NULL)
		fail_msg("%s", errors.v[0].text);
	conf_errors_fini(&errors);
	buf_fini(&text);
	s->admin.conf = s->conf;
	site_reopen(s);
}

void
site_close(struct site *s)
{
	char path[128];

	directory_close(s->directory);
	conf_unref(s->conf);
	snprintf(path, sizeof path, "%s/directory.mdb", s->dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/directory.mdb-lock", s->dir);
	unlink(path);
	rmdir(s->dir);
}

void
site_user(struct site *s, const char *address, const char *password)
{
	struct admin_secret secret = { .password = str_of(password) };
	struct err e;

	if (!admin_user_add(&s->admin, str_of(address), &secret, QUOTA_DEFAULT, &e))
		fail_msg("%s: %s", address, e.log);
}

void
site_alias(struct site *s, const char *address, const char *targets[], size_t ntargets)
{
	struct str list[16];
	struct err e;

	for (size_t i = 0; i < ntargets; i++)
		list[i] = str_of(targets[i]);
	if (!admin_alias_add(&s->admin, str_of(address), list, ntargets, NULL, 0, &e))
		fail_msg("%s: %s", address, e.log);
}

struct source
site_source(const char *text)
{
	struct source s = { .b = { [10] = 0xff, [11] = 0xff } };

	if (inet_pton(AF_INET, text, s.b + 12) == 1)
		return s;
	assert_int_equal(inet_pton(AF_INET6, text, s.b), 1);
	return s;
}
