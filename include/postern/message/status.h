/* status.h - enhanced status codes: RFC 3463 2. */
#ifndef POSTERN_MESSAGE_STATUS_H
#define POSTERN_MESSAGE_STATUS_H

#include <postern/core/cur.h>

/* Takes class "." subject "." detail, each of its digits: a view into the text. Fails the cursor where there is none. */
struct str status_take(struct cur *c);
/* The whole text is a code of that class: '2', '4' or '5'. */
bool status_is_of(struct str text, char class);

#endif
