/* usage.c - how full each mailbox is, as the stores say. */
#include <postern/auth/resolve.h>

#include <stdlib.h>

#include <postern/core/mem.h>

void
usage_init(struct usage *u)
{
	map_init(&u->users);
}

void
usage_fini(struct usage *u)
{
	size_t at = 0;
	struct str key;
	void *bytes;

	while (map_next(&u->users, &at, &key, &bytes))
		free(bytes);
	map_fini(&u->users);
}

void
usage_note(struct usage *u, struct str user, uint64_t bytes)
{
	uint64_t *known = map_get(&u->users, user);

	if (known == NULL) {
		if (u->users.n >= USAGE_USERS_MAX || user.n > DIRECTORY_NAME_MAX)
			return;
		known = NEW(uint64_t);
		map_put(&u->users, user, known);
	}
	*known = bytes;
}

uint64_t
usage_of(const struct usage *u, struct str user)
{
	const uint64_t *known = u != NULL ? map_get(&u->users, user) : NULL;

	return known != NULL ? *known : 0;
}

void
usage_forget(struct usage *u, struct str user)
{
	free(map_del(&u->users, user));
}
