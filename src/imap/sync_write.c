/* sync_write.c - single untagged responses about the selected mailbox (sync.h). */
#include "sync.h"

#include "condstore.h"
#include "rights.h"
#include "uidonly.h"

static bool
is_recent(const struct imap_session *s, uint32_t uid)
{
	return !s->rev2 && uidset_has(&s->box->recent, uid);
}

void
sync_write_fetch(struct imap_session *s, uint32_t seq, const struct store_message *m, const struct str *keywords)
{
	uidonly_begin_fetch(s, seq, m->uid, UID_TOLD);
	buf_add_cstr(&s->out, "FLAGS ");
	out_flags(&s->out, m->flags, m->keywords, keywords, is_recent(s, m->uid));
	if (s->condstore) {
		buf_add_char(&s->out, ' ');
		condstore_write_modseq(s, m->modseq);
	}
	buf_add_cstr(&s->out, ")\r\n");
}

void
sync_write_fetch_modseq(struct imap_session *s, uint32_t seq, const struct store_message *m)
{
	uidonly_begin_fetch(s, seq, m->uid, UID_TOLD);
	condstore_write_modseq(s, m->modseq);
	buf_add_cstr(&s->out, ")\r\n");
}

void
sync_write_exists(struct imap_session *s)
{
	buf_addf(&s->out, "* %u EXISTS\r\n", s->box->view.count);
	if (!s->rev2)
		buf_addf(&s->out, "* %u RECENT\r\n", (unsigned)uidset_count(&s->box->recent));
}

static void
add_name(struct buf *out, struct str name, const char **sep)
{
	buf_add_cstr(out, *sep);
	buf_add(out, name);
	*sep = " ";
}

/* The system flags of these and all keywords. */
static void
add_names(struct buf *out, uint32_t flags, const struct str *keywords, size_t n)
{
	const char *sep = "";

	for (size_t i = 0; i < FLAG_NAMES; i++)
		if (flags & flag_names[i].flag)
			add_name(out, flag_names[i].name, &sep);
	for (size_t i = 0; i < n; i++)
		add_name(out, keywords[i], &sep);
}

/* RFC 9051 7.1: "\*" as long as there is room for new keywords; RFC 4314 5.1.1: only what the rights allow. */
static void
add_permanent(struct buf *out, unsigned rights, const struct str *keywords, size_t n)
{
	bool words = rights & STORE_RIGHT_WRITE;

	add_names(out, store_rights_flags(rights), keywords, words ? n : 0);
	if (words && n < STORE_KEYWORDS_MAX)
		buf_add_cstr(out, " \\*");
}

void
sync_write_flags(struct imap_session *s, struct store_view *v)
{
	struct str keywords[STORE_KEYWORDS_MAX];
	size_t n = store_keywords(v, s->box->mailbox, keywords);

	buf_add_cstr(&s->out, "* FLAGS (");
	add_names(&s->out, STORE_FLAGS_ALL, keywords, n);
	buf_add_cstr(&s->out, ")\r\n* OK [PERMANENTFLAGS (");
	if (!s->box->readonly)
		add_permanent(&s->out, s->box->rights, keywords, n);
	buf_add_cstr(&s->out, ")] flags that stay\r\n");
	s->box->keywords = n;
	s->box->rights_changed = false;
}
