/* sandbox.h - giving up rights: once, for good, before the first byte from outside. */
#ifndef ROLE_SANDBOX_H
#define ROLE_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

struct env;
struct role_row;

/* Closes the root, drops the uid, forbids what the row does not name. As an ordinary user (development, tests) only what needs no
 * root happens. A layer that the kernel or container lacks is skipped and named in env->skipped; a failure to give up root ends
 * the process. Sets env->root. */
void sandbox_enter(struct env *env);

/* The uid and gid of a role's user: from the system's user list, else the fixed ones (SANDBOX_UID_BASE + number of the role).
 * True if the list had it. */
enum { SANDBOX_UID_BASE = 61180 };
bool sandbox_user(const struct role_row *row, uid_t *uid, gid_t *gid);

/* However this process ends, its memory goes to no file. */
void sandbox_leave_no_core(void);

/* Files beneath the root for a role with CALLS_FILES, none for others; no TCP of its own but for one with CALLS_NETWORK; no signals to
 * others. Without new privileges, before the filter. False with errno: the kernel has no Landlock. */
bool sandbox_landlock(unsigned calls, const char *root);

/* The system-call filter alone, with the calls (enum role_calls) beyond the base. False: the kernel has none. */
bool sandbox_filter(unsigned calls);

#endif
