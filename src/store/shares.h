/* shares.h - who has shared mailboxes with whom: (identifier, owner) for every user of the store; private to src/store.
 *
 * A guest's LIST and each name in another's account would need every account otherwise. The table says too much or what is so, never
 * too little: a pair is durable in the file `postern-shares` before the commit that gives the right, and goes, without haste, after one
 * that takes the last away. What it says decides nothing: rights are read where they are (acl.c). An account's pairs are put right
 * whenever it is loaded, and after every commit that touches its rights.
 *
 * The file is a journal of lines "+identifier owner" and "-identifier owner", written anew when it has grown. Any thread. */
#ifndef POSTERN_STORE_SHARES_H
#define POSTERN_STORE_SHARES_H

#include <stdbool.h>

#include <postern/core/arena.h>
#include <postern/core/str.h>

struct snap;
struct shares;

#define SHARES_NAME "postern-shares"
enum { SHARES_FILE_MAX = 256 << 20 };

/* Reads the file in this directory; a torn line at its end is nothing. */
struct shares *shares_open(int root);
void shares_free(struct shares *h);
/* The pair is there, durably. False with errno. */
bool shares_add(struct shares *h, struct str identifier, struct str owner);
/* The owner's pairs are those in his index. */
void shares_settle(struct shares *h, struct snap *s, struct str owner);
bool shares_has(struct shares *h, struct str identifier, struct str owner);
/* How many identifiers have something of this owner's. */
size_t shares_guests(struct shares *h, struct str owner);
/* Adds the owners to a list in the arena, at most max in all. */
size_t shares_owners(struct shares *h, struct str identifier, struct arena *a, struct str *owners, size_t n, size_t max);

#endif
