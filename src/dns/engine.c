/* engine.c - libunbound's settings, its files, its log lines. */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <unbound-event.h>

#include <postern/core/io.h>
#include <postern/core/log.h>

struct setting {
	const char *option;
	const char *value;
};

/* What differs from libunbound's own defaults, or must not come to differ from them. */
static const struct setting settings[] = {
	{ "module-config:", "validator iterator" },
	{ "qname-minimisation:", "yes" }, /* RFC 9156 */
	{ "aggressive-nsec:", "yes" }, /* RFC 8198 */
	{ "harden-dnssec-stripped:", "yes" },
	{ "harden-below-nxdomain:", "yes" },
	{ "harden-glue:", "yes" },
	{ "minimal-responses:", "yes" },
	{ "rrset-roundrobin:", "no" }, /* order is the caller's business */
	{ "val-permissive-mode:", "no" },
	{ "serve-expired:", "no" },
	/* together DNS_CACHE_MEBIBYTES */
	{ "rrset-cache-size:", "8m" },
	{ "msg-cache-size:", "4m" },
	{ "key-cache-size:", "2m" },
	{ "neg-cache-size:", "1m" },
	{ "infra-cache-numhosts:", "4000" },
	{ "cache-max-ttl:", "86400" },
	/* sockets: one UDP port per query under way, chosen anew each time */
	{ "outgoing-range:", "256" },
	{ "num-queries-per-thread:", "512" },
	{ "outgoing-num-tcp:", "16" },
	{ "edns-buffer-size:", "1232" },
	{ "unwanted-reply-threshold:", "1000000" },
};

/* Networks without a place in the public DNS, which libunbound answers itself: a private root or resolver knows
 * them. */
static const char *const private_zones[] = { "test.", "home.arpa.", "invalid.", "localhost.", "127.in-addr.arpa." };

/* A line of libunbound's: "[time] program[pid:thread] error: words". */
static ssize_t
log_unbound(void *cookie, const char *p, size_t n)
{
	struct str line = str_trim(str_from(p, n));
	struct str mark = STR("0] ");
	size_t at = str_search(line, mark);
	struct log_line l;

	(void)cookie;
	if (at < line.n)
		line = str_sub(line, at + mark.n, line.n);
	if (line.n == 0)
		return (ssize_t)n;
	log_begin(&l, LEVEL_WARN, "dns");
	log_str(&l, "why", line);
	log_end(&l);
	return (ssize_t)n;
}

/* One stream for the life of the process: libunbound's log is global, too. */
static FILE *
log_stream(void)
{
	static FILE *stream;

	if (stream == NULL) {
		stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = log_unbound });
		if (stream != NULL)
			setvbuf(stream, NULL, _IOLBF, 1024);
	}
	return stream;
}

static bool
set(struct ub_ctx *ctx, const char *option, const char *value, struct err *e)
{
	int r = ub_ctx_set_option(ctx, option, value);

	return r == 0 || err_perm(e, "", "libunbound: %s %s: %s", option, value, ub_strerror(r));
}

static bool
set_all(struct ub_ctx *ctx, struct err *e)
{
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (!set(ctx, settings[i].option, settings[i].value, e))
			return false;
	return true;
}

/* libunbound ends the process when a kept anchor cannot be written, so that is found out before: rights, and room. */
static bool
can_keep(const char *anchor)
{
	static const char page[8192];
	char probe[4300];
	bool ok;
	int fd;

	if (snprintf(probe, sizeof probe, "%s.probe", anchor) >= (int)sizeof probe || access(anchor, W_OK) == -1)
		return false;
	fd = open(probe, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		return false;
	ok = io_write_all(fd, str_from(page, sizeof page)) && fsync(fd) == 0;
	io_close(&fd);
	return unlink(probe) == 0 && ok;
}

static bool
set_anchor(struct ub_ctx *ctx, const struct dns_options *o, struct err *e)
{
	bool keep;
	int r;

	if (o->anchor == NULL)
		return set(ctx, "module-config:", "iterator", e);
	if (access(o->anchor, R_OK) == -1)
		return err_perm(e, "", "trust anchor %s: %s", o->anchor, strerror(errno));
	keep = o->anchor_kept && can_keep(o->anchor);
	if (o->anchor_kept && !keep)
		log_say(LEVEL_ERROR, "dns",
		    "trust anchor %s cannot be written: it works, but a new key of the root will be missed", o->anchor);
	r = keep ? ub_ctx_add_ta_autr(ctx, o->anchor) : ub_ctx_add_ta_file(ctx, o->anchor);
	return r == 0 || err_perm(e, "", "trust anchor %s: %s", o->anchor, ub_strerror(r));
}

static bool
set_servers(struct ub_ctx *ctx, const struct dns_options *o, struct err *e)
{
	for (size_t i = 0; o->forward != NULL && o->forward[i] != NULL; i++) {
		int r = ub_ctx_set_fwd(ctx, o->forward[i]);

		if (r != 0)
			return err_perm(e, "", "resolver %s: %s", o->forward[i], ub_strerror(r));
	}
	if (o->root_hints != NULL && access(o->root_hints, R_OK) == -1)
		return err_perm(e, "", "root hints %s: %s", o->root_hints, strerror(errno));
	return o->root_hints == NULL || set(ctx, "root-hints:", o->root_hints, e);
}

static bool
is_private(const struct dns_options *o)
{
	return o->root_hints != NULL || (o->forward != NULL && o->forward[0] != NULL);
}

/* The first of these calls makes libunbound read all files, so it is made in any case, and after the anchors. */
static bool
finish(struct ub_ctx *ctx, const struct dns_options *o, struct err *e)
{
	size_t n = is_private(o) ? sizeof private_zones / sizeof *private_zones : 0;
	int r = ub_ctx_zone_remove(ctx, "no-such-zone.invalid.");

	if (r != 0)
		return err_perm(
		    e, "", "libunbound does not take its files (trust anchor, root hints): %s", ub_strerror(r));
	for (size_t i = 0; i < n; i++)
		ub_ctx_zone_remove(ctx, private_zones[i]);
	return true;
}

struct ub_ctx *
engine_open(struct loop *l, const struct dns_options *o, struct err *e)
{
	struct ub_ctx *ctx = ub_ctx_create_event(loop_base(l));
	bool ok;

	if (ctx == NULL) {
		err_temp(e, "", "libunbound cannot start: %s", strerror(errno));
		return NULL;
	}
	ub_ctx_debugout(ctx, log_stream());
	ok = set_all(ctx, e) && (!is_private(o) || set(ctx, "unblock-lan-zones:", "yes", e)) && set_anchor(ctx, o, e) &&
	     set_servers(ctx, o, e) && finish(ctx, o, e);
	if (ok)
		return ctx;
	ub_ctx_delete(ctx);
	return NULL;
}
