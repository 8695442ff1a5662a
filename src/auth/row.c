/* row.c - directory rows to bytes and back. */
#include "row.h"

#include <postern/core/be.h>
#include <postern/core/cur.h>
#include <postern/core/mem.h>

enum { LAYOUT = 1, FLAG_DISABLED = 1, FLAG_SCRAM = 2, FLAGS_KNOWN = FLAG_DISABLED | FLAG_SCRAM };

static void
put_str(struct buf *out, struct str s)
{
	buf_add_be(out, 2, s.n);
	buf_add(out, s);
}

static struct str
take_str(struct cur *c, size_t max)
{
	size_t n = cur_be(c, 2);

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
	if (cur_be(c, 1) != LAYOUT)
		cur_fail(c, "unknown layout");
}

void
row_write_user(struct buf *out, const struct user *u)
{
	const struct scram_keys *k = &u->verifier.scram;

	buf_add_be(out, 1, LAYOUT);
	buf_add_be(out, 1, (u->disabled ? FLAG_DISABLED : 0u) | (k->iterations != 0 ? FLAG_SCRAM : 0u));
	buf_add_be(out, 8, (uint64_t)u->created);
	buf_add_be(out, 8, u->quota);
	buf_add_be(out, 8, u->version);
	buf_add_be(out, 8, u->serial);
	put_str(out, str_of(u->verifier.hash));
	if (k->iterations == 0)
		return;
	buf_add_be(out, 4, k->iterations);
	buf_add(out, str_from(k->salt, sizeof k->salt));
	buf_add(out, str_from(k->stored, sizeof k->stored));
	buf_add(out, str_from(k->server, sizeof k->server));
}

static void
take_scram(struct cur *c, struct scram_keys *k)
{
	k->iterations = (uint32_t)cur_be(c, 4);
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
	flags = cur_be(&c, 1);
	if ((flags & ~(uint64_t)FLAGS_KNOWN) != 0)
		cur_fail(&c, "unknown flags");
	u->disabled = (flags & FLAG_DISABLED) != 0;
	u->created = (int64_t)cur_be(&c, 8);
	u->quota = cur_be(&c, 8);
	u->version = cur_be(&c, 8);
	u->serial = cur_be(&c, 8);
	u->verifier = (struct verifier){ 0 };
	take_hash(&c, &u->verifier);
	if (flags & FLAG_SCRAM)
		take_scram(&c, &u->verifier.scram);
	return cur_end(&c);
}

static void
put_strs(struct buf *out, const struct str *v, size_t n)
{
	buf_add_be(out, 2, n);
	for (size_t i = 0; i < n; i++)
		put_str(out, v[i]);
}

static const struct str *
take_strs(struct cur *c, struct arena *a, size_t max, size_t *n)
{
	struct str *v;

	*n = cur_be(c, 2);
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
	buf_add_be(out, 1, LAYOUT);
	buf_add_be(out, 8, (uint64_t)al->created);
	put_strs(out, al->targets, al->ntargets);
	put_strs(out, al->senders, al->nsenders);
}

bool
row_parse_alias(struct str row, struct arena *a, struct alias *al)
{
	struct cur c = cur_init(row);

	take_layout(&c);
	al->created = (int64_t)cur_be(&c, 8);
	al->targets = take_strs(&c, a, ALIAS_TARGETS_MAX, &al->ntargets);
	al->senders = take_strs(&c, a, ALIAS_SENDERS_MAX, &al->nsenders);
	if (al->ntargets == 0)
		cur_fail(&c, "no targets");
	return cur_end(&c);
}

void
row_write_domain(struct buf *out, const struct domain *d)
{
	buf_add_be(out, 1, LAYOUT);
	buf_add_be(out, 8, (uint64_t)d->created);
}

bool
row_parse_domain(struct str row, struct domain *d)
{
	struct cur c = cur_init(row);

	take_layout(&c);
	d->created = (int64_t)cur_be(&c, 8);
	return cur_end(&c);
}
