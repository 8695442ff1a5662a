/* log_out.h - the server's own standard error, for the log role: written as far as it takes, never waited for. */
#ifndef ROLE_LOG_OUT_H
#define ROLE_LOG_OUT_H

#include <postern/core/buf.h>
#include <postern/core/loop.h>

enum {
	LOG_OUT_MAX = 4 << 20,    /* bytes that wait for it */
	LOG_OUT_ONCE = 256 << 10, /* of one log_out_add */
};

struct log_out {
	bool is_file; /* takes any number of bytes at once */
	struct buf unwritten;
	struct loop_timer again;
	uint64_t dropped; /* lines that found no room */
	uint64_t untold;  /* of those, since that was last told */
};

/* Descriptor 2 is it from now on; fd is taken over. */
void log_out_take(struct log_out *o, int fd);
void log_out_start(struct log_out *o, struct loop *l);
/* Lines, the last one perhaps without an end. At most LOG_OUT_ONCE bytes. */
void log_out_add(struct log_out *o, struct str text);
/* Waits so many milliseconds for it to take what is left. */
void log_out_end(struct log_out *o, int ms);

#endif
