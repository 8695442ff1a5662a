/* root_page.h - LMDB has no room for its root page, for the tests of the databases that a commit leaves unreadable then. */
#ifndef TESTS_UNIT_ROOT_PAGE_H
#define TESTS_UNIT_ROOT_PAGE_H

#include <stdbool.h>

/* While it is set, LMDB's root pages find no space on the disk. */
extern bool root_page_fails;

/* Runs it in a process of its own, which has to end by log_fatal() on the way. What it returns says how far it came instead: any number
 * but 1. Databases do not go through the fork: it opens its own. */
void root_page_expect_end(int (*live)(void));

#endif
