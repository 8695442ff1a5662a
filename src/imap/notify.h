/* notify.h - NOTIFY: what a client wants to hear of, whenever it happens (RFC 5465).
 *
 *   cmd_notify.c   the command
 *   notify.c       what was asked for; events of the store taken in; overflow
 *   notify_tell.c  STATUS and LIST for what was taken in
 *   notify_turn.c  telling between commands
 *   news.c         data of new messages in the selected mailbox
 *
 * One watch of all the user's mailboxes takes in numbers (each mailbox once, however much happens to it) and names; whom they
 * concern is decided when they are told, by the names of that time. So a client that does not read costs little, and one that
 * hears of thousands of mailboxes no more. A session without NOTIFY hears of the selected mailbox, and during commands only. */
#ifndef IMAP_NOTIFY_H
#define IMAP_NOTIFY_H

#include "filter.h"

enum {
	NOTIFY_GROUPS_MAX = 50,  /* of one NOTIFY: beyond it, NO [NOTIFICATIONOVERFLOW] */
	NOTIFY_NAMES_MAX = 1000, /* changes of names that wait to be told: then all ends with [NOTIFICATIONOVERFLOW] */
};

enum notify_event {
	NOTIFY_NEW = 1 << 0,
	NOTIFY_EXPUNGE = 1 << 1,
	NOTIFY_FLAGS = 1 << 2,
	NOTIFY_NAME = 1 << 3,
	NOTIFY_SUBSCRIPTION = 1 << 4,
	NOTIFY_METADATA = 1 << 5,
	NOTIFY_SERVER_METADATA = 1 << 6,
	NOTIFY_UNKNOWN = 1 << 7, /* AnnotationChange, or a name of the future */
	NOTIFY_MESSAGES = NOTIFY_NEW | NOTIFY_EXPUNGE | NOTIFY_FLAGS,
};

struct fetch;

struct notify_group {
	struct filter filter;
	unsigned events; /* 0: NONE */
};

/* What was asked for: memory of the command's arena, which becomes the notify's. */
struct notify_set {
	struct notify_group group[NOTIFY_GROUPS_MAX];
	size_t n;
	unsigned selected;  /* events of the selected mailbox, … */
	bool delayed;       /* … EXPUNGE only where commands allow it … */
	bool has_selected;
	struct fetch *news; /* … and what is told of new messages there; NULL: nothing */
	bool status;
	bool too_many;      /* groups */
	unsigned events;    /* of all groups, ORed */
};

struct name_news {
	unsigned kinds;
	char *name;
	char *old; /* NULL: it was not renamed */
};

struct notify {
	struct store_watch *watch;
	struct arena arena;
	struct notify_set *set;
	struct uidset arrived; /* mailboxes (numbers) where messages came or went */
	struct uidset flagged; /* mailboxes where flags changed */
	struct name_news *names; /* at most NOTIFY_NAMES_MAX */
	size_t nnames;
	size_t cap_names;
	size_t told_names;
	bool overflow;         /* to be said */
	uint32_t own;          /* the mailbox, but the selected one, that the session's own command has changed; 0: none */
};

/* --- notify.c --- */

/* NOTIFY SET, NOTIFY NONE: what was before is forgotten. Takes the command's arena, in which set is. */
void notify_set(struct imap_session *s, struct command *c, struct notify_set *set);
void notify_free(struct imap_session *s);
/* Nothing is told any more but that. */
void notify_overflow(struct imap_session *s);
/* Events of the selected mailbox that are told: all without NOTIFY. */
unsigned notify_selected(const struct imap_session *s);
/* Events of the mailbox of this name that are told while it is not selected; subscribed: its name is. */
unsigned notify_set_events(const struct notify_set *set, struct str name, bool subscribed);
unsigned notify_events(const struct imap_session *s, struct str name, bool subscribed);
/* MailboxMetadataChange, ServerMetadataChange (mailbox 0). */
bool notify_wants_metadata(const struct imap_session *s, struct store_view *v, uint32_t mailbox, struct str name);
/* A command of this session has put messages into a mailbox of this user: what it did is not told to itself (RFC 5465 5). */
void notify_own(struct imap_session *s, const struct store_user *user, const struct store_result *r);

/* --- notify_tell.c --- */

/* STATUS for what these events say of a mailbox. */
enum notify_status { STATUS_AT_FIRST, STATUS_CHANGED };
void notify_write_status(struct imap_session *s, struct store_view *v, uint32_t mailbox, struct str name, unsigned events,
    enum notify_status when);
/* Tells some of what waits; DONE when nothing is left. */
enum step notify_tell(struct imap_session *s);

/* --- notify_turn.c --- */

/* Something happened: told in the next turn of the loop unless a command is under way, which will tell it. */
void notify_wake(struct imap_session *s);
/* A command has ended: what is left is told before the next one. */
void notify_after_command(struct imap_session *s);

#endif
