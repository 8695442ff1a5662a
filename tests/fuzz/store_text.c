/* store_text.c - file names, mailbox names, UID sets and the files beside a Maildir under any bytes. */
#include <stdlib.h>

#include <postern/store/metadata.h>
#include <postern/store/mutf7.h>
#include <postern/store/rights.h>
#include <postern/store/uidset.h>

#include "../../src/store/annotation.h"
#include "../../src/store/dovecot.h"
#include "../../src/store/fname.h"
#include "../../src/store/name.h"
#include "../../src/store/sidecar.h"
#include "fuzz.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

/* What decodes encodes to the same bytes. */
static void
check_mutf7(struct str in)
{
	struct buf name, again;

	buf_init(&name, in.n * 4 + 8);
	buf_init(&again, in.n * 4 + 8);
	if (mutf7_decode(&name, in)) {
		want(mutf7_encode(&again, buf_str(&name)));
		want(str_eq(buf_str(&again), in));
	}
	buf_clear(&name);
	if (mutf7_encode(&name, in)) {
		buf_clear(&again);
		want(mutf7_decode(&again, buf_str(&name)) == (memchr(in.p, 0, in.n) == NULL));
	}
	buf_fini(&name);
	buf_fini(&again);
}

static void
check_uidset(struct str in)
{
	struct uidset s, again;
	struct buf text;

	uidset_init(&s);
	uidset_init(&again);
	buf_init(&text, in.n * 2 + 64);
	if (uidset_parse(&s, in, 1000)) {
		uidset_write(&s, &text);
		want(uidset_parse(&again, buf_str(&text), 1000) && again.n == s.n);
		want(memcmp(again.p, s.p, s.n * sizeof *s.p) == 0);
	}
	uidset_fini(&s);
	uidset_fini(&again);
	buf_fini(&text);
}

/* A name we write has the base, the UID and the letters we put into it. */
static void
check_fname(struct str in)
{
	char out[FNAME_SIZE], extra[16];
	struct fname f, g;
	uint32_t flags, flags2;
	uint64_t keywords, keywords2;

	want(fname_ok(in) == fname_parse(in, &f));
	if (!fname_ok(in))
		return;
	fname_read_letters(f.letters, &flags, &keywords, extra, sizeof extra);
	if (!fname_write(out, &f, 77, 5, flags, keywords, str_of(extra)))
		return;
	want(fname_parse(str_of(out), &g) && str_eq(f.base, g.base) && g.uid == 5);
	fname_read_letters(g.letters, &flags2, &keywords2, NULL, 0);
	want(flags == flags2 && keywords == keywords2);
}

/* A canonical name comes back from its directory. */
static void
check_name(struct str in)
{
	struct buf name, dir, again;

	buf_init(&name, 400);
	buf_init(&dir, 255);
	buf_init(&again, 400);
	if (name_canonical(&name, in, NULL) && name_to_dir(&dir, buf_str(&name)) && dir.n > 0) {
		want(!str_has(buf_str(&dir), '/') && dir.p[0] == '.');
		want(name_from_dir(&again, buf_str(&dir)) && str_eq(buf_str(&again), buf_str(&name)));
	}
	buf_clear(&name);
	name_from_dir(&name, in);
	buf_clear(&dir);
	name_user_dir(&dir, in);
	buf_fini(&name);
	buf_fini(&dir);
	buf_fini(&again);
}

/* Letters come back as they are meant, the older ones as what they stand for. */
static void
check_rights(struct str in)
{
	unsigned rights, again;
	struct buf text;

	store_identifier_ok(in);
	if (!store_rights_parse(in, &rights))
		return;
	want((rights & ~(unsigned)STORE_RIGHTS_ALL) == 0);
	want((store_rights_flags(rights) & ~(uint32_t)STORE_FLAGS_ALL) == 0);
	buf_init(&text, 64);
	store_rights_write(&text, rights);
	want(store_rights_parse(buf_str(&text), &again) && (again & rights) == rights);
	buf_clear(&text);
	store_rights_write_members(&text, rights);
	want(store_rights_parse(buf_str(&text), &again) && again == rights);
	buf_fini(&text);
}

static void
on_uid(void *ctx, uint32_t uid, struct str name)
{
	(void)name;
	want(uid > *(uint32_t *)ctx);
	*(uint32_t *)ctx = uid;
}

static void
on_dir(void *ctx, struct str dir)
{
	(void)ctx;
	(void)dir;
}

static void
on_row(void *ctx, enum table t, struct str name, struct str value)
{
	(void)ctx;
	(void)t;
	want(name.n <= ANNOTATION_NAME_SIZE && value.n <= STORE_VALUE_MAX);
}

static void
check_files(struct str in)
{
	char keywords[STORE_KEYWORDS_MAX][STORE_KEYWORD_SIZE + 1];
	struct dovecot_uidlist list;
	struct sidecar side, again;
	struct buf text;
	uint32_t last = 0;

	dovecot_uidlist_parse(&list, in, on_uid, &last);
	dovecot_keywords_parse(in, keywords);
	dovecot_subscriptions_parse(in, on_dir, NULL);
	annotations_parse(in, on_row, NULL);
	if (!sidecar_parse(&side, in))
		return;
	buf_init(&text, 1 << 16);
	sidecar_write(&side, &text);
	want(sidecar_parse(&again, buf_str(&text)) && memcmp(&side, &again, sizeof side) == 0);
	buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p, n);

	check_mutf7(in);
	check_uidset(in);
	check_fname(in);
	check_name(in);
	check_rights(in);
	check_files(in);
	return 0;
}
