/* table.c - the roles and who talks to whom. */
#include "table.h"

#include "roles.h"

static unsigned
one(const struct conf *conf)
{
	(void)conf;
	return 1;
}

static unsigned
smtp_count(const struct conf *conf)
{
	return conf->smtp.processes;
}

static unsigned
imap_count(const struct conf *conf)
{
	return conf->imap.processes;
}

static unsigned
relay_processes(const struct conf *conf)
{
	return conf->relay.processes;
}

static unsigned
store_count(const struct conf *conf)
{
	return conf->store.processes;
}

/* In the order of starting: who is asked before who asks. */
static const struct role_row rows[] = {
	{ ROLE_LOG, CONF_LOG, "_postern-log", "trace", CALLS_FILES, one, false, &log_ops, DRAIN_LAST },
	{ ROLE_KEYS, CONF_KEYS, "_postern-key", NULL, 0, one, false, &keys_ops, 2 },
	{ ROLE_DNS, CONF_DNS, "_postern-dns", "dns", CALLS_FILES | CALLS_NETWORK, one, false, &dns_ops, 2 },
	{ ROLE_FETCH, CONF_FETCH, "_postern-net", NULL, CALLS_NETWORK, one, false, &fetch_ops, 2 },
	{ ROLE_AUTH, CONF_AUTH, "_postern-auth", "auth", CALLS_FILES | CALLS_THREADS, one, false, &auth_ops, 2 },
	{ ROLE_STORE, CONF_STORE, "_postern-mail", "mail", CALLS_FILES | CALLS_THREADS, store_count, true, &store_ops, 2 },
	{ ROLE_RELAY, CONF_RELAY, "_postern-net", NULL, CALLS_NETWORK, relay_processes, true, &relay_ops, 1 },
	{ ROLE_QUEUE, CONF_QUEUE, "_postern-queue", "queue", CALLS_FILES | CALLS_THREADS, one, false, &queue_ops, 1 },
	{ ROLE_SMTP, CONF_SMTP, "_postern-net", NULL, CALLS_ACCEPT, smtp_count, true, &smtp_ops, 0 },
	{ ROLE_IMAP, CONF_IMAP, "_postern-net", NULL, CALLS_ACCEPT, imap_count, true, &imap_ops, 0 },
};

const struct role_row *
role_row(unsigned role)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].role == role)
			return &rows[i];
	return NULL;
}

const struct role_row *
role_row_next(const struct role_row *r)
{
	if (r == NULL)
		return rows;
	return r + 1 < rows + sizeof rows / sizeof *rows ? r + 1 : NULL;
}

enum log_level
role_log_level(unsigned role, const struct conf *conf)
{
	return role == ROLE_LOG || conf->log.level < LEVEL_INFO ? conf->log.level : LEVEL_INFO;
}

const struct role_link role_links[] = {
	{ ROLE_SMTP, ROLE_AUTH, false },
	{ ROLE_SMTP, ROLE_QUEUE, false },
	{ ROLE_SMTP, ROLE_KEYS, false },
	{ ROLE_SMTP, ROLE_KEYS, true },
	{ ROLE_IMAP, ROLE_AUTH, false },
	{ ROLE_IMAP, ROLE_STORE, false },
	{ ROLE_IMAP, ROLE_KEYS, false },
	{ ROLE_IMAP, ROLE_KEYS, true },
	{ ROLE_QUEUE, ROLE_AUTH, false },
	{ ROLE_QUEUE, ROLE_STORE, false },
	{ ROLE_QUEUE, ROLE_DNS, false },
	{ ROLE_QUEUE, ROLE_FETCH, false },
	{ ROLE_FETCH, ROLE_DNS, false },
	{ ROLE_QUEUE, ROLE_RELAY, false },
	{ ROLE_RELAY, ROLE_DNS, false },
	{ ROLE_RELAY, ROLE_KEYS, false },
	{ ROLE_RELAY, ROLE_KEYS, true },
	{ ROLE_AUTH, ROLE_STORE, false },
};
const size_t role_nlinks = sizeof role_links / sizeof *role_links;
