/* shares.c - pairs of identifier and owner, in memory both ways round, and their journal. */
#include "shares.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>
#include <postern/store/rights.h>

#include "path.h"
#include "schema.h"

enum {
	LINES_SPARE = 1000, /* more lines than twice the pairs and these: written anew */
};

struct names {
	char **p; /* sorted */
	size_t n, cap;
};

struct shares {
	pthread_mutex_t lock;   /* of the maps; held for moments */
	struct map owners;      /* identifier → who has given it rights */
	struct map identifiers; /* owner → whom he has given rights */
	size_t pairs;
	pthread_mutex_t file;   /* of the journal, and of every change; taken first */
	int root;
	int fd;
	size_t lines;
};

/* --- in memory --- */

/* Where it is or would be. */
static size_t
place_in(const struct names *l, struct str name)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (str_cmp(str_of(l->p[mid]), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
has(const struct names *l, struct str name)
{
	size_t at = l != NULL ? place_in(l, name) : 0;

	return l != NULL && at < l->n && str_eq(str_of(l->p[at]), name);
}

static void
insert(struct map *m, struct str key, struct str name)
{
	struct names *l = map_get(m, key);
	size_t at;

	if (l == NULL)
		map_put(m, key, l = NEW(struct names));
	at = place_in(l, name);
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 4 : 2 * l->cap;
		l->p = mem_resize(l->p, l->cap * sizeof *l->p);
	}
	memmove(l->p + at + 1, l->p + at, (l->n - at) * sizeof *l->p);
	l->p[at] = mem_cstr(name);
	l->n++;
}

static void
erase(struct map *m, struct str key, struct str name)
{
	struct names *l = map_get(m, key);
	size_t at = place_in(l, name);

	free(l->p[at]);
	memmove(l->p + at, l->p + at + 1, (--l->n - at) * sizeof *l->p);
	if (l->n > 0)
		return;
	map_del(m, key);
	free(l->p);
	free(l);
}

static void
put_pair(struct shares *h, struct str identifier, struct str owner)
{
	pthread_mutex_lock(&h->lock);
	if (!has(map_get(&h->owners, identifier), owner)) {
		insert(&h->owners, identifier, owner);
		insert(&h->identifiers, owner, identifier);
		h->pairs++;
	}
	pthread_mutex_unlock(&h->lock);
}

static void
drop_pair(struct shares *h, struct str identifier, struct str owner)
{
	pthread_mutex_lock(&h->lock);
	if (has(map_get(&h->owners, identifier), owner)) {
		erase(&h->owners, identifier, owner);
		erase(&h->identifiers, owner, identifier);
		h->pairs--;
	}
	pthread_mutex_unlock(&h->lock);
}

bool
shares_has(struct shares *h, struct str identifier, struct str owner)
{
	bool found;

	pthread_mutex_lock(&h->lock);
	found = has(map_get(&h->owners, identifier), owner);
	pthread_mutex_unlock(&h->lock);
	return found;
}

size_t
shares_guests(struct shares *h, struct str owner)
{
	const struct names *l;
	size_t n;

	pthread_mutex_lock(&h->lock);
	l = map_get(&h->identifiers, owner);
	n = l != NULL ? l->n : 0;
	pthread_mutex_unlock(&h->lock);
	return n;
}

size_t
shares_owners(struct shares *h, struct str identifier, struct arena *a, struct str *owners, size_t n, size_t max)
{
	const struct names *l;

	pthread_mutex_lock(&h->lock);
	l = map_get(&h->owners, identifier);
	for (size_t i = 0; l != NULL && i < l->n && n < max; i++)
		owners[n++] = arena_str(a, str_of(l->p[i]));
	pthread_mutex_unlock(&h->lock);
	return n;
}

/* --- the journal --- */

static void
write_line(struct buf *out, char sign, struct str identifier, struct str owner)
{
	buf_add_char(out, sign);
	buf_add(out, identifier);
	buf_add_char(out, ' ');
	buf_add(out, owner);
	buf_add_char(out, '\n');
}

static void
read_line(struct shares *h, struct str line)
{
	struct str identifier;
	char sign = line.n > 0 ? line.p[0] : '\0';

	line = str_sub(line, 1, line.n);
	if ((sign != '+' && sign != '-') || !str_has(line, ' ') || !str_cut(&line, ' ', &identifier))
		return;
	h->lines++;
	if (sign == '+')
		put_pair(h, identifier, line);
	else
		drop_pair(h, identifier, line);
}

/* What stands behind the last line end was never acknowledged. */
static void
read_journal(struct shares *h)
{
	struct buf b;
	struct str text, line;

	buf_init(&b, SHARES_FILE_MAX);
	if (!io_read_file(h->root, SHARES_NAME, &b) && errno != ENOENT)
		log_say(LEVEL_ERROR, "store", SHARES_NAME ": %s", strerror(errno));
	text = buf_str(&b);
	text.n = str_rfind(text, '\n') < text.n ? str_rfind(text, '\n') + 1 : 0;
	while (str_cut(&text, '\n', &line))
		read_line(h, line);
	buf_fini(&b);
}

static void
write_all(struct shares *h, struct buf *out)
{
	size_t at = 0;
	struct str identifier;
	void *value;

	while (map_next(&h->owners, &at, &identifier, &value)) {
		const struct names *l = value;

		for (size_t i = 0; i < l->n; i++)
			write_line(out, '+', identifier, str_of(l->p[i]));
	}
}

/* A new file with what there is; also where the old one ends in half a line. */
static bool
write_anew(struct shares *h)
{
	struct buf b;
	bool ok;

	buf_init(&b, SIZE_MAX);
	write_all(h, &b);
	ok = path_replace(h->root, SHARES_NAME, buf_str(&b));
	buf_fini(&b);
	if (!ok)
		return false;
	io_close(&h->fd);
	h->lines = h->pairs;
	h->fd = path_open(h->root, SHARES_NAME, O_WRONLY | O_APPEND, 0);
	return h->fd != -1;
}

enum durable { DURABLE, IN_TIME };

/* After a failure the file is begun anew: half a line may stand in it. */
static bool
write_journal(struct shares *h, char sign, struct str identifier, struct str owner, enum durable how)
{
	struct buf b;
	bool ok;

	if ((h->fd == -1 || h->lines > 2 * h->pairs + LINES_SPARE) && !write_anew(h))
		return false;
	buf_init(&b, SIZE_MAX);
	write_line(&b, sign, identifier, owner);
	ok = io_write_all(h->fd, buf_str(&b)) && (how == IN_TIME || fdatasync(h->fd) == 0);
	buf_fini(&b);
	h->lines++;
	if (!ok) {
		int kept = errno;

		io_close(&h->fd);
		errno = kept;
	}
	return ok;
}

static bool
add(struct shares *h, struct str identifier, struct str owner)
{
	if (shares_has(h, identifier, owner))
		return true;
	if (!write_journal(h, '+', identifier, owner, DURABLE))
		return false;
	put_pair(h, identifier, owner);
	return true;
}

bool
shares_add(struct shares *h, struct str identifier, struct str owner)
{
	bool ok;

	pthread_mutex_lock(&h->file);
	ok = add(h, identifier, owner);
	pthread_mutex_unlock(&h->file);
	return ok;
}

/* --- what an index says --- */

static void
collect(struct snap *s, struct str owner, struct map *found)
{
	static char mark;
	MDB_cursor *c = snap_cursor(s, T_RIGHTS);
	MDB_val key, value;

	for (bool more = snap_step(s, c, &key, &value, MDB_FIRST); more; more = snap_step(s, c, &key, &value, MDB_NEXT)) {
		struct str identifier = key.mv_size > 4 ? str_sub(val_str(key), 4, SIZE_MAX) : STR("-");

		if (identifier.p[0] != '-' && value.mv_size > 0 && !str_eq(identifier, owner) &&
		    map_get(found, identifier) == NULL)
			map_put(found, identifier, &mark);
	}
	cursor_close(c);
}

/* The pairs that are not true any more. */
static void
drop_others(struct shares *h, struct str owner, const struct map *found)
{
	const struct names *l = map_get(&h->identifiers, owner);
	struct arena a;
	struct str *old;
	size_t n = l != NULL ? l->n : 0;

	arena_init(&a);
	old = arena_array(&a, n + 1, sizeof *old);
	for (size_t i = 0; i < n; i++)
		old[i] = arena_str(&a, str_of(l->p[i]));
	for (size_t i = 0; i < n; i++) {
		if (map_get(found, old[i]) != NULL)
			continue;
		drop_pair(h, old[i], owner);
		write_journal(h, '-', old[i], owner, IN_TIME);
	}
	arena_fini(&a);
}

void
shares_settle(struct shares *h, struct snap *s, struct str owner)
{
	struct map found;
	size_t at = 0;
	struct str identifier;
	void *value;
	bool ok = true;

	map_init(&found);
	collect(s, owner, &found);
	if (s->rc != 0) {
		map_fini(&found);
		return;
	}
	pthread_mutex_lock(&h->file);
	while (map_next(&found, &at, &identifier, &value))
		ok = add(h, identifier, owner) && ok;
	drop_others(h, owner, &found);
	pthread_mutex_unlock(&h->file);
	map_fini(&found);
	if (!ok)
		log_say(LEVEL_ERROR, "store", SHARES_NAME ": %s", strerror(errno));
}

/* --- life --- */

struct shares *
shares_open(int root)
{
	struct shares *h = NEW(struct shares);

	h->root = root;
	h->fd = -1;
	pthread_mutex_init(&h->lock, NULL);
	pthread_mutex_init(&h->file, NULL);
	map_init(&h->owners);
	map_init(&h->identifiers);
	read_journal(h);
	return h;
}

static void
free_names(struct map *m)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(m, &at, &key, &value)) {
		struct names *l = value;

		while (l->n > 0)
			free(l->p[--l->n]);
		free(l->p);
		free(l);
	}
	map_fini(m);
}

void
shares_free(struct shares *h)
{
	if (h == NULL)
		return;
	free_names(&h->owners);
	free_names(&h->identifiers);
	io_close(&h->fd);
	pthread_mutex_destroy(&h->lock);
	pthread_mutex_destroy(&h->file);
	free(h);
}
