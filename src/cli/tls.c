/* tls.c - `postern tls show': what is known of the destinations of mail. */
#include <postern/ipc/ipc.h>

#include "server.h"

static const struct cli_column list_columns[] = {
	{ "destination", "destination", AS_TEXT },
	{ "tls_wanted", "wanted", AS_TEXT },
	{ "tls_got", "got", AS_TEXT },
	{ "host", "host", AS_TEXT },
	{ "at", "last", AS_TEXT },
	{ "plain_at", "last plain text", AS_TEXT },
	{ "sts_mode", "MTA-STS", AS_TEXT },
	{ "rest_until", "rests until", AS_TEXT },
	{ "reason", "because", AS_TEXT },
	{ .key = NULL },
};

static const struct cli_column fields[] = {
	{ "destination", "destination", AS_TEXT },
	{ "mail", "mail waits", AS_YES },
	{ "jobs", "under way", AS_NUMBER },
	{ "rest_until", "rests until", AS_TEXT },
	{ "status", "because", AS_TEXT },
	{ "reason", "", AS_TEXT },
	{ "at", "last TLS", AS_TEXT },
	{ "host", "host", AS_TEXT },
	{ "ip", "address", AS_TEXT },
	{ "tls_wanted", "wanted", AS_TEXT },
	{ "tls_got", "got", AS_TEXT },
	{ "tls_why", "why", AS_TEXT },
	{ "plain", "fell back to plain text", AS_YES },
	{ "plain_at", "last plain text", AS_TEXT },
	{ "handshakes_failed", "failed handshakes in a row", AS_NUMBER },
	{ .key = NULL },
};

static const struct cli_column sts_fields[] = {
	{ "mode", "MTA-STS", AS_TEXT },
	{ "mx", "hosts", AS_LIST },
	{ "id", "id", AS_TEXT },
	{ "fetched", "fetched", AS_TEXT },
	{ "until", "in force until", AS_TEXT },
	{ .key = NULL },
};

static const struct cli_column sts_look_fields[] = {
	{ "sts_check", "MTA-STS looked for after", AS_TEXT },
	{ "sts_why", "the last look failed", AS_TEXT },
	{ .key = NULL },
};

static const struct cli_column failure_columns[] = {
	{ "result", "result", AS_TEXT },
	{ "sessions", "sessions", AS_NUMBER },
	{ "host", "host", AS_TEXT },
	{ "ip", "address", AS_TEXT },
	{ "reason", "reason", AS_TEXT },
	{ .key = NULL },
};

/* "2026-11-20 sts: 12 sessions, 3 of them failed" and what failed. */
static void
add_report(const json_t *r, struct buf *out)
{
	const json_t *failures = json_object_get(r, "failures");
	long long good = json_integer_value(json_object_get(r, "successful"));
	long long bad = json_integer_value(json_object_get(r, "failed"));

	buf_add_char(out, '\n');
	cli_text_write(str_of(json_string_value(json_object_get(r, "day"))), ONE_LINE, out);
	buf_add_char(out, ' ');
	cli_text_write(str_of(json_string_value(json_object_get(r, "policy"))), ONE_LINE, out);
	buf_addf(out, ": %lld session%s, %lld of them failed\n", good + bad, good + bad == 1 ? "" : "s", bad);
	if (json_array_size(failures) > 0)
		cli_columns_write(failures, failure_columns, out);
}

static void
add_one(const json_t *d, struct buf *out)
{
	size_t i;
	json_t *r;

	cli_fields_write(d, fields, out);
	if (json_is_object(json_object_get(d, "sts")))
		cli_fields_write(json_object_get(d, "sts"), sts_fields, out);
	cli_fields_write(d, sts_look_fields, out);
	json_array_foreach(json_object_get(d, "reports"), i, r)
		add_report(r, out);
}

static void
add_all(const json_t *destinations, struct buf *out)
{
	if (json_array_size(destinations) > 0)
		cli_columns_write(destinations, list_columns, out);
	else
		buf_add_cstr(out, "no mail went to other hosts yet\n");
}

int
do_tls_show(struct cli *c)
{
	struct str words[3] = { STR("tls"), STR("show"), str_of(c->nargs > 0 ? c->args[0] : "") };

	return cli_ask_queue(c, &(struct strs){ words, 2 + c->nargs }, c->nargs > 0 ? add_one : add_all);
}
