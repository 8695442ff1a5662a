/* store_alone.c - `postern store …' and `postern mailbox list' without a server: a store for one command.
 *
 * It takes the same lock of the user's directory as a store process. As root it becomes the user whose files they are,
 * so that what it writes can be read by the server later. */
#include <errno.h>
#include <grp.h>
#include <unistd.h>

#include <postern/imap/cache.h>
#include <postern/message/charset.h>
#include <postern/role/state.h>
#include <postern/role/verbs.h>

#include "parent.h"
#include "sandbox.h"
#include "store.h"

/* For good: nothing that follows in this process needs root. */
static bool
become_owner(struct err *e)
{
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		return true;
	sandbox_user(role_row(ROLE_STORE), &uid, &gid);
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1)
		return err_perm(e, "", "cannot become the user of the store: %s", strerror(errno));
	return true;
}

static void
run(struct loop *loop, struct store *store, const struct strs *words, struct str after, struct arena *a,
    struct control_answer *out)
{
	struct store_role role = { .store = store };

	control_run(loop, store_verbs, &role, words, after, a, out);
	store_settle(store);
	store_close(store);
}

void
store_run_alone(const struct conf *conf, const struct strs *words, struct str after, struct arena *a,
    struct control_answer *out)
{
	struct loop *loop = loop_new();
	struct store_config config = { .loop = loop, .host = conf->hostname.p, .make_cache = imap_make_cache,
		.make_grams = conf->imap.search_index ? imap_make_grams : NULL,
		.free_min = conf->limits.disk_reserve };
	struct store *store = NULL;
	struct err e;

	charset_init(); /* cache rows hold text */
	store_prepare();
	if (state_make(conf, &e) && become_owner(&e)) {
		config.root = state_path(conf, "mail");
		store = store_open(&config, &e);
	}
	if (store != NULL)
		run(loop, store, words, after, a, out);
	else
		control_fail(out, a, ADMIN_FAILED, "%s", e.log);
	loop_free(loop);
}
