/* directory.h - domains, users and aliases in one LMDB file, <state>/auth/directory.mdb.
 *
 * Used by the auth role, and by the command line while no server runs. A name is always a canonical address (lower
 * case, A-labels) or a domain in A-label form; whoever calls has made it so (address.h). Every change is one
 * transaction, durable when the function returns. What is read goes into the caller's arena. A damaged row fails alone:
 * a look-up of it is a temporary failure that names it, a list marks it. */
#ifndef POSTERN_AUTH_DIRECTORY_H
#define POSTERN_AUTH_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/auth/verifier.h>
#include <postern/core/arena.h>
#include <postern/core/err.h>
#include <postern/core/str.h>

enum {
	DIRECTORY_SCHEMA = 1,
	DIRECTORY_NAME_MAX = 320, /* bytes of an address */
	ALIAS_TARGETS_MAX = 200,  /* of one alias; nested ones multiply, see resolve.h */
	ALIAS_SENDERS_MAX = 200,
};

#define QUOTA_DEFAULT UINT64_MAX /* limits.quota of the configuration */

struct user {
	struct str address;
	bool disabled;
	bool damaged;     /* in lists only: nothing but the address is known */
	int64_t created;  /* seconds since the epoch */
	uint64_t quota;   /* bytes; 0: none; QUOTA_DEFAULT */
	uint64_t version; /* another one after every change of password or status, never used twice */
	uint64_t serial;  /* accounts in the order in which they were made */
	struct verifier verifier;
};

struct alias {
	struct str address; /* "info@example.test", or "@example.test" for whatever else arrives there */
	bool damaged;
	int64_t created;
	const struct str *targets; /* canonical addresses, own or foreign */
	size_t ntargets;
	const struct str *senders; /* users who may send as the alias */
	size_t nsenders;
};

struct domain {
	struct str name;
	bool damaged;
	int64_t created;
};

enum directory_found { DIRECTORY_FOUND, DIRECTORY_MISSING, DIRECTORY_FAILED /* err is set */ };

struct directory;

/* Opens <dir>/directory.mdb, made (mode 0600) when missing; root gives a new file to the owner of dir. Temporary
 * error when it cannot be opened, permanent when it is of a newer postern. dir is "/" in a closed root. */
struct directory *directory_open(const char *dir, struct err *e);
void directory_close(struct directory *d);
/* Frees what dead processes hold; every minute or so. */
void directory_tend(struct directory *d);

enum directory_found directory_user(
    struct directory *d, struct str address, struct arena *a, struct user *u, struct err *e);
enum directory_found directory_alias(
    struct directory *d, struct str address, struct arena *a, struct alias *al, struct err *e);
enum directory_found directory_domain(
    struct directory *d, struct str name, struct arena *a, struct domain *dom, struct err *e);
/* The account that was made first, of those that are still there; gets postmaster's mail when nobody else is named. */
enum directory_found directory_first_user(struct directory *d, struct arena *a, struct str *address, struct err *e);

/* The changes. "exists already" and "is not there" are permanent errors. created, version and serial of *u are set
 * here. */
bool directory_user_add(struct directory *d, const struct user *u, struct err *e);
bool directory_user_del(struct directory *d, struct str address, struct err *e);
bool directory_user_set_verifier(struct directory *d, struct str address, const struct verifier *v, struct err *e);
bool directory_user_set_quota(struct directory *d, struct str address, uint64_t quota, struct err *e);
bool directory_user_set_disabled(struct directory *d, struct str address, bool disabled, struct err *e);
/* A better verifier for the same password: only if the user's version is still this one, which stays. */
bool directory_user_upgrade(
    struct directory *d, struct str address, uint64_t version, const struct verifier *v, struct err *e);
bool directory_alias_add(struct directory *d, const struct alias *al, struct err *e);
bool directory_alias_del(struct directory *d, struct str address, struct err *e);
bool directory_domain_add(struct directory *d, struct str name, struct err *e);
bool directory_domain_del(struct directory *d, struct str name, struct err *e);

/* Lists in the order of the names, one page per call: rows after `after` ("" for the first page), at most max. more:
 * there are others; go on after the last one of this page. */
struct directory_page {
	size_t max;
	size_t n;
	bool more;
};
/* out: an array of page->max; its texts live in a. False with *e: temporary. */
bool directory_users(struct directory *d, struct str after, struct arena *a, struct directory_page *page,
    struct user *out, struct err *e);
bool directory_aliases(struct directory *d, struct str after, struct arena *a, struct directory_page *page,
    struct alias *out, struct err *e);
bool directory_domains(struct directory *d, struct str after, struct arena *a, struct directory_page *page,
    struct domain *out, struct err *e);

/* Random bytes of this directory, made when they are first asked for. */
enum { DIRECTORY_SECRET_SIZE = 32 };
bool directory_secret(struct directory *d, uint8_t secret[static DIRECTORY_SECRET_SIZE], struct err *e);

struct directory_counts {
	uint64_t users;
	uint64_t aliases;
	uint64_t domains;
};
bool directory_count(struct directory *d, struct directory_counts *c, struct err *e);

#endif
