/* gate.h - the door's decision, between listen.c and gate.c. */
#ifndef POSTERN_SRC_NET_GATE_H
#define POSTERN_SRC_NET_GATE_H

#include <postern/net/listen.h>

/* Counts a new connection in: NULL; or the reason why it must go. */
const char *gate_enter(struct listen_gate *g, const struct addr *peer);

#endif
