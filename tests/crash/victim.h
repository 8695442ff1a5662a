/* victim.h - the process that is killed. */
#ifndef TESTS_CRASH_VICTIM_H
#define TESTS_CRASH_VICTIM_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/store/grams.h>

#define VICTIM_USER "kim@example.test"
#define VICTIM_ENTRY "/private/note" /* the annotation that is set */

/* How many messages of a block wait in the search index. */
enum { VICTIM_WAIT = 5 };
/* store_config.make_grams: the whole file is one text. */
bool victim_grams(void *ctx, int fd, uint64_t size, bool lf, struct str cache, struct gram_set *out);
/* Works until it is killed. Tokens above `token` are free. */
void victim_run(const char *root, const char *log, unsigned seed, uint32_t token);

#endif
