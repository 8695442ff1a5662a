/* link_tls.c - TLS of a link: begun as the decision demands, and what came of it. */
#include "link.h"

void
link_tls_begin(struct link *l)
{
	struct err e;
	SSL *ssl = tls_client_session(l->relay->tls, l->decision, &e);

	l->want_tls = false;
	l->tls.tried = true;
	if (ssl == NULL) {
		link_tls_fail(l, e.log);
		return;
	}
	conn_secure(l->conn, ssl, CONN_CLIENT, CONN_INJECTED_CLOSE, STR(""));
	conn_wait(l->conn, CONN_WAIT_HANDSHAKE, LINK_HANDSHAKE_MS);
}

void
link_tls_note(struct link *l)
{
	l->tls.stands = true;
	tls_client_outcome(conn_ssl(l->conn), &l->tls.outcome);
}

void
link_tls_fail(struct link *l, const char *why)
{
	struct str words;

	tls_client_failed(conn_ssl(l->conn), conn_tls_error(l->conn), &l->tls.outcome);
	words = str_of(why != NULL ? why : l->tls.outcome.words);
	if (l->out != NULL)
		smtp_out_tls_failed(l->out, words);
	else
		link_end_with(l, SMTP_OUT_TLS_FAILED, SMTP_OUT_AT_HANDSHAKE, "4.7.5", words);
}
