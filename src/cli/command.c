/* command.c - the table of commands. */
#include "command.h"

#include "account.h"
#include "ask.h"
#include "check.h"
#include "config.h"
#include "init.h"
#include "probe.h"
#include "records.h"
#include "sendmail.h"
#include "server.h"
#include "trace.h"

#define JSON ALLOW(OPT_JSON)
#define SECRET (ALLOW(OPT_PASSWORD_STDIN) | ALLOW(OPT_HASH_STDIN))
#define CHOOSE (ALLOW(OPT_ALL) | ALLOW(OPT_TO) | JSON)

enum { MANY = 400, IDS_MAX = 1000, SENDMAIL_WORDS = 100000 };

const struct cli_command cli_commands[] = {
	{ "serve", NULL, "", 0, 0, 0, do_server_serve,
	    "run the server in the foreground; the log goes to standard error", NULL, NULL },
	{ "reload", NULL, "", 0, 0, 0, cli_run_asked, "read the configuration again, as SIGHUP does", &cli_parent,
	    NULL },
	{ "stop", NULL, "", 0, 0, 0, do_server_stop, "end the server as SIGTERM does, and wait for it", &cli_parent,
	    NULL },
	{ "status", NULL, "", 0, 0, JSON | ALLOW(OPT_HEALTH), do_server_status, "show processes and counts", NULL,
	    NULL },

	{ "init", NULL, "ADDRESS", 1, 1, ALLOW(OPT_PASSWORD_STDIN), init_run,
	    "make a working site: configuration, keys, first account; print the DNS records", NULL, NULL },
	{ "config", "check", "", 0, 0, JSON, do_config_check, "say whether the configuration is right", NULL, NULL },
	{ "config", "show", "", 0, 0, JSON, do_config_show, "show what is in force and where it comes from", NULL,
	    NULL },
	{ "config", "doc", "", 0, 0, JSON | ALLOW(OPT_MAN), do_config_doc, "explain every key", NULL, NULL },

	{ "user", "add", "ADDRESS", 1, 1, ALLOW(OPT_QUOTA) | SECRET, do_user_add, "add an account", NULL, NULL },
	{ "user", "del", "ADDRESS", 1, 1, 0, cli_run_asked, "delete an account; its mail stays where it is", &cli_auth,
	    NULL },
	{ "user", "list", "", 0, 0, JSON, cli_run_asked, "list the accounts", &cli_auth, &show_users },
	{ "user", "show", "ADDRESS", 1, 1, JSON, cli_run_asked, "show one account", &cli_auth, &show_user },
	{ "user", "passwd", "ADDRESS", 1, 1, SECRET, do_user_passwd, "set a password", NULL, NULL },
	{ "user", "quota", "ADDRESS SIZE|none|default", 2, 2, 0, do_user_quota, "set how much mail an account may keep",
	    NULL, NULL },
	{ "user", "disable", "ADDRESS", 1, 1, 0, cli_run_asked, "refuse logins; mail still arrives", &cli_auth, NULL },
	{ "user", "enable", "ADDRESS", 1, 1, 0, cli_run_asked, "allow logins again", &cli_auth, NULL },
	{ "user", "check", "ADDRESS", 1, 1, ALLOW(OPT_PASSWORD_STDIN), do_user_check, "try a login", NULL, NULL },

	{ "alias", "add", "ALIAS TARGET… [+SENDER…]", 2, MANY, 0, cli_run_asked,
	    "let mail for ALIAS (@DOMAIN: for all others there) go to TARGET…", &cli_auth, NULL },
	{ "alias", "del", "ALIAS", 1, 1, 0, cli_run_asked, "delete an alias", &cli_auth, NULL },
	{ "alias", "list", "", 0, 0, JSON, cli_run_asked, "list the aliases", &cli_auth, &show_aliases },

	{ "domain", "add", "DOMAIN", 1, 1, 0, cli_run_asked, "take mail for a domain", &cli_auth, NULL },
	{ "domain", "del", "DOMAIN", 1, 1, 0, do_domain_del, "take no more mail for a domain", &cli_auth, NULL },
	{ "domain", "list", "", 0, 0, JSON, cli_run_asked, "list the domains", &cli_auth, &show_domains },

	{ "explain", NULL, "ADDRESS", 1, 1, JSON, cli_run_asked, "say what RCPT would do with an address, and why",
	    &cli_auth, &show_explained },

	{ "queue", "list", "", 0, 0, JSON, do_queue_list, "list what waits", NULL, NULL },
	{ "queue", "show", "ID", 1, 1, JSON, do_queue_show, "show one message of the queue", NULL, NULL },
	{ "queue", "retry", "ID…|--all|--to DOMAIN", 0, IDS_MAX, CHOOSE, do_queue_act, "try messages now", NULL, NULL },
	{ "queue", "hold", "ID…|--all|--to DOMAIN", 0, IDS_MAX, CHOOSE, do_queue_act, "let messages wait", NULL, NULL },
	{ "queue", "release", "ID…|--all|--to DOMAIN", 0, IDS_MAX, CHOOSE, do_queue_act, "let messages go on", NULL,
	    NULL },
	{ "queue", "delete", "ID…|--all|--to DOMAIN", 0, IDS_MAX, CHOOSE, do_queue_act,
	    "delete messages without a bounce", NULL, NULL },
	{ "queue", "reroute", "ID…|--all|--to DOMAIN HOST[:PORT]|-", 1, IDS_MAX + 1, CHOOSE, do_queue_reroute,
	    "send messages to another host; -: where they belong", NULL, NULL },

	{ "trace", NULL, "ID|ADDRESS|MESSAGE-ID|@DOMAIN", 1, 1, JSON | ALLOW(OPT_DAYS), do_trace,
	    "tell the life of messages: taken, delayed, delivered, given up, refused, and why", NULL, NULL },

	{ "session", "list", "", 0, 0, JSON, do_session_list, "show who is connected", NULL, &show_sessions },
	{ "session", "end", "ID|ADDRESS", 1, 1, 0, do_session_end, "end a session, or all sessions of an account", NULL,
	    NULL },
	{ "mailbox", "list", "ADDRESS", 1, 1, JSON, do_store_run, "list folders with counts", NULL, &show_mailboxes },
	{ "store", "check", "ADDRESS", 1, 1, JSON, do_store_run, "compare index and Maildir", NULL, &show_store },
	{ "store", "rebuild", "ADDRESS", 1, 1, JSON, do_store_run, "make the index anew from the Maildir", NULL,
	    &show_store },
	{ "store", "stat", "ADDRESS", 1, 1, JSON, do_store_run, "show what the store holds of a user", NULL,
	    &show_store },

	{ "tls", "show", "[DOMAIN]", 0, 1, JSON, do_tls_show,
	    "show what is known of destinations: TLS wanted and got, fallbacks, MTA-STS, counts for reports", NULL,
	    NULL },
	{ "tls", "probe", "HOST[:PORT]", 1, 1, JSON, do_tls_probe,
	    "look at a mail server's TLS from outside: findings and a grade", NULL, NULL },
	{ "dns", "lookup", "TYPE NAME", 2, 2, JSON, cli_run_asked,
	    "look a name up as the server does: records and whether DNSSEC proves them", &cli_dns, &show_lookup },
	{ "dns", "records", "", 0, 0, 0, do_dns_records, "print the DNS records to publish", NULL, NULL },
	{ "dns", "check", "[DOMAIN…]", 0, MANY, JSON, do_dns_check,
	    "compare what is published with what should be: findings, and the lines that mend them", NULL, NULL },
	{ "sendmail", NULL, "[-t] [-i] [-f ADDRESS] [-bs|-bp] [ADDRESS…]", 0, SENDMAIL_WORDS, 0, sendmail_run,
	    "take a message from a program on this box", NULL, NULL },
	{ "version", NULL, "", 0, 0, JSON, version_show, "show the version of postern and of its libraries", NULL,
	    NULL },
	{ .noun = NULL },
};
