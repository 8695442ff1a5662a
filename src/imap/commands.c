/* commands.c - every command of a logged-in session, in one table. Dispatch, "wrong state" and CAPABILITY come from
 * it. */
#include "commands.h"

#include "capability.h"
#include "limit.h"
#include "names.h"
#include "rows.h"

static const struct verb verbs[] = {
	{ STR_INIT("CAPABILITY"), IN_BOTH, 0, parse_nothing, cmd_capability_run, NULL, "RFC 9051 6.1.1" },
	{ STR_INIT("NOOP"), IN_BOTH, 0, parse_nothing, cmd_noop_run, NULL, "RFC 9051 6.1.2" },
	{ STR_INIT("LOGOUT"), IN_BOTH, VERB_NO_UPDATES, parse_nothing, cmd_logout_run, NULL, "RFC 9051 6.1.3" },
	{ STR_INIT("ID"), IN_BOTH, 0, cmd_id_parse, cmd_id_run, "ID", "RFC 2971 3.1" },
	{ STR_INIT("ENABLE"), IN_BOTH, 0, cmd_enable_parse, cmd_enable_run, "ENABLE", "RFC 9051 6.3.1, RFC 5161 3.1" },
	{ STR_INIT("COMPRESS"), IN_BOTH, 0, cmd_compress_parse, cmd_compress_run, NULL, "RFC 4978 3" },
	{ STR_INIT("UNAUTHENTICATE"), IN_BOTH, VERB_NO_UPDATES, parse_nothing, cmd_unauthenticate_run, NULL, "RFC 8437 3" },
	{ STR_INIT("SELECT"), IN_BOTH, 0, cmd_select_parse, cmd_select_run, NULL, "RFC 9051 6.3.2" },
	{ STR_INIT("EXAMINE"), IN_BOTH, 0, cmd_select_parse, cmd_examine_run, NULL, "RFC 9051 6.3.3" },
	{ STR_INIT("CREATE"), IN_BOTH, 0, cmd_create_parse, cmd_create_run, "CREATE-SPECIAL-USE",
	    "RFC 9051 6.3.4, RFC 6154 3" },
	{ STR_INIT("DELETE"), IN_BOTH, 0, parse_one_mailbox, cmd_delete_run, NULL, "RFC 9051 6.3.5" },
	{ STR_INIT("RENAME"), IN_BOTH, 0, cmd_rename_parse, cmd_rename_run, NULL, "RFC 9051 6.3.6" },
	{ STR_INIT("SUBSCRIBE"), IN_BOTH, 0, parse_one_mailbox, cmd_subscribe_run, NULL, "RFC 9051 6.3.7" },
	{ STR_INIT("UNSUBSCRIBE"), IN_BOTH, 0, parse_one_mailbox, cmd_unsubscribe_run, NULL, "RFC 9051 6.3.8" },
	{ STR_INIT("LIST"), IN_BOTH, 0, cmd_list_parse, cmd_list_run, NULL, "RFC 9051 6.3.9" },
	{ STR_INIT("LSUB"), IN_BOTH, 0, cmd_lsub_parse, cmd_lsub_run, NULL, "RFC 3501 6.3.9" },
	{ STR_INIT("NAMESPACE"), IN_BOTH, 0, parse_nothing, cmd_namespace_run, "NAMESPACE", "RFC 9051 6.3.10, RFC 2342 5" },
	{ STR_INIT("STATUS"), IN_BOTH, 0, cmd_status_parse, cmd_status_run, NULL, "RFC 9051 6.3.11" },
	{ STR_INIT("SETACL"), IN_BOTH, 0, cmd_setacl_parse, cmd_setacl_run, "ACL", "RFC 4314 3.1" },
	{ STR_INIT("DELETEACL"), IN_BOTH, 0, cmd_deleteacl_parse, cmd_deleteacl_run, "ACL", "RFC 4314 3.2" },
	{ STR_INIT("GETACL"), IN_BOTH, 0, parse_one_mailbox, cmd_getacl_run, "ACL", "RFC 4314 3.3" },
	{ STR_INIT("LISTRIGHTS"), IN_BOTH, 0, cmd_listrights_parse, cmd_listrights_run, "RIGHTS=kxte", "RFC 4314 3.4" },
	{ STR_INIT("MYRIGHTS"), IN_BOTH, 0, parse_one_mailbox, cmd_myrights_run, "ACL", "RFC 4314 3.5" },
	{ STR_INIT("GETMETADATA"), IN_BOTH, 0, cmd_getmetadata_parse, cmd_getmetadata_run, "METADATA", "RFC 5464 4.2" },
	{ STR_INIT("SETMETADATA"), IN_BOTH, VERB_LITERAL8, cmd_setmetadata_parse, cmd_setmetadata_run, "METADATA",
	    "RFC 5464 4.3" },
	{ STR_INIT("GETQUOTA"), IN_BOTH, 0, cmd_getquota_parse, cmd_getquota_run, "QUOTA", "RFC 9208 4.1.1" },
	{ STR_INIT("GETQUOTAROOT"), IN_BOTH, 0, parse_one_mailbox, cmd_getquotaroot_run, "QUOTA", "RFC 9208 4.1.2" },
	{ STR_INIT("APPEND"), IN_BOTH, 0, cmd_append_parse, cmd_append_run, "MULTIAPPEND", "RFC 9051 6.3.12, RFC 3502 6.3.11" },
	{ STR_INIT("NOTIFY"), IN_BOTH, 0, cmd_notify_parse, cmd_notify_run, "NOTIFY", "RFC 5465 3.1" },
	{ STR_INIT("IDLE"), IN_BOTH, 0, parse_nothing, cmd_idle_run, "IDLE", "RFC 9051 6.3.13, RFC 2177 3" },
	{ STR_INIT("CHECK"), IN_SELECTED, 0, parse_nothing, cmd_noop_run, NULL, "RFC 3501 6.4.1" },
	{ STR_INIT("CLOSE"), IN_SELECTED, VERB_NO_UPDATES, parse_nothing, cmd_close_run, NULL, "RFC 9051 6.4.1" },
	{ STR_INIT("UNSELECT"), IN_SELECTED, VERB_NO_UPDATES, parse_nothing, cmd_unselect_run, "UNSELECT",
	    "RFC 9051 6.4.2, RFC 3691 2" },
	{ STR_INIT("EXPUNGE"), IN_SELECTED, VERB_EXPUNGES | VERB_WRITES, parse_nothing, cmd_expunge_run, NULL, "RFC 9051 6.4.3" },
	{ STR_INIT("EXPUNGE"), IN_SELECTED, VERB_EXPUNGES | VERB_WRITES | VERB_UID_ONLY, cmd_expunge_parse, cmd_uid_expunge_run, "UIDPLUS",
	    "RFC 9051 6.4.9, RFC 4315 2.1" },
	{ STR_INIT("SEARCH"), IN_SELECTED, VERB_UID | VERB_NO_EXPUNGE, cmd_search_parse, cmd_search_run, NULL,
	    "RFC 9051 6.4.4" },
	{ STR_INIT("ESEARCH"), IN_BOTH, VERB_NO_EXPUNGE, cmd_esearch_parse, cmd_esearch_run, "MULTISEARCH", "RFC 7377 2" },
	{ STR_INIT("ESEARCH"), IN_BOTH, VERB_NO_EXPUNGE | VERB_UID_ONLY, cmd_esearch_parse, cmd_esearch_run, NULL,
	    "RFC 7377 2" },
	{ STR_INIT("CANCELUPDATE"), IN_SELECTED, 0, cmd_cancelupdate_parse, cmd_cancelupdate_run, "CONTEXT=SEARCH",
	    "RFC 5267 4.3.5" },
	{ STR_INIT("REPLACE"), IN_SELECTED, VERB_EXPUNGES | VERB_UID | VERB_WRITES, cmd_replace_parse, cmd_replace_run, "REPLACE",
	    "RFC 8508 3.2" },
	{ STR_INIT("SORT"), IN_SELECTED, VERB_UID | VERB_NO_EXPUNGE, cmd_sort_parse, cmd_sort_run, "SORT",
	    "RFC 5256 3" },
	{ STR_INIT("THREAD"), IN_SELECTED, VERB_UID | VERB_NO_EXPUNGE, cmd_thread_parse, cmd_thread_run, NULL,
	    "RFC 5256 3" },
	{ STR_INIT("FETCH"), IN_SELECTED, VERB_UID | VERB_NO_EXPUNGE, cmd_fetch_parse, cmd_fetch_run, NULL,
	    "RFC 9051 6.4.5" },
	{ STR_INIT("STORE"), IN_SELECTED, VERB_UID | VERB_NO_EXPUNGE | VERB_WRITES, cmd_store_parse, cmd_store_run,
	    NULL, "RFC 9051 6.4.6" },
	{ STR_INIT("COPY"), IN_SELECTED, VERB_UID, cmd_copy_parse, cmd_copy_run, NULL, "RFC 9051 6.4.7" },
	{ STR_INIT("MOVE"), IN_SELECTED, VERB_EXPUNGES | VERB_UID | VERB_WRITES, cmd_copy_parse, cmd_move_run, "MOVE",
	    "RFC 9051 6.4.8, RFC 6851 3.1" },
	{ STR_INIT("UIDBATCHES"), IN_SELECTED, 0, cmd_uidbatches_parse, cmd_uidbatches_run, "UIDBATCHES", "RFC 10022 3.1" },
};

static bool
has_form(const struct verb *v, bool uid)
{
	return uid ? v->flags & (VERB_UID | VERB_UID_ONLY) : !(v->flags & VERB_UID_ONLY);
}

const struct verb *
commands_find(struct str name, bool uid)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (has_form(&verbs[i], uid) && str_eq_nocase(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* " NAME" as a whole word. */
static bool
has_word(struct str words, struct str name)
{
	struct str word;

	while (str_cut(&words, ' ', &word))
		if (str_eq(word, name))
			return true;
	return false;
}

/* Each capability once. */
static void
add_capability(void *ctx, const struct row *row)
{
	struct buf *out = ctx;

	if (row->capability == NULL || has_word(buf_str(out), str_of(row->capability)))
		return;
	buf_add_char(out, ' ');
	buf_add_cstr(out, row->capability);
}

static void
verb_rows(const struct rows *r)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		rows_show(r, "command", verbs[i].name, verbs[i].capability, verbs[i].rfc);
}

void
session_rows(const struct rows *r)
{
	static void (*const tables[])(const struct rows *r) = {
		capability_rows,
		verb_rows,
		enable_rows,
		list_rows,
		status_rows,
		search_rows,
		sort_rows,
		thread_rows,
		fetch_rows,
		append_rows,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		tables[i](r);
}

void
commands_write_capabilities(const struct imap_session *s, struct buf *out)
{
	struct buf names;
	struct rows rows = { add_capability, &names };

	buf_init(&names, SIZE_MAX);
	buf_add_cstr(&names, "CAPABILITY");
	session_rows(&rows);
	capability_write_session(s, &names);
	buf_add(out, buf_str(&names));
	buf_fini(&names);
}
