/* command.h - the command under way, as session.c drives it. What handlers use is in sess.h. */
#ifndef IMAP_COMMAND_H
#define IMAP_COMMAND_H

#include "sess.h"

/* An empty command of this session; freed by its owner until command_begin makes it the one under way. */
struct command *command_new(struct imap_session *s);
/* tag SP ["UID" SP] name: finds the row, which may be NULL. False: the line is no command. */
bool command_read_head(struct lex *l, struct command *c);
/* The frame holds a whole command: parses it and begins to run it. */
void command_begin(struct imap_session *s);
/* Goes on until nothing more can be done now; what was written goes out. */
void command_run(struct imap_session *s);
/* Ends the command under way without an answer; its question to the store is cancelled. */
void command_free(struct imap_session *s);

#endif
