/* sign.h - signatures for TLS handshakes, by the process that has the keys. */
#ifndef ROLE_SIGN_H
#define ROLE_SIGN_H

#include <postern/tls/remote.h>

enum { SIGN_MS = 2000 }; /* how long a handshake waits for its signature */

/* For struct tls_signer; ctx is the struct env. Blocks. */
bool sign_by_keys(void *env, struct str key_id, enum tls_scheme scheme, struct str tbs, struct buf *sig);

#endif
