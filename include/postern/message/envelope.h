/* envelope.h - the message file: how a message in flight travels from smtp through queue to store and relay.
 *
 *   fixed header (64 bytes, written last) | envelope record | body | prefix
 *
 * The envelope record (who sends, to whom, resolved to what) is known before DATA, the body is the message as
 * received and is appended while it streams, the prefix (trace fields, RFC 5321 4.4) follows when the checks are
 * done. A reader puts the prefix before the body. All numbers are big-endian; the parts follow each other without
 * gaps and end with the file.
 *
 * The file is a sealed memfd or a spool file. Its writer, smtp, may have been taken over: the reader checks every
 * bound and every text, and trusts nothing that it has not checked. No text in a record holds a control byte; all is
 * valid UTF-8. */
#ifndef POSTERN_MESSAGE_ENVELOPE_H
#define POSTERN_MESSAGE_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>
#include <postern/core/clock.h>
#include <postern/core/cur.h>
#include <postern/core/err.h>
#include <postern/core/io.h>
#include <postern/core/str.h>

enum {
	ENVELOPE_HEADER_SIZE = 64,
	ENVELOPE_VERSION = 1,
	ENVELOPE_RECORD_MAX = 8 << 20,  /* bytes of the whole record */
	ENVELOPE_RECIPIENTS_MAX = 5000, /* RCPT commands; the configured limit is lower */
	ENVELOPE_TARGETS_MAX = 10000,   /* what they resolve to, all together */
	ENVELOPE_PREFIX_MAX = 64 << 10,
	ENVELOPE_MEMFD_MAX = 256 << 10, /* a larger message file is a spool file (queue_spool_file) */
	/* texts, in bytes */
	ENVELOPE_ADDRESS_MAX = 320, /* RFC 5321 4.5.3.1: 64 + "@" + 255 */
	ENVELOPE_DETAIL_MAX = 64,
	ENVELOPE_ORCPT_MAX = 500, /* RFC 3461 4.2 */
	ENVELOPE_ENVID_MAX = 100, /* RFC 3461 4.4 */
	ENVELOPE_WORD_MAX = 64,   /* sid, client address, protocol */
	ENVELOPE_HELO_MAX = 255,
};

/* What is known of the whole message only after the last byte of the body: given to envelope_write_finish. */
enum envelope_flag {
	ENVELOPE_8BIT = 1 << 0,        /* BODY=8BITMIME was declared, or bytes above 127 came (RFC 6152) */
	ENVELOPE_BINARY = 1 << 1,      /* BODY=BINARYMIME (RFC 3030) */
	ENVELOPE_SMTPUTF8 = 1 << 2,    /* the SMTPUTF8 parameter was given (RFC 6531) */
	ENVELOPE_UTF8_HEADER = 1 << 3, /* the header holds bytes above 127 (RFC 6532) */
	ENVELOPE_REQUIRETLS = 1 << 4,  /* RFC 8689 */
	ENVELOPE_TLS_OPTIONAL = 1 << 6, /* "TLS-Required: No" and no REQUIRETLS (RFC 8689 4.1) */
	ENVELOPE_SUBMITTED = 1 << 5,   /* by somebody who may relay: logged in, relay_from, or the local socket */
};
#define ENVELOPE_FLAGS_ALL 0x7fU

enum envelope_ret { ENVELOPE_RET_NONE, ENVELOPE_RET_FULL, ENVELOPE_RET_HDRS }; /* RFC 3461 4.3 */

/* RFC 3461 4.1. 0: the parameter was not given. NEVER stands alone. */
enum envelope_notify {
	ENVELOPE_NOTIFY_NEVER = 1,
	ENVELOPE_NOTIFY_SUCCESS = 2,
	ENVELOPE_NOTIFY_FAILURE = 4,
	ENVELOPE_NOTIFY_DELAY = 8,
};

struct envelope {
	struct id qid;
	struct wall received; /* when MAIL was accepted */
	enum envelope_ret ret;
	struct str sid;      /* session id of the log */
	struct str client;   /* address of the peer, "" for the local socket or a message of our own */
	struct str helo;     /* as the peer said it */
	struct str protocol; /* "ESMTPSA", … (RFC 3848) */
	struct str login;    /* canonical user who was logged in, or "" */
	struct str sender;   /* reverse-path without <>, "" for the null sender */
	struct str envid;    /* decoded xtext, or "" */
};

/* One RCPT command; its targets follow it in the record. */
struct envelope_recipient {
	unsigned notify;    /* of enum envelope_notify */
	struct str address; /* as given, without <> */
	struct str orcpt;   /* "type;address", xtext decoded, or "" */
};

enum envelope_target_kind { ENVELOPE_LOCAL = 1, ENVELOPE_REMOTE };

/* Where a recipient's mail goes: auth resolved it. */
struct envelope_target {
	enum envelope_target_kind kind;
	struct str address; /* LOCAL: canonical user; REMOTE: the address for RCPT there */
	struct str detail;  /* LOCAL: what stood after "+", or "" */
};

/* --- writing ---
 *
 * envelope_write_begin, then recipients each followed by its targets, then body pieces, then prefix pieces, then
 * finish. The first failure sticks (disk full, a text that is too long or holds a control byte); every later call
 * returns false. */
struct envelope_writer {
	int fd;       /* the caller's */
	uint64_t at;  /* where the next flushed byte goes */
	uint64_t record_n, body_n, prefix_n;
	uint32_t recipients, targets;
	uint32_t targets_here; /* of the last recipient */
	int part;              /* record, body, prefix, finished */
	struct buf pending;    /* bytes not yet in the file */
	struct err err;
};

/* An anonymous file that can be sealed, with close-on-exec; -1 and errno on failure. */
int envelope_memfd(void);
/* No byte of the memfd changes from here on; false with errno. The queue takes no memfd without it. */
bool envelope_seal(int fd);

bool envelope_write_begin(struct envelope_writer *w, int fd, const struct envelope *e);
bool envelope_write_recipient(struct envelope_writer *w, const struct envelope_recipient *r);
bool envelope_write_target(struct envelope_writer *w, const struct envelope_target *t);
bool envelope_write_body(struct envelope_writer *w, struct str bytes);
bool envelope_write_prefix(struct envelope_writer *w, struct str bytes);
/* Goes on in another, empty file: what was written is copied there. The old descriptor stays the caller's to close. */
bool envelope_write_move(struct envelope_writer *w, int fd);
/* Writes the fixed header: before this the file is no message file. flags: of enum envelope_flag. */
bool envelope_write_finish(struct envelope_writer *w, unsigned flags);
/* Frees what the writer holds; at any time, after finish, too. The reason of a failure is in w->err until then and
 * after. */
void envelope_write_end(struct envelope_writer *w);
/* Bytes of the file so far: compare with ENVELOPE_MEMFD_MAX before the next piece. */
static inline uint64_t
envelope_write_size(const struct envelope_writer *w)
{
	return w->at + w->pending.n;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

enum envelope_file {
	ENVELOPE_MEMFD, /* sealed: nobody can change it any more */
	ENVELOPE_SPOOL, /* a regular file: whoever has it open can still write. The caller must know it as its own. */
};

/* What fd is: a memfd sealed against writing, shrinking and growing, or another regular file. False for everything
 * else, for an unsealed memfd, and above max bytes. */
bool envelope_check_fd(int fd, uint64_t max, enum envelope_file *what, struct err *e);

enum { ENVELOPE_ITEM_MAX = 2048, ENVELOPE_WINDOW = 8192 };

struct envelope_reader {
	int fd; /* the caller's; read with pread only */
	unsigned flags;
	uint64_t size;    /* of the file */
	uint64_t body_at; /* offsets and lengths inside the file */
	uint64_t body_n;
	uint64_t prefix_at;
	uint64_t prefix_n;
	uint32_t recipients, targets; /* how many there are */
	struct envelope envelope;     /* its texts live as long as the reader */
	/* private */
	struct arena texts;
	uint64_t at, record_end;
	uint32_t recipients_seen, targets_seen, targets_here;
	size_t window_n, window_used;
	char window[ENVELOPE_WINDOW];
};

enum envelope_item_kind {
	ENVELOPE_ITEM_RECIPIENT, /* item.recipient */
	ENVELOPE_ITEM_TARGET,    /* item.target, of the recipient before it */
	ENVELOPE_ITEM_END,       /* all were read, and as many as the header promised */
	ENVELOPE_ITEM_BAD,       /* e says why */
};

/* Texts are valid until the next call. */
struct envelope_item {
	enum envelope_item_kind kind;
	struct envelope_recipient recipient;
	struct envelope_target target;
};

/* Checks the fixed header against the file's size and reads the envelope. False when it is no message file of this
 * version or a bound is wrong (ERR_PERM), or reading failed (ERR_TEMP). Always followed by envelope_close. */
bool envelope_open(struct envelope_reader *r, int fd, struct err *e);
void envelope_close(struct envelope_reader *r);
/* The next recipient or target; never more than r->recipients and r->targets. Memory does not grow with their
 * number. */
enum envelope_item_kind envelope_next(struct envelope_reader *r, struct envelope_item *item, struct err *e);
/* Starts again at the first recipient. */
void envelope_rewind(struct envelope_reader *r);
/* Adds up to max bytes of the message as it is read (prefix, then body) from offset; false when reading fails or b
 * is over. */
bool envelope_read_message(const struct envelope_reader *r, uint64_t offset, size_t max, struct buf *b, struct err *e);

/* True for text that may stand in a record: valid UTF-8, no control byte, at most max bytes. */
bool envelope_text_ok(struct str s, size_t max);
/* Such a text behind its length (core/be.h): a failure of the cursor if it is none. */
struct str envelope_take_text(struct cur *c, size_t max);

#endif
