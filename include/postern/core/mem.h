/* mem.h - heap memory that is there or the process ends.
 *
 * What a stranger can make grow has a ceiling of its own long before the machine is
 * full (buf.h, arena.h, the limits of each parser). If the machine is full all the same, going
 * on half-blind is worse than ending: nothing acknowledged depends on a process's memory. */
#ifndef POSTERN_CORE_MEM_H
#define POSTERN_CORE_MEM_H

#include <stddef.h>

#include <postern/core/str.h>

/* Zeroed memory of n bytes (n may be 0), never NULL. Freed with free(). */
void *mem_new(size_t n);
/* Zeroed array of n elements of size bytes; overflow ends the process. */
void *mem_array(size_t n, size_t size);
/* realloc() that cannot fail; new bytes are not zeroed. */
void *mem_resize(void *p, size_t n);
/* A NUL-terminated copy of s, freed with free(). */
char *mem_cstr(struct str s);
/* Overwrites secrets in a way the compiler keeps. */
void mem_wipe(void *p, size_t n);

/* One zeroed object of the type, freed with free(). */
#define NEW(type) ((type *)mem_new(sizeof(type)))

#endif
