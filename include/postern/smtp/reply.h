/* reply.h - what an SMTP server says: code, enhanced code (RFC 3463, RFC 2034), words; all of it in one table.
 *
 * A handler returns a reply; whoever writes it out (smtp/in_loop.c) adds the enhanced code, splits lines and counts. */
#ifndef POSTERN_SMTP_REPLY_H
#define POSTERN_SMTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum { SMTP_REPLY_LINE_MAX = 512 }; /* with code and CRLF: RFC 5321 4.5.3.1.5 */

enum smtp_after {
	SMTP_GO_ON,
	SMTP_CLOSE, /* the session ends behind this reply */
};

struct smtp_reply {
	uint16_t code;        /* 0: no reply now, it comes LATER */
	char enhanced[10];    /* "5.1.1", or "" where RFC 2034 wants none (220 at the start, EHLO, 334, 354) */
	enum smtp_after after;
	struct str text;      /* lines parted by '\n'; control bytes and what a line cannot hold are not written */
	const char *why;      /* for the log, static; NULL: the text says it all */
};

/* The replies with fixed words. X(name, code, enhanced, after, text) */
#define SMTP_REPLIES(X) \
	X(OK, 250, "2.0.0", SMTP_GO_ON, "ok") \
	X(SENDER_OK, 250, "2.1.0", SMTP_GO_ON, "sender ok") \
	X(RCPT_OK, 250, "2.1.5", SMTP_GO_ON, "recipient ok") \
	X(FORGOTTEN, 250, "2.0.0", SMTP_GO_ON, "forgotten") \
	X(CHUNK_OK, 250, "2.0.0", SMTP_GO_ON, "chunk taken") \
	X(GO_AHEAD, 354, "", SMTP_GO_ON, "go ahead, end with <CRLF>.<CRLF>") \
	X(BYE, 221, "2.0.0", SMTP_CLOSE, "bye") \
	X(VRFY, 252, "2.5.0", SMTP_GO_ON, "send some mail, I will try") \
	X(NO_EXPN, 502, "5.5.1", SMTP_GO_ON, "lists are not shown") \
	X(TLS_READY, 220, "2.0.0", SMTP_GO_ON, "ready to start TLS") \
	X(AUTH_OK, 235, "2.7.0", SMTP_GO_ON, "authentication succeeded") \
	X(UNKNOWN, 500, "5.5.1", SMTP_GO_ON, "command not recognized") \
	X(NOT_SMTP, 500, "5.5.1", SMTP_CLOSE, "this is an SMTP server") \
	X(TLS_HERE, 500, "5.5.1", SMTP_CLOSE, "no TLS without STARTTLS on this port") \
	X(BARE_BYTE, 500, "5.5.2", SMTP_CLOSE, "a bare <CR> or <LF> ends no line") \
	X(LINE_LONG, 500, "5.5.6", SMTP_CLOSE, "line too long") \
	X(SYNTAX, 501, "5.5.4", SMTP_GO_ON, "syntax error in parameters or arguments") \
	X(CONTROL_BYTE, 501, "5.5.2", SMTP_GO_ON, "control or invalid bytes in the command") \
	X(BAD_HELLO, 501, "5.5.4", SMTP_GO_ON, "a host name or address literal is wanted") \
	X(BAD_SENDER, 501, "5.1.7", SMTP_GO_ON, "bad sender address syntax") \
	X(BAD_RCPT, 501, "5.1.3", SMTP_GO_ON, "bad recipient address syntax") \
	X(BAD_PARAM, 501, "5.5.4", SMTP_GO_ON, "bad value of a parameter, or the same parameter twice") \
	X(UNKNOWN_PARAM, 555, "5.5.4", SMTP_GO_ON, "parameter not recognized") \
	X(BAD_CHUNK, 501, "5.5.4", SMTP_CLOSE, "BDAT without a size that makes sense") \
	X(REQUIRETLS_IN_CLEAR, 530, "5.7.10", SMTP_GO_ON, "REQUIRETLS needs TLS, begin with STARTTLS") \
	X(NO_UTF8_SENDER, 550, "5.6.7", SMTP_GO_ON, "address needs SMTPUTF8") \
	X(NO_UTF8_RCPT, 553, "5.6.7", SMTP_GO_ON, "address needs SMTPUTF8") \
	X(HELLO_FIRST, 503, "5.5.1", SMTP_GO_ON, "EHLO first") \
	X(MAIL_FIRST, 503, "5.5.1", SMTP_GO_ON, "MAIL first") \
	X(RCPT_FIRST, 503, "5.5.1", SMTP_GO_ON, "RCPT first") \
	X(NO_VALID_RCPT, 554, "5.5.1", SMTP_GO_ON, "no valid recipients") \
	X(NOT_NOW, 503, "5.5.1", SMTP_GO_ON, "not in the middle of a mail transaction") \
	X(CHUNKS_ONLY, 503, "5.5.1", SMTP_GO_ON, "only BDAT may follow BDAT; RSET starts anew") \
	X(BINARY_NEEDS_BDAT, 503, "5.5.1", SMTP_GO_ON, "BODY=BINARYMIME wants BDAT") \
	X(TX_BROKEN, 503, "5.5.1", SMTP_GO_ON, "the transaction has failed; RSET starts anew") \
	X(EARLY_TALK, 554, "5.5.1", SMTP_CLOSE, "you spoke before the greeting") \
	X(EARLY_DATA, 554, "5.5.1", SMTP_CLOSE, "you did not wait for the reply that you had to wait for") \
	X(NEED_TLS, 530, "5.7.0", SMTP_GO_ON, "STARTTLS first") \
	X(NEED_AUTH, 530, "5.7.0", SMTP_GO_ON, "authentication required") \
	X(AUTH_NEEDS_TLS, 538, "5.7.11", SMTP_GO_ON, "encryption required for authentication") \
	X(NO_AUTH_HERE, 502, "5.5.1", SMTP_GO_ON, "no authentication on this port, use submission") \
	X(AUTH_TWICE, 503, "5.5.1", SMTP_GO_ON, "already authenticated") \
	X(AUTH_MECHANISM, 504, "5.5.4", SMTP_GO_ON, "authentication mechanism not offered") \
	X(AUTH_BASE64, 501, "5.5.2", SMTP_GO_ON, "that is not base64") \
	X(AUTH_CANCELLED, 501, "5.7.0", SMTP_GO_ON, "authentication cancelled") \
	X(AUTH_FAILED, 535, "5.7.8", SMTP_GO_ON, "authentication credentials invalid") \
	X(AUTH_LATER, 454, "4.7.0", SMTP_GO_ON, "temporary authentication failure") \
	X(AUTH_LIMIT, 421, "4.7.0", SMTP_CLOSE, "too many failed logins") \
	X(NO_TLS, 502, "5.5.1", SMTP_GO_ON, "TLS is not available") \
	X(TLS_TWICE, 503, "5.5.1", SMTP_GO_ON, "TLS is on already") \
	X(SENDER_FOREIGN, 553, "5.7.1", SMTP_GO_ON, "sender address does not belong to the login") \
	X(FROM_FOREIGN, 550, "5.7.1", SMTP_GO_ON, "From: or Sender: does not belong to the login") \
	X(FROM_MISSING, 550, "5.6.0", SMTP_GO_ON, "one From: field with an address is wanted") \
	X(FROM_CROWDED, 550, "5.6.0", SMTP_GO_ON, "too many addresses in From:") \
	X(RCPT_TOO_MANY, 452, "4.5.3", SMTP_GO_ON, "too many recipients") \
	X(RCPT_FLOOD, 421, "4.5.3", SMTP_CLOSE, "far too many recipients") \
	X(RCPT_GUESSING, 421, "4.7.0", SMTP_CLOSE, "too many unknown recipients") \
	X(MAIL_TOO_MANY, 421, "4.7.0", SMTP_CLOSE, "too many messages in one session") \
	X(TOO_BIG, 552, "5.3.4", SMTP_GO_ON, "message larger than allowed") \
	X(HEADER_BIG, 552, "5.3.4", SMTP_GO_ON, "message header larger than allowed") \
	X(BARE_IN_CONTENT, 550, "5.6.0", SMTP_GO_ON, "bare <CR> or <LF> in the message") \
	X(LONG_IN_CONTENT, 550, "5.6.0", SMTP_GO_ON, "line too long in the message") \
	X(NUL_IN_HEADER, 550, "5.6.0", SMTP_GO_ON, "NUL in the message header") \
	X(TOO_MANY_HOPS, 554, "5.4.6", SMTP_GO_ON, "too many hops: the message goes round in circles") \
	X(STORAGE, 452, "4.3.1", SMTP_GO_ON, "insufficient system storage") \
	X(LATER_PLEASE, 451, "4.3.0", SMTP_GO_ON, "temporary failure, please try again later") \
	X(TOO_MANY_ERRORS, 421, "4.7.0", SMTP_CLOSE, "too many errors") \
	X(TOO_MUCH_CHAT, 421, "4.7.0", SMTP_CLOSE, "too many commands without mail") \
	X(TOO_SLOW, 421, "4.4.2", SMTP_CLOSE, "timeout") \
	X(SHUTTING_DOWN, 421, "4.3.2", SMTP_CLOSE, "service shutting down")

#define SMTP_REPLY_ENUM(name, code, enhanced, after, text) SMTP_##name,
enum smtp_reply_name { SMTP_REPLIES(SMTP_REPLY_ENUM) SMTP_REPLY_COUNT };

/* The reply of the table. */
struct smtp_reply smtp_reply(enum smtp_reply_name name);
/* A reply with words of one's own; enhanced "" for none. text must live until the reply is written. */
struct smtp_reply smtp_reply_with(unsigned code, const char *enhanced, struct str text);
/* What another process says, which may have been taken over: 250 or a refusal, its enhanced code where it is one of that class.
 * What is neither is "later". words must live until the reply is written. */
struct smtp_reply smtp_reply_told(unsigned code, struct str enhanced, struct str words);
/* The same, where only a refusal makes sense. */
struct smtp_reply smtp_reply_refused(unsigned code, struct str enhanced, struct str words);
/* No reply yet. */
struct smtp_reply smtp_reply_later(void);
/* Adds the reply as it goes over the wire: "250-…CRLF" for all lines but the last. */
void smtp_reply_write(struct buf *out, const struct smtp_reply *r);

static inline bool
smtp_reply_is_later(const struct smtp_reply *r)
{
	return r->code == 0;
}

static inline bool
smtp_reply_is_ok(const struct smtp_reply *r)
{
	return r->code >= 200 && r->code < 400;
}

#endif
