/* rights.c - rights as letters and bits (RFC 4314 2.1). */
#include <postern/store/rights.h>

#include <string.h>

static const char letters[] = "lrswipkxtea"; /* the n-th is the n-th bit */

/* RFC 4314 2.1.1: what older clients say and hear. */
static const struct {
	char letter;
	unsigned members;
} virtual_rights[] = {
	{ 'c', STORE_RIGHT_CREATE | STORE_RIGHT_DELETE_BOX },
	{ 'd', STORE_RIGHT_DELETE | STORE_RIGHT_EXPUNGE },
};
enum { VIRTUALS = sizeof virtual_rights / sizeof *virtual_rights };

static unsigned
right_of(char c)
{
	const char *at = c != '\0' ? strchr(letters, c) : NULL;

	if (at != NULL)
		return 1u << (at - letters);
	for (size_t i = 0; i < VIRTUALS; i++)
		if (virtual_rights[i].letter == c)
			return virtual_rights[i].members;
	return 0;
}

bool
store_rights_parse(struct str s, unsigned *rights)
{
	*rights = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned right = right_of(s.p[i]);

		if (right == 0)
			return false;
		*rights |= right;
	}
	return true;
}

void
store_rights_write_members(struct buf *out, unsigned rights)
{
	for (size_t i = 0; letters[i] != '\0'; i++)
		if (rights >> i & 1)
			buf_add_char(out, letters[i]);
}

void
store_rights_write(struct buf *out, unsigned rights)
{
	store_rights_write_members(out, rights);
	for (size_t i = 0; i < VIRTUALS; i++)
		if (rights & virtual_rights[i].members)
			buf_add_char(out, virtual_rights[i].letter);
}

uint32_t
store_rights_flags(unsigned rights)
{
	uint32_t flags = 0;

	if (rights & STORE_RIGHT_SEEN)
		flags |= STORE_SEEN;
	if (rights & STORE_RIGHT_DELETE)
		flags |= STORE_DELETED;
	if (rights & STORE_RIGHT_WRITE)
		flags |= STORE_FLAGS_ALL & ~(STORE_SEEN | STORE_DELETED);
	return flags;
}

static bool
is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x21 || s.p[i] == 0x7f)
			return false;
	return true;
}

bool
store_identifier_ok(struct str identifier)
{
	size_t at;

	if (identifier.n > STORE_IDENTIFIER_SIZE || !is_clean(identifier))
		return false;
	if (identifier.n > 0 && identifier.p[0] == '-')
		identifier = str_sub(identifier, 1, identifier.n);
	at = str_rfind(identifier, '@');
	return str_eq(identifier, STR("anyone")) || (at > 0 && at + 1 < identifier.n);
}
