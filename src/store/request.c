/* request.c - the life of a request: made, queued, refused or applied, told, freed. */
#include <postern/store/request.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/mem.h>

#include "work.h"

static const struct {
	enum err_class class;
	const char *say;
} code_words[] = {
	[STORE_OK] = { ERR_NONE, "" },
	[STORE_NONEXISTENT] = { ERR_PERM, "no such mailbox" },
	[STORE_EXISTS] = { ERR_PERM, "a mailbox of that name exists" },
	[STORE_CANNOT] = { ERR_PERM, "this cannot be done with that name" },
	[STORE_OVERQUOTA] = { ERR_PERM, "the mailbox is full" },
	[STORE_LIMIT] = { ERR_PERM, "a limit is reached" },
	[STORE_GONE] = { ERR_PERM, "the message is gone" },
	[STORE_NOPERM] = { ERR_PERM, "the access rights of the mailbox do not allow it" },
	[STORE_UNAVAILABLE] = { ERR_TEMP, SAY_LATER },
};

struct store_request *
request_new(size_t size, const struct request_kind *kind, struct store_done done)
{
	struct store_request *r = mem_new(size);

	r->kind = kind;
	r->done = done;
	r->who = mem_cstr(done.who);
	buf_init(&r->made, SIZE_MAX);
	request_reset(r);
	return r;
}

void
request_free(struct store_request *r)
{
	if (r->kind->fini != NULL)
		r->kind->fini(r);
	uidset_fini(&r->uids);
	uidset_fini(&r->source);
	uidset_fini(&r->failed);
	free(r->who);
	buf_fini(&r->made);
	free(r);
}

void
request_reset(struct store_request *r)
{
	r->code = STORE_OK;
	err_clear(&r->err);
	r->mailbox = 0;
	r->uidvalidity = 0;
	r->modseq = 0;
	uidset_clear(&r->uids);
	uidset_clear(&r->source);
	uidset_clear(&r->failed);
}

bool
request_refuse(struct store_request *r, enum store_code code, const char *format, ...)
{
	va_list args;

	r->code = code;
	r->err.class = code_words[code].class;
	r->err.say = code_words[code].say;
	va_start(args, format);
	vsnprintf(r->err.log, sizeof r->err.log, format, args);
	va_end(args);
	return false;
}

bool
request_refuse_errno(struct store_request *r, const char *what)
{
	int kept = errno;

	request_refuse(r, STORE_UNAVAILABLE, "%s: %s", what, strerror(kept));
	if (kept == ENOSPC || kept == EDQUOT)
		r->err.say = SAY_DISK;
	return false;
}

void
store_progress(const struct store_request *r, uint64_t *done, uint64_t *goal)
{
	*goal = r->goal;
	*done = r->progress;
}

void
store_cancel(struct store_request *r)
{
	r->done = (struct store_done){ 0 };
}
