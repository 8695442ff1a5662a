/* sign.c - signatures for TLS handshakes: a blocking question on a channel of its own. */
#include "sign.h"

#include <postern/core/log.h>

#include "env.h"

bool
sign_by_keys(void *ctx, struct str key_id, enum tls_scheme scheme, struct str tbs, struct buf *sig)
{
	struct env *env = ctx;
	struct sign_ask ask = { .key = key_id, .scheme = scheme, .data = tbs };
	struct sign_answer answer = { 0 };
	const char *why = "keys is not there";
	struct arena a;
	bool ok;

	arena_init(&a);
	ok = env->sign_fd != -1 &&
	    ipc_wait(env->sign_fd, env->row->role, ROLE_KEYS, IPC_SIGN, &ask, &answer, &a, SIGN_MS, &why);
	if (!ok) {
		log_say(LEVEL_ERROR, "sign", "no signature: %s", why);
		env_check_sign(env);
	}
	ok = ok && answer.ok;
	if (ok)
		buf_add(sig, answer.signature);
	arena_fini(&a);
	return ok;
}
