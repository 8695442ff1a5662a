/* commands.h - the table of commands after login, and what CAPABILITY derives from it. */
#ifndef IMAP_COMMANDS_H
#define IMAP_COMMANDS_H

#include "sess.h"

/* The row of a command; uid: its UID form. NULL: unknown. */
const struct verb *commands_find(struct str name, bool uid);
/* "CAPABILITY …" of a logged-in session: the base, then each capability a row of any table names, once. */
void commands_write_capabilities(const struct imap_session *s, struct buf *out);

/* The rows' functions, by file. */
bool parse_nothing(struct lex *l, struct command *c);
#define VERB(name)                                                             \
	bool cmd_##name##_parse(struct lex *l, struct command *c);                   \
	enum step cmd_##name##_run(struct imap_session *s, struct command *c)

enum step cmd_capability_run(struct imap_session *s, struct command *c);
enum step cmd_noop_run(struct imap_session *s, struct command *c);
enum step cmd_logout_run(struct imap_session *s, struct command *c);
enum step cmd_namespace_run(struct imap_session *s, struct command *c);
VERB(id);
VERB(enable);
bool cmd_select_parse(struct lex *l, struct command *c);
enum step cmd_select_run(struct imap_session *s, struct command *c);
enum step cmd_examine_run(struct imap_session *s, struct command *c);
enum step cmd_close_run(struct imap_session *s, struct command *c);
enum step cmd_unselect_run(struct imap_session *s, struct command *c);
VERB(create);
enum step cmd_delete_run(struct imap_session *s, struct command *c);
VERB(rename);
enum step cmd_subscribe_run(struct imap_session *s, struct command *c);
enum step cmd_unsubscribe_run(struct imap_session *s, struct command *c);
VERB(list);
VERB(lsub);
VERB(status);
VERB(append);
VERB(replace);
enum step cmd_idle_run(struct imap_session *s, struct command *c);
VERB(expunge);
enum step cmd_uid_expunge_run(struct imap_session *s, struct command *c);
VERB(copy);
enum step cmd_move_run(struct imap_session *s, struct command *c);
VERB(store);
VERB(fetch);
VERB(compress);
VERB(setacl);
VERB(deleteacl);
enum step cmd_getacl_run(struct imap_session *s, struct command *c);
VERB(listrights);
enum step cmd_myrights_run(struct imap_session *s, struct command *c);
enum step cmd_unauthenticate_run(struct imap_session *s, struct command *c);
VERB(getmetadata);
VERB(setmetadata);
VERB(getquota);
enum step cmd_getquotaroot_run(struct imap_session *s, struct command *c);
VERB(search);
VERB(esearch);
VERB(notify);
VERB(cancelupdate);
VERB(sort);
VERB(thread);
VERB(uidbatches);

#endif
