/* check.c - index against files and against itself: says what differs, changes nothing. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/mem.h>
#include <postern/store/admin.h>

#include "annotation.h"
#include "look.h"
#include "path.h"

struct checking {
	struct work *w;
	struct store_report *report;
	struct buf *text;
	struct snap s;
	uint64_t bytes; /* of all mailboxes so far */
};

static void __attribute__((format(printf, 3, 4)))
problem(struct checking *c, const struct mbox *m, const char *format, ...)
{
	va_list args;

	c->report->problems++;
	buf_addf(c->text, "%s: ", m->name);
	va_start(args, format);
	buf_addv(c->text, format, args);
	va_end(args);
	buf_add_char(c->text, '\n');
}

/* Counts again what the header says, and looks for rows that lack their other half. */
static void
check_message(struct checking *c, const struct mbox *m, uint32_t uid, const struct row_message *row)
{
	char name[FNAME_SIZE];

	if (uid >= m->row.uidnext)
		problem(c, m, "UID %" PRIu32 " is not below UIDNEXT %" PRIu32, uid, m->row.uidnext);
	if (row->modseq > m->row.modseq)
		problem(c, m, "UID %" PRIu32 " has MODSEQ %" PRIu64 " above the mailbox's", uid, row->modseq);
	if (!file_read(&c->s, m->number, uid, name))
		problem(c, m, "UID %" PRIu32 " has no file name", uid);
}

static void
check_counts(struct checking *c, const struct mbox *m)
{
	struct key from = key_message(m->number, 0);
	MDB_val key = key_val(&from), value;
	MDB_cursor *cursor = snap_cursor(&c->s, T_MESSAGE);
	struct row_mailbox counted = { 0 };
	uint32_t uid;

	for (bool more = snap_step(&c->s, cursor, &key, &value, MDB_SET_RANGE); more && key_uid(key, m->number, &uid);
	    more = snap_step(&c->s, cursor, &key, &value, MDB_NEXT)) {
		struct row_message row;

		if (!message_decode(&c->s, value, &row))
			break;
		check_message(c, m, uid, &row);
		counted.messages++;
		counted.bytes += row.size;
		counted.unseen += (row.flags & STORE_SEEN) == 0;
		counted.deleted += (row.flags & STORE_DELETED) != 0;
	}
	cursor_close(cursor);
	if (counted.messages != m->row.messages || counted.unseen != m->row.unseen ||
	    counted.deleted != m->row.deleted || counted.bytes != m->row.bytes)
		problem(c, m,
		    "counts are %" PRIu32 " messages, %" PRIu32 " unseen, %" PRIu32 " deleted, %" PRIu64
		    " bytes; found %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu64,
		    m->row.messages, m->row.unseen, m->row.deleted, m->row.bytes, counted.messages, counted.unseen,
		    counted.deleted, counted.bytes);
	c->bytes += counted.bytes;
}

/* What stands beside the messages: postern-mailbox and postern-annotations. */
static void
check_beside(struct checking *c, const struct mbox *m)
{
	int fd = m->dir[0] != '\0' ? path_open_dir(c->w->u->maildir, m->dir) : dup(c->w->u->maildir);
	struct sidecar *side = NEW(struct sidecar);

	if (fd != -1 && !annotations_fit(&c->s, fd, m->number))
		problem(c, m, ANNOTATIONS_NAME " does not fit the index");

	if (fd == -1 || !sidecar_load(fd, side))
		problem(c, m, "postern-mailbox cannot be read");
	else if (side->uidvalidity != m->row.uidvalidity || side->ceiling < m->row.uidnext ||
		 !id_eq(side->id, m->row.id))
		problem(c, m, "postern-mailbox does not fit the index");
	io_close(&fd);
	free(side);
}

static void
report_look(struct checking *c, const struct mbox *m, struct look *l)
{
	for (uint32_t uid = uidset_next(&l->gone, 1); uid != 0; uid = uidset_next(&l->gone, uid + 1))
		problem(c, m, "UID %" PRIu32 " has no file", uid);
	for (size_t i = 0; i < l->n; i++)
		if (!l->found[i].known &&
		    !(l->found[i].fresh && l->found[i].f.ours && l->found[i].f.clock > c->w->u->floor))
			problem(c, m, "file %.*s is not in the index", STR_ARG(l->found[i].name));
	for (size_t i = 0; i < l->nrenamed; i++)
		problem(c, m, "UID %" PRIu32 " has the file name %.*s", l->renamed[i].uid,
		    STR_ARG(l->renamed[i].file->name));
}

static void
check_files(struct checking *c, const struct mbox *m)
{
	struct look *l;
	struct mdir d;

	if (!mdir_open(c->w->u, m->dir, &d)) {
		problem(c, m, "directory: %s", strerror(errno));
		return;
	}
	l = look_new(c->w);
	l->mailbox = m->number;
	if (look_list(c->w, l, &d) && compare_index(c->w, l, &d))
		report_look(c, m, l);
	look_drop(c->w);
	mdir_close(&d);
}

static void
check_grams(struct checking *c)
{
	const char *found = gram_check(c->w, &c->s);

	if (found == NULL)
		return;
	c->report->problems++;
	buf_addf(c->text, "search index: %s; `postern store rebuild` drops it\n", found);
}

static void
check_all(struct checking *c)
{
	struct mbox *m = NEW(struct mbox);
	MDB_cursor *cursor = snap_cursor(&c->s, T_NAME);
	MDB_val key, value;

	for (bool more = snap_step(&c->s, cursor, &key, &value, MDB_FIRST); more;
	    more = snap_step(&c->s, cursor, &key, &value, MDB_NEXT)) {
		struct row_name row;

		if (!name_read(&c->s, val_str(key), &row) || row.mailbox == 0)
			continue;
		if (!mbox_read(&c->s, row.mailbox, m)) {
			snap_fail(&c->s, MDB_CORRUPTED);
			break;
		}
		check_counts(c, m);
		check_beside(c, m);
		check_files(c, m);
	}
	cursor_close(cursor);
	check_grams(c);
	if (c->s.rc == 0 && c->bytes != meta_get(&c->s, META_BYTES)) {
		c->report->problems++;
		buf_addf(c->text, "quota: %" PRIu64 " bytes are counted, %" PRIu64 " found\n",
		    meta_get(&c->s, META_BYTES), c->bytes);
	}
	free(m);
}

static void
check_metadata(struct checking *c)
{
	uint64_t found = annotation_bytes(&c->s), counted = meta_get(&c->s, META_METADATA);

	if (!annotations_fit(&c->s, c->w->u->fd, 0)) {
		c->report->problems++;
		buf_addf(c->text, ANNOTATIONS_NAME " of the server does not fit the index\n");
	}
	if (c->s.rc != 0 || found == counted)
		return;
	c->report->problems++;
	buf_addf(c->text, "annotations: %" PRIu64 " bytes are counted, %" PRIu64 " found\n", counted, found);
}

bool
check_run(struct work *w, struct store_report *report, struct buf *text)
{
	struct checking c = { .w = w, .report = report, .text = text };

	if (!work_snap(w, &c.s))
		return false;
	check_all(&c);
	check_metadata(&c);
	work_snap_end(w, &c.s);
	return w->rc == 0 && w->err.class == ERR_NONE;
}
