/* policy.h - MTA-STS policies of destinations: looked for before mail goes there, at most once a minute, one question at a time;
 * what is known stays in force until it ends (RFC 8461 3.3, 5.1). Kept in the ledger, carried by jobs. */
#ifndef POSTERN_QUEUE_POLICY_H
#define POSTERN_QUEUE_POLICY_H

#include "destination.h"

bool policy_is_due(const struct destination *d);
/* Asks; the destination has no new jobs until the answer. */
void policy_ask(struct destination *d);

#endif
