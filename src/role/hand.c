/* hand.c - what the parent hands to a process: its configuration, sockets, channels, keys, ticket keys. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/io.h>
#include <postern/core/log.h>

#include "parent.h"

/* The machine lacks something just now. The process does not stay without what it needs: it is started again, later and later. */
static void
start_later(const struct proc *p, const char *what)
{
	log_say(LEVEL_ERROR, "start", "%s %u: %s: %s", role_name(p->row->role), p->index, what, strerror(errno));
	if (p->pid != 0)
		kill(p->pid, SIGKILL);
}

void
hand_conf(struct proc *p, bool reload)
{
	struct buf text;
	int fd = memfd_create("postern.conf", MFD_CLOEXEC);

	buf_init(&text, CONF_FILE_MAX);
	conf_write_part(p->server->conf, p->row->conf, &text);
	if (fd == -1 || text.over || !io_write_all(fd, buf_str(&text)))
		start_later(p, "its configuration");
	else
		say_conf(p->chan, &(struct conf_ask){ .text = fd, .reload = reload });
	io_close(&fd);
	buf_fini(&text);
}

/* A channel between two processes: each gets one end. False: errno. */
static bool
join(struct proc *a, struct proc *b, bool sign)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return false;
	say_peer(
	    a->chan, &(struct peer_ask){
			 .role = (uint8_t)b->row->role, .index = (uint8_t)b->index, .use = sign, .channel = pair[0] });
	say_peer(
	    b->chan, &(struct peer_ask){
			 .role = (uint8_t)a->row->role, .index = (uint8_t)a->index, .use = sign, .channel = pair[1] });
	close(pair[0]);
	close(pair[1]);
	return true;
}

static void
hand_channels(struct proc *p)
{
	struct server *s = p->server;

	for (size_t i = 0; i < role_nlinks; i++) {
		const struct role_link *l = &role_links[i];
		enum role other = l->a == p->row->role ? l->b : l->a;

		if (l->a != p->row->role && l->b != p->row->role)
			continue;
		for (unsigned j = 0; j < s->nprocs; j++)
			if (s->procs[j].row->role == other && s->procs[j].pid != 0 && !join(p, &s->procs[j], l->sign)) {
				start_later(p, "a channel");
				return;
			}
	}
}

void
hand_channel_again(struct proc *p, struct proc *peer, bool sign)
{
	for (size_t i = 0; i < role_nlinks; i++) {
		const struct role_link *l = &role_links[i];
		bool ours = (l->a == p->row->role && l->b == peer->row->role) ||
			    (l->b == p->row->role && l->a == peer->row->role);

		if (ours && l->sign == sign && !join(p, peer, sign))
			log_say(LEVEL_ERROR, "channel", "%s", strerror(errno)); /* it asks again */
	}
}

static void
hand_sockets(struct proc *p)
{
	struct server *s = p->server;

	for (unsigned i = 0; i < s->nsockets; i++)
		if (s->sockets[i].role == p->row->role)
			say_listen(p->chan, &(struct listen_ask){ .service = str_of(s->sockets[i].service),
			    .address = s->sockets[i].address, .socket = s->sockets[i].fd });
	if (p->row->role == ROLE_LOG)
		logpipe_hand(p);
	if (p->control_fd != -1)
		say_listen(p->chan, &(struct listen_ask){ .service = STR("control"), .socket = p->control_fd });
}

void
hand_tickets(struct proc *p)
{
	struct server *s = p->server;

	for (int i = 0; i < SERVICE_COUNT; i++) {
		bool imap = i == SERVICE_IMAP || i == SERVICE_IMAPS;

		if (p->row->role == (imap ? ROLE_IMAP : ROLE_SMTP))
			say_ticket_key(p->chan,
			    &(struct ticket_key_ask){ .service = str_of(conf_service_name((enum conf_service)i)),
				.key = str_from(&s->tickets[i], sizeof s->tickets[i]) });
	}
}

void
hand_everything(struct proc *p)
{
	struct err e;

	hand_conf(p, false);
	hand_sockets(p);
	hand_channels(p);
	hand_tickets(p);
	if (p->row->role == ROLE_KEYS && !hand_keypairs(p, false, &e))
		log_say(LEVEL_ERROR, "keys", "%s", e.log);
	if (p->row->role == ROLE_RELAY)
		hand_passwords(p);
	say_start(p->chan, &(struct start_ask){ .generation = p->generation });
}
