/* root_page.c - the C library's pwrite() with a disk that is full at the root page. */
#include "root_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	FATAL = 1, /* log_fatal() */
};

bool root_page_fails;

/* In the place of the C library's: no space for LMDB's root pages, which are the small writes. The headers would make pwrite64 of
 * that name. */
ssize_t write_pages(int fd, const void *p, size_t n, off_t at) __asm__("pwrite");

ssize_t
write_pages(int fd, const void *p, size_t n, off_t at)
{
	if (root_page_fails && n < PAGE) {
		errno = ENOSPC;
		return -1;
	}
	return (ssize_t)syscall(SYS_pwrite64, fd, p, n, at);
}

void
root_page_expect_end(int (*live)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(live());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FATAL);
}
