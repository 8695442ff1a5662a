/* cli_mail.c - what programs hand to `postern sendmail', and what a server answers it. The first byte says how the input ends and how
 * many of the next bytes are the server's words; the rest is the message. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/io.h>
#include <postern/message/charset.h>

#include "command.h"
#include "fuzz.h"
#include "mail.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	charset_init();
	return 0;
}

/* Only whole lines, each ending in CRLF. */
static void
check_lines(struct str message)
{
	struct str line;

	while (str_cut(&message, '\n', &line)) {
		MUST(line.n > 0 && line.p[line.n - 1] == '\r');
		MUST(!str_has(str_sub(line, 0, line.n - 1), '\r'));
	}
}

static int
memory_file(struct str bytes)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	MUST(fd != -1 && io_write_all(fd, bytes) && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void
check_addresses(const struct mail *m)
{
	for (size_t i = 0; i < m->nrecipients; i++)
		for (size_t j = 0; j < m->recipients[i].n; j++)
			MUST((unsigned char)m->recipients[i].p[j] >= 0x20);
}

/* The server has said all it will ever say. What is said to the user goes nowhere. */
static void
talk(struct mail *m, struct str server)
{
	int ends[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	if (io_write_all(ends[1], server) && shutdown(ends[1], SHUT_WR) == 0)
		mail_talk(m, ends[0], STR("host.test"));
	close(ends[0]);
	close(ends[1]);
}

static void
silence(void)
{
	static bool done;
	int null = done ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null != -1) {
		stderr = fdopen(null, "w");
		MUST(stderr != NULL);
	}
	done = true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_from(p, n);
	size_t said = n > 0 ? p[0] / 2 : 0;
	struct mail m;
	int fd;

	silence();
	mail_init(&m, 1 << 16);
	m.origin = STR("example.test");
	fd = memory_file(str_sub(in, 1 + said, in.n));
	if (mail_set_sender(&m, STR("me")) && mail_read(&m, fd, n > 0 && p[0] & 1 ? MAIL_ENDS_WITH_FILE : MAIL_ENDS_WITH_DOT)) {
		check_lines(buf_str(&m.message));
		mail_take_recipients(&m);
		check_addresses(&m);
		mail_complete(&m, STR("Me \"I\""));
		if (m.message.n < 30000) /* more may fill the socket: nobody reads */
			talk(&m, str_sub(in, 1, 1 + said));
	}
	close(fd);
	mail_fini(&m);
	return 0;
}
