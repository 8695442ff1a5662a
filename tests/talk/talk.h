/* talk.h - plain-text transcripts as tests, in the RFCs' notation.
 *
 * A transcript drives a peer: a session in this process with fakes around it, or a live server over TCP and TLS. The
 * runner knows the notation and nothing of the protocol; what a protocol needs beyond it (users, mailboxes, what to
 * expect behind the scenes) are words of its own, given to the peer.
 *
 *   rule RFC 5321 2.3.8  why        what the transcript shows; at least once, first
 *   C: text                         a line from the client, CRLF added. C: and C= lines in a row go out in one write
 *   C= raw bytes                    the same without CRLF, with escapes: \r \n \t \0 \\ \xNN and \{3:text} three times
 *                                  text
 *                                   (escapes inside, \# in it counts 1, 2, 3 …). C: knows the escapes too
 *   S: pattern                      the next line of the server; `*` is any text, \* a star
 *   S: ... pattern                  the lines up to the first that matches
 *   S: -                            silence: nothing more has been said
 *   S= bytes                        the server's next bytes, exactly, with escapes; for literals
 *   tls                             TLS starts here (the handshake after STARTTLS, or from the first byte)
 *   closed                          the server has closed, and said nothing more
 *   close                           the client closes
 *   wait 300s                       the clock goes on (ms, s, m, h); not for a live server: such a transcript is
 *                                  skipped there
 *   split 1                         from here on bytes go out in pieces of this size; `split 0`: whole again
 *   whole                           what goes out in one write matters: not to be run in pieces
 *   anything else                   a word of the peer, with the rest of the line
 *
 * For a peer that is a client the transcript plays the server: S: lines go out, C: lines are expected, and what is said
 * above of client and server is the other way round.
 *
 * More than one connection: C2: S2: C2= tls2 closed2 … (1 to 9; without a number: 1). A connection opens at its first
 * line. Everything behind two blanks and a # is a comment, and so are empty lines and lines that begin with #. */
#ifndef POSTERN_TESTS_TALK_H
#define POSTERN_TESTS_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/core/buf.h>
#include <postern/core/str.h>

enum { TALK_CONNECTIONS = 9 };

enum talk_word {
	TALK_DONE,
	TALK_FAILED,  /* why says what is wrong: the transcript fails */
	TALK_SKIP,    /* this peer cannot do that: the transcript is skipped */
	TALK_UNKNOWN, /* no such word: the transcript is wrong */
};

/* The other side. conn is 1 to TALK_CONNECTIONS. */
struct talk_peer {
	void *ctx;
	bool is_client; /* the transcript plays the server */
	/* The client connects. */
	void (*open)(void *ctx, unsigned conn);
	void (*feed)(void *ctx, unsigned conn, struct str bytes);
	/* Adds what the server has said since the last call. When that is nothing, a live peer waits up to wait_ms for
	 * something. */
	void (*take)(void *ctx, unsigned conn, struct buf *out, int wait_ms);
	/* Has the server closed the connection (after waiting up to wait_ms for it)? */
	bool (*closed)(void *ctx, unsigned conn, int wait_ms);
	/* The client closes. */
	void (*close)(void *ctx, unsigned conn);
	/* TLS starts now; false: the handshake failed. */
	bool (*tls)(void *ctx, unsigned conn);
	/* The clock goes on. NULL: it cannot be moved. */
	void (*step)(void *ctx, int64_t ms);
	/* A line that is not the runner's: its first word and the rest. */
	enum talk_word (*word)(void *ctx, struct str word, struct str rest, struct buf *why);
};

enum talk_result { TALK_PASS, TALK_FAIL, TALK_SKIPPED };

struct talk_options {
	size_t split; /* feed in pieces of this size; 0: as written */
	int wait_ms;  /* how long a live peer may take to answer; 0 in process */
};

/* Runs one transcript. why: on failure "FILE:LINE: what was expected, what came", else the reason of a skip. */
enum talk_result talk_run(const char *path, const struct talk_peer *peer, const struct talk_options *o, struct buf *why);

/* --- for peers' words --- */

/* Adds text with its escapes replaced; false on a wrong escape. */
bool talk_expand(struct buf *out, struct str text);
/* `*` in the pattern is any text, a backslash makes the next character itself. Letters match exactly. */
bool talk_match(struct str pattern, struct str text);

/* main() of a runner: `PROGRAM FILE…`, each with a peer of its own made by make and ended by end, once whole and once
 * byte by byte. Prints one line per failure and a summary; exit status 0 only if none failed and at least one ran. */
int talk_main(int argc, char **argv, void (*make)(struct talk_peer *peer), void (*end)(struct talk_peer *peer));

#endif
