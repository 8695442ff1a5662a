/* reload.c - a new configuration while everything runs: whole or not at all. Sessions keep the one they began with. */
#include <stdio.h>

#include <postern/core/buf.h>
#include <postern/core/log.h>

#include "parent.h"

static bool
explain(const struct conf_errors *errors, struct err *e)
{
	char place[32] = "";

	if (errors->n == 0)
		return err_perm(e, "", "cannot read it");
	if (errors->v[0].line > 0)
		snprintf(place, sizeof place, ":%u", errors->v[0].line);
	return err_perm(e, "", "%s%s: %s%s", errors->file, place, errors->v[0].text,
	    errors->n > 1 ? " (and more: postern config check)" : "");
}

static bool
needs_restart(const struct conf *before, const struct conf *after, struct err *e)
{
	static struct conf_changes changes;

	conf_diff(before, after, &changes);
	for (size_t i = 0; i < changes.n; i++)
		if (changes.v[i].restart) {
			err_perm(e, "",
			    "%s (line %u) cannot change while the server runs: restart it, or change it back",
			    changes.v[i].key, changes.v[i].line);
			return true;
		}
	return false;
}

static void
hand_new_keys(struct server *s)
{
	struct err e;

	s->key_files = keypairs_fingerprint(s->conf);
	for (unsigned i = 0; i < s->nprocs; i++)
		if (s->procs[i].row->role == ROLE_KEYS && s->procs[i].pid != 0 &&
		    !hand_keypairs(&s->procs[i], true, &e))
			log_say(LEVEL_ERROR, "keys", "the old certificate stays: %s", e.log);
}

bool
parent_reload(struct server *s, struct err *e)
{
	struct conf_errors errors;
	const struct conf *new;
	bool ok = true;

	if (s->draining)
		return err_perm(e, "", "the server is stopping");
	notify_systemd("RELOADING=1");
	conf_errors_init(&errors);
	new = conf_load(s->conf_path, &errors);
	if (new != NULL)
		conf_check_files(new, &errors);
	if (errors.n > 0 || new == NULL)
		ok = explain(&errors, e);
	else if (needs_restart(s->conf, new, e))
		ok = false;
	conf_errors_fini(&errors);
	notify_systemd("READY=1");
	if (!ok) {
		conf_unref(new);
		return false;
	}
	conf_unref(s->conf);
	s->conf = new;
	log_setup(2, "parent", new->log.format, role_log_level(ROLE_PARENT, new));
	for (unsigned i = 0; i < s->nprocs; i++)
		if (s->procs[i].pid != 0)
			hand_conf(&s->procs[i], true);
	for (unsigned i = 0; i < s->nprocs; i++)
		if (s->procs[i].pid != 0 && s->procs[i].row->role == ROLE_RELAY)
			hand_passwords(&s->procs[i]);
	hand_new_keys(s);
	log_say(LEVEL_INFO, "reload", "the new configuration is in force for new connections");
	return true;
}

void
parent_watch(void *server)
{
	struct server *s = server;

	if (keypairs_fingerprint(s->conf) != s->key_files) {
		log_say(LEVEL_INFO, "keys", "certificate files changed");
		hand_new_keys(s);
	}
	loop_timer_start(&s->watch, WATCH_MS);
}
