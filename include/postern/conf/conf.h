/* conf.h - the configuration: one file in, one immutable snapshot of typed values out.
 *
 * Every key is a row of one table (src/conf/table.c): section, name, type, default, range, help, which roles need it
 * and whether a change needs a restart. Parsing, `config check/show/doc`, postern.conf(5) and the part that each role
 * gets come from these rows.
 *
 * A snapshot never changes. It is reference counted; a session keeps the one it began with. References are taken and
 * given back in the loop thread only. Each str in it is NUL-terminated, so .p is a C string; "" means not set. */
#ifndef POSTERN_CONF_CONF_H
#define POSTERN_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <postern/core/buf.h>
#include <postern/core/log.h>
#include <postern/core/str.h>

/* Roles as bits, for the keys each one needs. */
enum conf_role {
	CONF_PARENT = 1 << 0,
	CONF_KEYS = 1 << 1,
	CONF_DNS = 1 << 2,
	CONF_FETCH = 1 << 3,
	CONF_LOG = 1 << 4,
	CONF_AUTH = 1 << 5,
	CONF_SMTP = 1 << 6,
	CONF_IMAP = 1 << 7,
	CONF_QUEUE = 1 << 8,
	CONF_RELAY = 1 << 9,
	CONF_STORE = 1 << 10,
	CONF_ALL = (1 << 11) - 1,
};

struct conf_strs {
	const struct str *v;
	size_t n;
};

/* A place to listen at, or a server to ask. */
struct conf_addr {
	struct str text;            /* as written, normalised */
	struct sockaddr_storage sa; /* AF_INET or AF_INET6 */
	bool any;                   /* "*:port": both families, all addresses; sa is [::]:port */
};
struct conf_addrs {
	const struct conf_addr *v;
	size_t n;
};

/* 192.0.2.0/24 or 2001:db8::/32; IPv4 is held as ::ffff:a.b.c.d with 96 more bits. */
struct conf_net {
	uint8_t addr[16];
	unsigned bits;
};
struct conf_nets {
	const struct conf_net *v;
	size_t n;
};

/* A chain and its key for one server name (RFC 6066 3): "mail.example.test", or "*.example.test" for any one label. */
struct conf_certificate {
	struct str name;
	struct str certificate; /* PEM file, the server's own first */
	struct str key;         /* PEM file */
};
struct conf_certificates {
	const struct conf_certificate *v;
	size_t n;
};
struct conf_tls {
	struct str certificate; /* for every name without one of its own; not set: a self-signed one is made */
	struct str key;
	struct conf_certificates named;
};

enum conf_service { SERVICE_SMTP, SERVICE_SUBMISSION, SERVICE_SUBMISSIONS, SERVICE_IMAP, SERVICE_IMAPS, SERVICE_COUNT };

struct conf_dns {
	struct str trust_anchor;
	struct conf_addrs forward; /* not set: full recursion from the root; port 53 unless given */
	struct str root_hints;
};

/* In the order of strictness; what each demands is told in postern.conf(5). POLICY: the operator demands nothing, DANE
 * and MTA-STS of the destination decide. */
enum conf_demand { DEMAND_POLICY, DEMAND_NONE, DEMAND_MAY, DEMAND_ENCRYPT, DEMAND_VERIFY, DEMAND_DANE };

/* "relay.example:587", "192.0.2.1:25", "[2001:db8::1]:25". */
struct conf_host {
	struct str name; /* a domain or an address without brackets */
	uint16_t port;
};

enum conf_protocol { PROTOCOL_SMTP, PROTOCOL_SMTPS, PROTOCOL_LMTP };

struct conf_route {
	struct str match;          /* "example.net", ".sub.example" (its subdomains), "*" (everything else) */
	struct conf_host to;       /* name not set: the MX hosts of the destination */
	enum conf_demand tls;
	struct str user;           /* with user and password_file: log in there, never without TLS */
	struct str password_file;
	struct conf_strs names;    /* with tls = verify: the certificate names to accept instead of the destination's */
	enum conf_protocol protocol; /* with to */
	bool private;              /* its hosts may have private addresses; with to they may in any case */
};
struct conf_routes {
	const struct conf_route *v;
	size_t n;
};

struct conf_smtp {
	unsigned processes;
	bool hide_client; /* no client address in the Received line of submitted mail */
};

struct conf_imap {
	unsigned processes;
	bool compress;  /* COMPRESS=DEFLATE is offered; RFC 4978 */
	bool accept_8bit; /* header fields of APPEND; RFC 9755 4 */
	bool unauthenticate; /* UNAUTHENTICATE is offered; RFC 8437 */
	bool shared;    /* mailboxes of others are offered; one store process */
	struct str shared_owner; /* whose are shown below Shared/; empty: nobody's */
	struct str comment; /* /shared/comment of the server; RFC 5464 */
	bool search_index; /* texts are indexed for SEARCH */
	unsigned message_limit; /* messages one command may be about; RFC 9738, 0: any number */
	unsigned save_limit;    /* the same for COPY and APPEND only */
	char separator; /* between the levels of mailbox names: '/' or '.' */
};

struct conf_auth {
	bool scram;            /* keep SCRAM-SHA-256 keys beside the password hash */
	char tag;              /* local+tag@domain reaches local@domain; 0: no tags */
	unsigned hash_passes;  /* argon2id, RFC 9106 3.1 */
	uint64_t hash_memory;  /* bytes */
	unsigned hash_threads; /* logins hashed at the same time */
	int64_t hash_wait_ms;  /* a login that would wait longer for its turn is told to come later */
	int64_t cache_ms;      /* a right password is not hashed again for so long; 0: always */
};

struct conf_limits {
	uint64_t message_size;          /* bytes, SMTP SIZE and IMAP APPEND alike */
	unsigned recipients;            /* of one message */
	unsigned connections;           /* at once, of each service, all sources together */
	unsigned connections_per_source; /* at once, of each service, per IPv4 address or IPv6 /64 */
	unsigned sessions_per_user;     /* IMAP sessions of one account at once */
	unsigned errors;                /* wrong commands until an SMTP or IMAP connection is ended */
	unsigned hops;                  /* Received lines until mail is taken to run in a circle; RFC 5321 6.3 */
	int64_t handshake_ms;           /* TLS handshake */
	int64_t login_ms;               /* from connecting until login, IMAP and submission */
	int64_t smtp_ms;                /* silence in an SMTP session; RFC 5321 4.5.3.2.7 */
	int64_t imap_ms;                /* silence of a logged-in IMAP client; RFC 9051 5.4 */
	uint64_t quota;                 /* bytes of an account without a quota of its own; 0: none */
	uint64_t disk_reserve;          /* bytes that stay free: mail is answered 452 below */
	int64_t hung_ms;                /* a process that does nothing for so long is killed; 0: never */
};

struct conf_store {
	unsigned processes;
};

struct conf_queue {
	int64_t retry_first_ms; /* after the first failure with a host elsewhere; doubled each time */
	int64_t retry_last_ms;  /* up to this */
	int64_t warn_ms;        /* the sender is told that mail is delayed */
	int64_t expire_ms;      /* and that it is given up */
};

struct conf_relay {
	unsigned processes;
	unsigned connections;                 /* at once, to all hosts together */
	unsigned connections_per_destination;
	int64_t connect_ms;                   /* until a host must have answered a connection */
	struct conf_addrs source;             /* ports 0; not set: the kernel chooses */
	unsigned plain_after; /* failed handshakes with a destination that demands nothing until plain text; 0: never */
	struct str ca_file;   /* whom tls = verify and MTA-STS trust */
	bool client_certificate; /* tls.certificate is shown to hosts that ask for one */
};

struct conf_trace {
	unsigned days;
	uint64_t size; /* bytes on disk */
};

struct conf_log {
	enum log_format format;
	enum log_level level;
};

struct conf_own; /* references, memory and origins; private to src/conf */

struct conf {
	struct str hostname;         /* A-labels, lower case */
	struct conf_strs domains;    /* A-labels, lower case; the directory holds more */
	struct str postmaster;       /* canonical address */
	struct conf_nets relay_from;
	struct str state;            /* absolute path without a slash at the end */
	struct conf_tls tls;
	struct conf_addrs listen[SERVICE_COUNT];
	struct conf_dns dns;
	struct conf_routes routes;
	struct conf_smtp smtp;
	struct conf_imap imap;
	struct conf_auth auth;
	struct conf_limits limits;
	struct conf_store store;
	struct conf_queue queue;
	struct conf_relay relay;
	struct conf_trace trace;
	struct conf_log log;
	struct conf_own *own;
};

/* What is wrong with a file, all of it, in the order of lines: "file:line: what, remedy". */
struct conf_error {
	unsigned line; /* 0: the file as a whole */
	char *text;    /* without the file:line before it */
};
struct conf_errors {
	char *file;
	struct conf_error *v;
	size_t n;
};
void conf_errors_init(struct conf_errors *e);
void conf_errors_fini(struct conf_errors *e);
/* One line each, with the newline. */
void conf_errors_write(const struct conf_errors *e, struct buf *out);

enum { CONF_FILE_MAX = 1024 * 1024 };

/* A snapshot with one reference, or NULL with at least one error in e (initialised by the caller). file is the name
 * for messages. Environment variables and include files are never looked at; the one thing taken from outside is the
 * machine's name, when hostname is not set. */
struct conf *conf_parse(struct str text, const char *file, struct conf_errors *e);
/* The same for a file, at most CONF_FILE_MAX bytes. */
struct conf *conf_load(const char *path, struct conf_errors *e);

/* Adds an error for each file that the configuration names and that cannot be read here and now. */
void conf_check_files(const struct conf *c, struct conf_errors *e);

/* Another reference to the same snapshot. */
const struct conf *conf_ref(const struct conf *c);
/* Gives one reference back; the last frees it. NULL is allowed. */
void conf_unref(const struct conf *c);

/* Adds the keys that any of the roles (bits) needs, every one with its value, as text that conf_parse takes:
 * how the parent hands a role its part. The same text for equal configurations. */
void conf_write_part(const struct conf *c, unsigned roles, struct buf *out);

/* One key whose value differs between two snapshots. */
struct conf_change {
	char key[48];    /* "limits.message_size"; "route" for anything in those sections */
	unsigned line;   /* where the new one has it; 0: nowhere, or in several places */
	bool restart;    /* cannot be changed while the server runs */
	unsigned roles;  /* who needs the new value */
};
struct conf_changes {
	struct conf_change v[80];
	size_t n;
};
/* What differs, in the order of the table. */
void conf_diff(const struct conf *before, const struct conf *after, struct conf_changes *out);

/* True if the address (AF_INET, AF_INET6, also v4-mapped) lies in one of the networks. */
bool conf_nets_has(const struct conf_nets *nets, const struct sockaddr *sa);

/* The file of the snapshot, and the line in it that sets a key (section "" is the top), or entry number item of its
 * list (0 for others). 0: the default is in force. A role's part has lines of its own: ask where the file was read. */
const char *conf_file(const struct conf *c);
unsigned conf_item_line(const struct conf *c, const char *section, const char *name, size_t item);

/* A size as the file may have it: "50M", "1000". */
bool conf_parse_size(struct str word, uint64_t *bytes);

/* "smtp", "submission", … as in the listen section. */
const char *conf_service_name(enum conf_service service);

/* Texts made from the table. doc: every key with meaning, type, default; man: postern.conf(5) in mdoc.
 * show: what is in force and where each value comes from. */
enum conf_style { CONF_TEXT, CONF_JSON };
void conf_doc(enum conf_style style, struct buf *out);
void conf_doc_man(struct buf *out);
void conf_show(const struct conf *c, enum conf_style style, struct buf *out);

#endif
