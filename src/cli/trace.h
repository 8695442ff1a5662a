/* trace.h - `postern trace': what was collected, and how it is told. */
#ifndef POSTERN_CLI_TRACE_H
#define POSTERN_CLI_TRACE_H

#include <jansson.h>

#include <postern/core/buf.h>

#include "command.h"

/* trace.c. Looks for the lines of a word, then for all lines of the messages found. */
int do_trace(struct cli *c);

/* trace_show.c. For people:
 *
 *   {messages: [{qid, waiting: [recipients], events: [lines, the oldest first]}], refused: [{sid, events}], cut} */
void trace_show(const json_t *story, struct buf *out);
/* Who still waits, by the lines of one message; a new array. */
json_t *trace_waiting(const json_t *events);

#endif
