/* victim.h - the process that is killed. */
#ifndef TESTS_CRASH_VICTIM_H
#define TESTS_CRASH_VICTIM_H

#include <stdint.h>

#define VICTIM_USER "kim@example.test"
#define VICTIM_ENTRY "/private/note" /* the annotation that is set */

/* Works until it is killed. Tokens above `token` are free. */
void victim_run(const char *root, const char *log, unsigned seed, uint32_t token);

#endif
