/* table.c - every key and section of postern.conf, one row each.
 *
 * The order is the order in documents and in written configurations. Help texts are plain sentences; they become
 * `config doc` and postern.conf(5) as they stand. */
#include "table.h"

#define AT(field) .at = offsetof(struct conf, field)
#define IN(type, field) .at = offsetof(struct type, field)

enum {
	FRONTS = CONF_SMTP | CONF_IMAP,
	ROUTERS = CONF_RELAY | CONF_QUEUE,
	RESTART = true,
};
#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static const char *const demands[] = { "policy", "none", "may", "encrypt", "verify", "dane", NULL };
static const char *const protocols[] = { "smtp", "smtps", "lmtp", NULL };
static const char *const separators[] = { "/", NULL };
static const char *const tags[] = { "+", "-", "", NULL };
static const char *const formats[] = { "text", "json", NULL };
static const char *const levels[] = { "debug", "info", "warn", "error", NULL };

const struct conf_section conf_sections[] = {
	{ .name = "", .parent = "", .help = "Keys that stand at the top of the file." },
	{ .name = "tls",
	    .parent = "",
	    .help = "The server's certificates. Files are read again when they change; a pair that "
		    "does not fit is refused and the old one stays." },
	{ .name = "server_name",
	    .parent = "tls",
	    .title = &type_server_name,
	    .size = sizeof(struct conf_certificate),
	    AT(tls.named),
	    .help =
		"A certificate for clients that ask for this server name (SNI): a name, or *.domain for any one label. "
		"Stands inside tls, once per name." },
	{ .name = "listen",
	    .parent = "",
	    .help = "Where each service listens: a list of addr:port, [v6]:port and *:port. An empty "
		    "list turns the service off." },
	{ .name = "dns", .parent = "", .help = "Name resolution, with DNSSEC validation of our own." },
	{ .name = "route",
	    .parent = "",
	    .title = &type_match,
	    .size = sizeof(struct conf_route),
	    AT(routes),
	    .help = "How mail for one destination travels: a domain, .domain for its subdomains, or * for everything "
		    "else (a "
		    "smarthost). The most specific route wins. Given once per destination." },
	{ .name = "smtp", .parent = "", .help = "The SMTP and submission services." },
	{ .name = "imap", .parent = "", .help = "The IMAP service." },
	{ .name = "auth", .parent = "", .help = "Accounts and logins." },
	{ .name = "limits", .parent = "", .help = "What one message, client or account may use." },
	{ .name = "store", .parent = "", .help = "The mailboxes." },
	{ .name = "queue", .parent = "", .help = "Mail that waits: for a mailbox, or for another host." },
	{ .name = "relay", .parent = "", .help = "Connections to other hosts." },
	{ .name = "trace", .parent = "", .help = "What `trace' remembers of past messages." },
	{ .name = "log", .parent = "", .help = "The log, on standard error." },
};
const size_t conf_nsections = sizeof(conf_sections) / sizeof(conf_sections[0]);

const struct conf_key conf_keys[] = {
	{ "", "hostname", &type_domain, "", .roles = CONF_ALL, AT(hostname), .rfc = "5321 4.1.4",
	    .help = "The full name of this host: in greetings, in EHLO, in Received lines. Not set: the machine's "
		    "name, if it is "
		    "a full one." },
	{ "", "domains", &type_domains, "", .roles = CONF_AUTH | CONF_SMTP | CONF_QUEUE | CONF_RELAY, AT(domains),
	    .help = "Domains whose mail is delivered here, together with those of `domain add'." },
	{ "", "postmaster", &type_address, "", .roles = CONF_AUTH | CONF_QUEUE, AT(postmaster), .rfc = "5321 4.5.1",
	    .help =
		"Who gets the mail to postmaster, root and abuse of every local domain. Not set: the first account." },
	{ "", "relay_from", &type_networks, "", .roles = CONF_AUTH | FRONTS, AT(relay_from),
	    .help = "Addresses and networks whose hosts may send mail to anywhere without a login. Not set: nobody." },
	{ "", "state", &type_path, "/var/lib/postern", .high = 80, .roles = CONF_ALL, .restart = RESTART, .must = true,
	    AT(state),
	    .help = "The directory of everything that postern writes: mail, queue, accounts, keys, control sockets." },

	{ "tls", "certificate", &type_path, "", .roles = CONF_PARENT | CONF_KEYS | FRONTS, AT(tls.certificate),
	    .help = "The certificate chain for every name without a certificate section of its own: a PEM file, the "
		    "server's "
		    "own first. Not set: a self-signed one is made." },
	{ "tls", "key", &type_path, "", .roles = CONF_PARENT | CONF_KEYS | FRONTS, AT(tls.key),
	    .help = "The private key of the certificate: a PEM file without a passphrase." },

	{ "server_name", "certificate", &type_path, "", .roles = CONF_PARENT | CONF_KEYS | FRONTS,
	    IN(conf_certificate, certificate), .rfc = "6066 3",
	    .help = "The certificate chain for this name: a PEM file." },
	{ "server_name", "key", &type_path, "", .roles = CONF_PARENT | CONF_KEYS | FRONTS, IN(conf_certificate, key),
	    .help = "Its private key: a PEM file without a passphrase." },

	{ "listen", "smtp", &type_listen, "*:25", .roles = CONF_PARENT | CONF_SMTP | CONF_RELAY, .restart = RESTART,
	    AT(listen[SERVICE_SMTP]), .rfc = "5321", .help = "Mail from other hosts." },
	{ "listen", "submission", &type_listen, "*:587", .roles = CONF_PARENT | CONF_SMTP, .restart = RESTART,
	    AT(listen[SERVICE_SUBMISSION]), .rfc = "6409", .help = "Mail from the users' programs, with STARTTLS." },
	{ "listen", "submissions", &type_listen, "*:465", .roles = CONF_PARENT | CONF_SMTP, .restart = RESTART,
	    AT(listen[SERVICE_SUBMISSIONS]), .rfc = "8314 3.3",
	    .help = "Mail from the users' programs, TLS from the start." },
	{ "listen", "imap", &type_listen, "*:143", .roles = CONF_PARENT | CONF_IMAP, .restart = RESTART,
	    AT(listen[SERVICE_IMAP]), .rfc = "9051", .help = "Mailboxes, with STARTTLS." },
	{ "listen", "imaps", &type_listen, "*:993", .roles = CONF_PARENT | CONF_IMAP, .restart = RESTART,
	    AT(listen[SERVICE_IMAPS]), .rfc = "8314 3.2", .help = "Mailboxes, TLS from the start." },

	{ "dns", "trust_anchor", &type_path, "/usr/share/dns/root.key", .roles = CONF_PARENT | CONF_DNS,
	    .restart = RESTART, AT(dns.trust_anchor), .rfc = "5011",
	    .help = "The file with the trust anchor of the root. An empty one turns validation, and with it "
		    "DANE, off." },
	{ "dns", "forward", &type_servers, "", .roles = CONF_DNS, AT(dns.forward),
	    .help = "Resolvers to ask instead of the servers of the root: addresses, with a port if it is not 53. "
		    "Answers are "
		    "validated all the same." },
	{ "dns", "root_hints", &type_path, "", .roles = CONF_PARENT | CONF_DNS, .restart = RESTART, AT(dns.root_hints),
	    .help = "A file with the addresses of root servers, for a private root." },

	{ "route", "to", &type_host, "", .low = 25, .roles = ROUTERS, IN(conf_route, to),
	    .help = "The host that takes the mail, with a port if it is not 25; its MX records are not looked at. Not "
		    "set: the "
		    "MX hosts of the destination." },
	{ "route", "tls", &type_choice, "policy", .choices = demands, .roles = ROUTERS, IN(conf_route, tls), .rfc = "7672",
	    .help = "What is demanded of the connection. policy: what DANE and MTA-STS of the destination ask for, else may. The "
		    "others take the place of these: none: no TLS is tried; may: TLS if the host can; encrypt: TLS "
		    "with any "
		    "certificate; verify: a certificate that chains to the system's authorities for the right name; "
		    "dane: TLSA "
		    "records, without usable ones the mail waits. With a user the default is verify." },
	{ "route", "user", &type_string, "", .high = 255, .roles = ROUTERS, IN(conf_route, user), .rfc = "4954",
	    .help = "The name to log in with at the host of `to', never without TLS." },
	{ "route", "password_file", &type_path, "", .roles = ROUTERS, IN(conf_route, password_file),
	    .help = "The file whose first line is the password of user." },
	{ "route", "names", &type_domains, "", .roles = ROUTERS, IN(conf_route, names), .rfc = "6125 6",
	    .help = "With tls = verify: the certificate names to accept instead of the destination's own." },

	{ "route", "protocol", &type_choice, "smtp", .choices = protocols, .roles = ROUTERS, IN(conf_route, protocol), .rfc = "2033",
	    .help = "What the host of `to' speaks. smtps: TLS from the first byte, as on port 465; lmtp: a delivery agent "
		    "that answers for each recipient." },
	{ "route", "private", &type_bool, "no", .roles = ROUTERS, IN(conf_route, private),
	    .help = "Hosts of this destination may have private or loopback addresses. With `to' they may in any case." },

	{ "smtp", "processes", &type_number, "2", 1, 32, .roles = CONF_PARENT | CONF_SMTP, .restart = RESTART, AT(smtp.processes),
	    .help = "How many processes share the SMTP and submission connections." },
	{ "smtp", "hide_client", &type_bool, "yes", .roles = CONF_SMTP, AT(smtp.hide_client),
	    .help = "Leave the client's address out of the Received line of submitted mail." },

	{ "imap", "processes", &type_number, "2", 1, 32, .roles = CONF_PARENT | CONF_IMAP, .restart = RESTART, AT(imap.processes),
	    .help = "How many processes share the IMAP connections." },
	{ "imap", "compress", &type_bool, "no", .roles = CONF_STORE, AT(imap.compress), .rfc = "4978",
	    .help = "Offer COMPRESS=DEFLATE: less to send, 100 KiB more memory for each client that uses it. Lengths then tell "
		    "something of the content to whoever watches the line and can send the user mail." },
	{ "imap", "accept_8bit", &type_bool, "yes", .roles = CONF_STORE, AT(imap.accept_8bit), .rfc = "9755",
	    .help = "Let clients that did not say ENABLE UTF8=ACCEPT append messages with 8-bit header fields. The RFC wants them "
		    "refused, but then old mail with such fields could not be moved here." },
	{ "imap", "unauthenticate", &type_bool, "yes", .roles = CONF_STORE, AT(imap.unauthenticate), .rfc = "8437",
	    .help = "Offer UNAUTHENTICATE: a client may log in as somebody else on the same connection." },
	{ "imap", "shared", &type_bool, "no", .roles = CONF_PARENT | CONF_STORE, .restart = RESTART, AT(imap.shared), .rfc = "4314",
	    .help = "Show users the mailboxes that others have shared with them by access rights (SETACL), below Users/ and the owner's "
		    "address. Takes one store process for all users: store.processes is then 1." },
	{ "imap", "shared_owner", &type_address, "", .roles = CONF_STORE, AT(imap.shared_owner), .rfc = "2342",
	    .help = "An account whose mailboxes belong to nobody in particular: what it shares is shown below Shared/ instead of below "
		    "Users/. Who may do what there is for whoever logs in to it to say. Needs imap.shared." },
	{ "imap", "comment", &type_string, "", .high = 1000, .roles = CONF_STORE, AT(imap.comment), .rfc = "5464",
	    .help = "What every user finds as /shared/comment of the server, by IMAP's METADATA." },
	{ "imap", "search_index", &type_bool, "yes", .roles = CONF_STORE, .restart = RESTART, AT(imap.search_index),
	    .help = "Keep an index of all texts of a mailbox from the first search for words on: searching gets faster the "
		    "larger the mailbox is. It takes about a seventh of the space of the mail that is searched." },
	{ "imap", "message_limit", &type_number, "0", 0, 1000 * 1000 * 1000, .roles = CONF_STORE, AT(imap.message_limit), .rfc = "9738",
	    .help = "How many messages one command may be about: SEARCH, FETCH, STORE and MOVE then work on the last of them, COPY and "
		    "THREAD of more are refused. 0: any number, which is right unless all clients know MESSAGELIMIT, for others miss "
		    "what is beyond it. Otherwise at least 1000." },
	{ "imap", "save_limit", &type_number, "0", 0, 1000 * 1000 * 1000, .roles = CONF_STORE, AT(imap.save_limit), .rfc = "9738",
	    .help = "The same for COPY and APPEND only. 0: any number, else at least 1000; not beside message_limit." },
	{ "imap", "separator", &type_letter, "/", .choices = separators, .roles = CONF_IMAP | CONF_STORE,
	    AT(imap.separator), .help = "Between the levels of mailbox names, as clients see them. There is no other: a dot is a character of names." },

	{ "auth", "scram", &type_bool, "yes", .roles = CONF_AUTH, AT(auth.scram), .rfc = "5802",
	    .help = "Keep SCRAM-SHA-256 keys of new passwords. They let clients log in without sending the password, "
		    "and are "
		    "cheaper to guess from than the hash for whoever steals the accounts." },
	{ "auth", "tag", &type_letter, "+", .choices = tags, .roles = CONF_AUTH, AT(auth.tag), .rfc = "5233",
	    .help = "What starts a tag: mail to local+tag is for local. Empty: no tags." },
	{ "auth", "hash_passes", &type_number, "2", 1, 16, .roles = CONF_AUTH, AT(auth.hash_passes), .rfc = "9106 3.1",
	    .help = "Passes of argon2id over its memory. Older hashes are renewed at the next login." },
	{ "auth", "hash_memory", &type_size, "19M", 8 * KIB, GIB, .roles = CONF_AUTH, AT(auth.hash_memory),
	    .rfc = "9106 3.1", .help = "Memory of one argon2id hash." },
	{ "auth", "hash_threads", &type_number, "2", 1, 64, .roles = CONF_AUTH, .restart = RESTART,
	    AT(auth.hash_threads), .help = "How many passwords are hashed at the same time." },
	{ "auth", "hash_wait", &type_time, "5s", SECOND, MINUTE, .roles = CONF_AUTH, AT(auth.hash_wait_ms),
	    .help = "A login that would wait longer than this for its turn is told to come later." },
	{ "auth", "cache", &type_time, "1m", 0, HOUR, .roles = CONF_AUTH, AT(auth.cache_ms),
	    .help = "How long a right password is not hashed again. 0s: it always is." },

	{ "limits", "message_size", &type_size, "50M", 64 * KIB, 2 * GIB, .roles = FRONTS | CONF_STORE | CONF_QUEUE,
	    AT(limits.message_size), .rfc = "1870", .help = "The largest message, in SMTP and in IMAP APPEND." },
	{ "limits", "recipients", &type_number, "1000", 100, 5000, .roles = CONF_SMTP, AT(limits.recipients),
	    .rfc = "5321 4.5.3.1.8", .help = "Recipients of one message." },
	{ "limits", "connections", &type_number, "2000", 1, 100000, .roles = CONF_PARENT | FRONTS,
	    AT(limits.connections), .help = "Connections of each service at once, all clients together." },
	{ "limits", "connections_per_source", &type_number, "50", 1, 100000, .roles = CONF_PARENT | FRONTS,
	    AT(limits.connections_per_source),
	    .help = "Connections of each service at once from one IPv4 address or one IPv6 /64." },
	{ "limits", "sessions_per_user", &type_number, "50", 1, 10000, .roles = CONF_IMAP | CONF_STORE,
	    AT(limits.sessions_per_user), .help = "IMAP sessions of one account at once." },
	{ "limits", "errors", &type_number, "20", 1, 1000, .roles = FRONTS | CONF_STORE, AT(limits.errors),
	    .help = "Wrong commands after which a connection is ended." },
	{ "limits", "hops", &type_number, "100", 25, 1000, .roles = CONF_SMTP, AT(limits.hops), .rfc = "5321 6.3",
	    .help = "Received lines in a message after which it is taken to run in a circle." },
	{ "limits", "handshake", &type_time, "30s", SECOND, 5 * MINUTE, .roles = FRONTS, AT(limits.handshake_ms),
	    .help = "How long a TLS handshake may take." },
	{ "limits", "login", &type_time, "1m", SECOND, HOUR, .roles = FRONTS, AT(limits.login_ms),
	    .help = "How long a client of IMAP or submission may take until it is logged in." },
	{ "limits", "smtp_timeout", &type_time, "5m", SECOND, HOUR, .roles = CONF_SMTP, AT(limits.smtp_ms),
	    .rfc = "5321 4.5.3.2.7",
	    .help = "Silence after which an SMTP connection is ended; less while there are many." },
	{ "limits", "imap_timeout", &type_time, "30m", SECOND, 24 * HOUR, .roles = CONF_IMAP | CONF_STORE,
	    AT(limits.imap_ms), .rfc = "9051 5.4",
	    .help = "Silence after which a logged-in IMAP client is logged out. RFC 9051 wants 30 minutes at least." },
	{ "limits", "quota", &type_size, "0", 0, 1024 * 1024 * GIB, .roles = CONF_AUTH | CONF_STORE, AT(limits.quota),
	    .rfc = "9208", .help = "Space of an account without a quota of its own. 0: as much as there is." },
	{ "limits", "disk_reserve", &type_size, "256M", 0, 1024 * GIB, .roles = CONF_SMTP | CONF_STORE | CONF_QUEUE,
	    AT(limits.disk_reserve),
	    .help = "Disk space that stays free: below it mail is told to come later, while users can "
		    "still delete." },
	{ "limits", "hung", &type_time, "2m", 0, HOUR, .roles = CONF_PARENT, AT(limits.hung_ms),
	    .help = "A process of the server that does nothing for so long, not even answer the server's own question, is killed and "
		    "started again; one that computes without answering has ten times as long. 0s: never." },

	{ "store", "processes", &type_number, "0", 0, 32, .roles = CONF_PARENT | CONF_AUTH | CONF_IMAP | CONF_QUEUE,
	    .restart = RESTART, AT(store.processes),
	    .help = "How many processes share the mailboxes; each user belongs to one. 0: half as many as the machine has "
		    "processors, at least one." },

	{ "queue", "retry_first", &type_time, "2m", SECOND, HOUR, .roles = CONF_QUEUE, AT(queue.retry_first_ms), .rfc = "5321 4.5.4.1",
	    .help = "When mail that another host did not take is tried again for the first time; the pause doubles each time." },
	{ "queue", "retry_last", &type_time, "1h", SECOND, 24 * HOUR, .roles = CONF_QUEUE, AT(queue.retry_last_ms), .rfc = "5321 4.5.4.1",
	    .help = "The longest pause between two tries." },
	{ "queue", "warn", &type_time, "4h", SECOND, 30 * 24 * HOUR, .roles = CONF_QUEUE, AT(queue.warn_ms), .rfc = "3461 4.1",
	    .help = "After how long the sender is told that a message is delayed." },
	{ "queue", "expire", &type_time, "5d", SECOND, 60 * 24 * HOUR, .roles = CONF_QUEUE, AT(queue.expire_ms), .rfc = "5321 4.5.4.1",
	    .help = "After how long a message that cannot be delivered is returned." },

	{ "relay", "processes", &type_number, "1", 1, 32, .roles = CONF_PARENT | CONF_QUEUE | CONF_RELAY, .restart = RESTART,
	    AT(relay.processes), .help = "How many processes share the connections to other hosts." },
	{ "relay", "connections", &type_number, "400", 1, 10000, .roles = CONF_QUEUE | CONF_RELAY, AT(relay.connections),
	    .help = "Connections to other hosts at once." },
	{ "relay", "connections_per_destination", &type_number, "20", 1, 1000, .roles = CONF_QUEUE | CONF_RELAY,
	    AT(relay.connections_per_destination),
	    .help = "Connections to one destination at once. A few are used at first, more as they succeed." },
	{ "relay", "connect_timeout", &type_time, "30s", SECOND, 10 * MINUTE, .roles = CONF_RELAY, AT(relay.connect_ms),
	    .help = "How long a host may take to answer a connection." },
	{ "relay", "source", &type_sources, "", .roles = CONF_RELAY, AT(relay.source),
	    .help = "The addresses of this machine that connections to other hosts come from: the first of each family counts. "
		    "Not set: the system chooses." },
	{ "relay", "plain_after", &type_number, "1", 0, 1000, .roles = CONF_RELAY, AT(relay.plain_after), .rfc = "7435",
	    .help = "After how many failed TLS handshakes with a destination that demands no TLS its mail goes without: 1 at "
		    "once, 0 never." },
	{ "relay", "ca_file", &type_path, "/etc/ssl/certs/ca-certificates.crt", .roles = CONF_PARENT | CONF_RELAY | CONF_FETCH,
	    .restart = RESTART, AT(relay.ca_file),
	    .help = "The authorities that tls = verify and MTA-STS trust: a PEM file." },
	{ "relay", "client_certificate", &type_bool, "no", .roles = CONF_PARENT | CONF_KEYS | CONF_RELAY, AT(relay.client_certificate),
	    .help = "Show tls.certificate to hosts that ask for one." },

	{ "trace", "days", &type_number, "7", 1, 366, .roles = CONF_LOG, AT(trace.days),
	    .help = "How many days back `trace' can see." },
	{ "trace", "size", &type_size, "256M", MIB, 1024 * GIB, .roles = CONF_LOG, AT(trace.size),
	    .help = "And how much disk that may take: the oldest goes first." },

	{ "log", "format", &type_choice, "text", .choices = formats, .roles = CONF_ALL, AT(log.format),
	    .help = "How a line looks." },
	{ "log", "level", &type_choice, "info", .choices = levels, .roles = CONF_ALL, AT(log.level),
	    .help = "The lowest level that is written." },
};
const size_t conf_nkeys = sizeof(conf_keys) / sizeof(conf_keys[0]);

_Static_assert(
    sizeof(conf_keys) / sizeof(conf_keys[0]) <= sizeof(((struct conf_changes *)0)->v) / sizeof(struct conf_change),
    "struct conf_changes has room for every key");

const struct conf_key *
conf_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, section) == 0 && strcmp(conf_keys[i].name, name) == 0)
			return &conf_keys[i];
	return NULL;
}

const struct conf_section *
conf_section_find(const char *name)
{
	for (size_t i = 0; i < conf_nsections; i++)
		if (strcmp(conf_sections[i].name, name) == 0)
			return &conf_sections[i];
	return NULL;
}

void
conf_key_write(const struct conf_key *k, struct buf *out)
{
	if (*k->section != '\0')
		buf_addf(out, "%s.", k->section);
	buf_add_cstr(out, k->name);
}
