/* row.c - directory rows to bytes and back. */
#include "row.h"

#include <postern/core/cur.h>
#include <postern/core/mem.h>

enum { LAYOUT = 1, FLAG_DISABLED = 1, FLAG_SCRAM = 2, FLAGS_KNOWN = FLAG_DISABLED | FLAG_SCRAM };

static void
put_number(struct buf *out, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		buf_add_char(out, (char)(value >> (bytes * 8)));
}

static uint64_t
take_number(struct cur *c, unsigned bytes)
{
	struct str s = cur_bytes(c, bytes);
	uint64_t value = 0;

	for (size_t i = 0; i < s.n; i++)
		value = value << 8 | (unsigned char)s.p[i];
	return value;
}

static void
put_str(struct buf *out, struct str s)
{
	put_number(out, s.n, 2);
	buf_add(out, s);
}

static struct str
take_str(struct cur *c, size_t max)
{
	size_t n = take_number(c, 2);

	if (n > max)
		cur_fail(c, "a string is too long");
	return cur_bytes(c, n);
}

static void
take_into(struct cur *c, uint8_t *to, size_t n)
{
	struct str s = cur_bytes(c, n);

	if (s.n == n)
		memcpy(to, s.p, n);
}

static void
take_layout(struct cur *c)
{
	if (take_number(c, 1) != LAYOUT)
		cur_fail(c, "unknown layout");
}

void
row_write_user(struct buf *out, const struct user *u)
{
	const struct scram_keys *k = &u->verifier.scram;

	put_number(out, LAYOUT, 1);
	put_number(out, (u->disabled ? FLAG_DISABLED : 0u) | (k->iterations != 0 ? FLAG_SCRAM : 0u), 1);
	put_number(out, (uint64_t)u->created, 8);
	put_number(out, u->quota, 8);
	put_number(out, u->version, 8);
	put_number(out, u->serial, 8);
	put_str(out, str_of(u->verifier.hash));
	if (k->iterations == 0)
		return;
	put_number(out, k->iterations, 4);
	buf_add(out, str_from(k->salt, sizeof k->salt));
	buf_add(out, str_from(k->stored, sizeof k->stored));
	buf_add(out, str_from(k->server, sizeof k->server));
}

static void
take_scram(struct cur *c, struct scram_keys *k)
{
	k->iterations = (uint32_t)take_number(c, 4);
	take_into(c, k->salt, sizeof k->salt);
	take_into(c, k->stored, sizeof k->stored);
	take_into(c, k->server, sizeof k->server);
	if (k->iterations < SCRAM_ITERATIONS_MIN || k->iterations > INT32_MAX)
		cur_fail(c, "impossible number of iterations");
}

static void
take_hash(struct cur *c, struct verifier *v)
{
	struct str hash = take_str(c, VERIFIER_HASH_MAX);

	if (hash.n == 0 || str_has(hash, '\0'))
		cur_fail(c, "no hash");
	else
		memcpy(v->hash, hash.p, hash.n);
}

bool
row_parse_user(struct str row, struct user *u)
{
	struct cur c = cur_init(row);
	uint64_t flags;

	take_layout(&c);
	flags = take_number(&c, 1);
	if ((flags & ~(uint64_t)FLAGS_KNOWN) != 0)
		cur_fail(&c, "unknown flags");
	u->disabled = (flags & FLAG_DISABLED) != 0;
	u->created = (int64_t)take_number(&c, 8);
	u->quota = take_number(&c, 8);
	u->version = take_number(&c, 8);
	u->serial = take_number(&c, 8);
	u->verifier = (struct verifier){ 0 };
	take_hash(&c, &u->verifier);
	if (flags & FLAG_SCRAM)
		take_scram(&c, &u->verifier.scram);
	return cur_end(&c);
}

static void
put_strs(struct buf *out, const struct str *v, size_t n)
{
	put_number(out, n, 2);
	for (size_t i = 0; i < n; i++)
		put_str(out, v[i]);
}

static const struct str *
take_strs(struct cur *c, struct arena *a, size_t max, size_t *n)
{
	struct str *v;

	*n = take_number(c, 2);
	if (*n > max)
		cur_fail(c, "a list is too long");
	if (!cur_ok(c))
		*n = 0;
	v = arena_array(a, *n, sizeof *v);
	for (size_t i = 0; i < *n; i++) {
		v[i] = arena_str(a, take_str(c, DIRECTORY_NAME_MAX));
		if (v[i].n == 0)
			cur_fail(c, "an empty name");
	}
	return v;
}

void
row_write_alias(struct buf *out, const struct alias *al)
{
	put_number(out, LAYOUT, 1);
	put_number(out, (uint64_t)al->created, 8);
	put_strs(out, al->targets, al->ntargets);
	put_strs(out, al->senders, al->nsenders);
}

bool
row_parse_alias(struct str row, struct arena *a, struct alias *al)
{
	struct cur c = cur_init(row);

	take_layout(&c);
	al->created = (int64_t)take_number(&c, 8);
	al->targets = take_strs(&c, a, ALIAS_TARGETS_MAX, &al->ntargets);
	al->senders = take_strs(&c, a, ALIAS_SENDERS_MAX, &al->nsenders);
	if (al->ntargets == 0)
		cur_fail(&c, "no targets");
	return cur_end(&c);
}

void
row_write_domain(struct buf *out, const struct domain *d)
{
	put_number(out, LAYOUT, 1);
	put_number(out, (uint64_t)d->created, 8);
}

bool
row_parse_domain(struct str row, struct domain *d)
{
	struct cur c = cur_init(row);

	take_layout(&c);
	d->created = (int64_t)take_number(&c, 8);
	return cur_end(&c);
}
