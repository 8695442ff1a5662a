/* own.h - the door for tests: a module and a bundle of their choice. */
#ifndef FETCH_OWN_H
#define FETCH_OWN_H

#include <postern/fetch/fetch.h>

/* fetch_open with the module at path. */
struct fetch *fetch_open_module(struct loop *loop, const char *path, struct str ca_file, struct err *e);

#endif
