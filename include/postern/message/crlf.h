/* crlf.h - reading a message file as IMAP shows it.
 *
 * Files we wrote hold CRLF and are read as they are. Files with LF line ends (an adopted Maildir, a tool that dropped a
 * file into new/) are shown with CRLF: offsets and sizes are those of mime.h with MIME_LF. The reader remembers where
 * it was, so that reading onwards is linear; reading backwards starts at the beginning of the file again. */
#ifndef POSTERN_MESSAGE_CRLF_H
#define POSTERN_MESSAGE_CRLF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>

struct crlf_reader {
	int fd;        /* the caller's */
	bool lf;       /* the file has bare LF: convert */
	bool cr;       /* the byte before raw is CR */
	bool half;     /* virt is between the CR and the LF of a converted line end */
	uint64_t raw;  /* offset in the file … */
	uint64_t virt; /* … of this offset in the message */
};

void crlf_reader_init(struct crlf_reader *r, int fd, bool lf);
/* Adds the message's octets [at, at + n) to out, fewer only at the end of the file or the ceiling of out. False with
 * errno when reading fails. */
bool crlf_read(struct crlf_reader *r, uint64_t at, size_t n, struct buf *out);

/* Replaces each NUL by 0x80, as UW-IMAP, Cyrus and Dovecot do: an IMAP literal must not hold NUL (RFC 9051 9, CHAR8),
 * and sizes must not change. */
void crlf_mask_nul(char *p, size_t n);

#endif
