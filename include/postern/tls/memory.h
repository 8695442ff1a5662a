/* memory.h - OpenSSL's memory. */
#ifndef POSTERN_TLS_MEMORY_H
#define POSTERN_TLS_MEMORY_H

#include <stdbool.h>

/* From now on what OpenSSL frees is overwritten. False when it has allocated already: to be called before anything else. */
bool tls_wipe_what_is_freed(void);

#endif
