/* state.h - the directory of everything that postern writes. */
#ifndef POSTERN_ROLE_STATE_H
#define POSTERN_ROLE_STATE_H

#include <stdbool.h>

#include <postern/conf/conf.h>
#include <postern/core/err.h>

/* Makes what is missing below conf->state, each part owned by the user of its role (as root; else by ourselves). */
bool state_make(const struct conf *conf, struct err *e);

/* Makes <state>/keys/self-signed.pem and .key unless they are there or the configuration names a certificate. */
bool state_make_certificate(const struct conf *conf, struct err *e);

#endif
