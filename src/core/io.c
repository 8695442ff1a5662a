/* io.c - descriptors and random names. */
#include <postern/core/io.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include <postern/core/clock.h>
#include <postern/core/mem.h>

bool
io_write_all(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		s = str_sub(s, (size_t)n, s.n);
	}
	return true;
}

bool
io_pwrite_all(int fd, struct str s, off_t at)
{
	while (s.n > 0) {
		ssize_t n = pwrite(fd, s.p, s.n, at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		s = str_sub(s, (size_t)n, s.n);
		at += n;
	}
	return true;
}

ssize_t
io_pread(int fd, void *p, size_t n, off_t at)
{
	ssize_t got;

	do
		got = pread(fd, p, n, at);
	while (got == -1 && errno == EINTR);
	return got;
}

bool
io_pread_all(int fd, void *p, size_t n, off_t at)
{
	char *to = p;

	while (n > 0) {
		ssize_t got = io_pread(fd, to, n, at);

		if (got == 0)
			errno = 0;
		if (got <= 0)
			return false;
		to += got;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

static bool
read_pieces(int fd, struct buf *b, char *piece, size_t size)
{
	off_t at = 0;
	ssize_t n;

	while ((n = io_pread(fd, piece, size, at)) > 0) {
		buf_add(b, str_from(piece, (size_t)n));
		if (b->over) {
			errno = EFBIG;
			return false;
		}
		at += n;
	}
	return n == 0;
}

/* The file may hold a password or a key: no copy stays on the stack. */
bool
io_read_fd(int fd, struct buf *b)
{
	char piece[16384];
	bool ok = read_pieces(fd, b, piece, sizeof piece);

	mem_wipe(piece, sizeof piece);
	return ok;
}

bool
io_read_file(int dirfd, const char *path, struct buf *b)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	bool ok;
	int kept;

	if (fd == -1)
		return false;
	ok = io_read_fd(fd, b);
	kept = errno;
	close(fd);
	errno = kept;
	return ok;
}

void
io_close(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

bool
io_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags != -1 && ((flags & O_NONBLOCK) != 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1);
}

struct id
id_new(void)
{
	struct id id;
	uint64_t ms = (uint64_t)(wall_now().us / 1000);

	for (size_t i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
	randombytes_buf(id.b + 6, sizeof id.b - 6);
	return id;
}

bool
id_eq(struct id a, struct id b)
{
	return memcmp(a.b, b.b, sizeof a.b) == 0;
}

static const char digit32[] = "0123456789abcdefghijklmnopqrstuv";

void
id_text(struct id id, char out[static ID_TEXT_SIZE])
{
	/* 128 bits as 26 digits of 5 bits, the last two bits of the 130 being zero */
	for (size_t i = 0; i < ID_TEXT_SIZE - 1; i++) {
		size_t bit = i * 5;
		unsigned v = (unsigned)id.b[bit / 8] << 8;

		if (bit / 8 + 1 < sizeof id.b)
			v |= id.b[bit / 8 + 1];
		out[i] = digit32[v >> (11 - bit % 8) & 31];
	}
	out[ID_TEXT_SIZE - 1] = '\0';
}

bool
id_parse(struct str text, struct id *id)
{
	char again[ID_TEXT_SIZE];

	*id = (struct id){ 0 };
	if (text.n != ID_TEXT_SIZE - 1)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		const char *at = text.p[i] != '\0' ? strchr(digit32, text.p[i]) : NULL;

		if (at == NULL)
			return false;
		for (size_t bit = 0; bit < 5; bit++) {
			size_t to = i * 5 + bit;

			if (to < 128 && ((at - digit32) >> (4 - bit) & 1) != 0)
				id->b[to / 8] |= (uint8_t)(0x80 >> to % 8);
		}
	}
	id_text(*id, again);
	return str_eq(str_from(again, ID_TEXT_SIZE - 1), text);
}

int
io_open_fds(void)
{
	/* a mount of its own that is attached nowhere: its root has nothing above it */
	int fd = open_tree(AT_FDCWD, "/proc/self/fd", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd != -1 ? fd : open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
}
