/* mail.h - a message of a program on this box: read, completed, handed to the server (`postern sendmail'). */
#ifndef POSTERN_CLI_MAIL_H
#define POSTERN_CLI_MAIL_H

#include <stdbool.h>

#include <postern/core/arena.h>
#include <postern/core/buf.h>

struct mail {
	struct arena arena;
	struct str origin;        /* the domain of addresses that have none */
	struct str sender;        /* "" is the null path */
	struct str *recipients;
	size_t nrecipients;
	struct buf message;       /* with CRLF; dots not doubled */
	const char *notify;       /* RFC 3461 parameters, or NULL */
	const char *ret;
	const char *envid;
};

void mail_init(struct mail *m, uint64_t max);
void mail_fini(struct mail *m);

/* Adds the addresses of a list as in To; false when it is none. */
bool mail_add_recipients(struct mail *m, struct str list);
/* Makes the sender of one address, "" or "<>". */
bool mail_set_sender(struct mail *m, struct str address);

enum mail_end { MAIL_ENDS_WITH_DOT, MAIL_ENDS_WITH_FILE };
/* Reads the message from fd, every line end made CRLF (LF, CRLF and a lone CR are line ends). False with errno; EFBIG
 * past max. */
bool mail_read(struct mail *m, int fd, enum mail_end end);
/* The recipients in To, Cc and Bcc; false when one of the fields cannot be read. The server takes Bcc away. */
bool mail_take_recipients(struct mail *m);
/* Puts a From in front unless there is one. */
void mail_complete(struct mail *m, struct str name);

/* Speaks SMTP on the stream fd; the exit status, with words on standard error unless it is 0. All recipients are taken,
 * or the message is not handed over. */
int mail_talk(const struct mail *m, int fd, struct str hostname);

#endif
