/* passwords.c - the password files of routes: opened here, because relay has no files. Read at every start of a relay process
 * and at a reload; the first line counts. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/io.h>
#include <postern/core/log.h>

#include "parent.h"

static bool
read_password(const char *path, struct buf *text, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool ok = fd != -1 && buf_room(text, PASSWORD_FILE_MAX) != NULL && io_read_fd(fd, text);

	if (!ok)
		err_perm(e, "", "password_file %s: %s", path, strerror(errno));
	io_close(&fd);
	return ok;
}

static void
hand_password(struct proc *p, struct str path)
{
	struct str line;
	struct str rest;
	struct buf text;
	struct err e;

	buf_init(&text, PASSWORD_FILE_MAX);
	if (read_password(path.p, &text, &e)) {
		rest = buf_str(&text);
		if (!str_cut(&rest, '\n', &line))
			line = STR("");
		if (str_ends(line, STR("\r")))
			line = str_sub(line, 0, line.n - 1);
		say_password(p->chan, &(struct password_ask){ .file = path, .password = line });
	} else {
		/* not told: what the process knows from before stays; if it knows nothing, mail for that route waits */
		log_say(LEVEL_ERROR, "password", "%s", e.log);
	}
	buf_wipe(&text);
}

void
hand_passwords(struct proc *p)
{
	const struct conf *conf = p->server->conf;

	for (size_t i = 0; i < conf->routes.n; i++)
		if (conf->routes.v[i].password_file.n > 0)
			hand_password(p, conf->routes.v[i].password_file);
}
