/* setup.c - one generation of certificates as SSL_CTX objects: one for each name, the first is the default.
 *
 * All contexts of a service are configured alike; they differ in certificates only. The default one owns the table
 * of names, so that a generation goes when the last connection that began with it has gone. */
#include "setup.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/log.h>
#include <postern/core/map.h>
#include <postern/core/mem.h>

#include "pem.h"

enum { NAME_MAX_BYTES = 255 };

struct setup {
	SSL_CTX *first; /* the default, our owner: no reference of ours, or nothing would ever go */
	struct map names; /* lower case → SSL_CTX; one reference for each entry but those of `first` */
};

/* One certificate on its way into a context. */
struct row {
	const struct tls_cert *cert;
	STACK_OF(X509) * chain;
	char label[NAME_MAX_BYTES + 1]; /* its name, or the first one in it: rows of one label share a context */
	SSL_CTX *ctx;
};

static void
setup_free(struct setup *s)
{
	size_t at = 0;
	struct str name;
	void *ctx;

	while (map_next(&s->names, &at, &name, &ctx))
		if (ctx != s->first)
			SSL_CTX_free(ctx);
	map_fini(&s->names);
	free(s);
}

static void
on_ctx_free(void *parent, void *p, CRYPTO_EX_DATA *all, int index, long number, void *arg)
{
	(void)parent;
	(void)all;
	(void)index;
	(void)number;
	(void)arg;
	if (p != NULL)
		setup_free(p);
}

static int
setup_index(void)
{
	static int index = -1;

	if (index == -1)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ctx_free);
	return index;
}

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	(void)alert;
	(void)arg;
	return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

#define SIGALGS                                                                                                        \
	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"                 \
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"

/* OpenSSL's macros for these lists cast const away. */
static bool
set_list(SSL_CTX *ctx, int what, const char *list)
{
	char copy[256];
	int n = snprintf(copy, sizeof copy, "%s", list);

	return n > 0 && (size_t)n < sizeof copy && SSL_CTX_ctrl(ctx, what, 0, copy) == 1;
}

static bool
apply_lists(SSL_CTX *ctx, const struct tls_profile *p)
{
	return SSL_CTX_set_min_proto_version(ctx, p->min_version) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, p->ciphers12) == 1 && SSL_CTX_set_ciphersuites(ctx, p->ciphers13) == 1 &&
	       set_list(ctx, SSL_CTRL_SET_GROUPS_LIST, p->groups) &&
	       set_list(ctx, SSL_CTRL_SET_SIGALGS_LIST, SIGALGS) && SSL_CTX_set_num_tickets(ctx, p->tickets) == 1;
}

static void
apply_callbacks(SSL_CTX *ctx, const struct tls_profile *p)
{
	union {
		const struct tls_profile *profile;
		void *arg;
	} as = { .profile = p }; /* OpenSSL's argument is not const */

	SSL_CTX_set_client_hello_cb(ctx, server_on_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_alpn_select_cb(ctx, server_on_alpn, as.arg);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, server_on_ticket_key);
	SSL_CTX_set_session_ticket_cb(ctx, binding_on_ticket, NULL, NULL);
}

static SSL_CTX *
new_ctx(const struct tls_profile *p)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(tls_lib(), NULL, TLS_server_method());

	if (ctx == NULL || !apply_lists(ctx, p))
		log_panic("TLS profile %s: %s", p->name, pem_reason());
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
				     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* all state is in the tickets: nothing grows here */
	SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFETIME_S);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_recv_max_early_data(ctx, 0);
	apply_callbacks(ctx, p);
	return ctx;
}

static bool
has_kind(SSL_CTX *ctx, const EVP_PKEY *key)
{
	bool found = false;

	for (long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST); more == 1 && !found;
	     more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
		found = EVP_PKEY_get_base_id(SSL_CTX_get0_privatekey(ctx)) == EVP_PKEY_get_base_id(key);
	return found;
}

static bool
use_chain(const struct row *r, const struct tls_signer *signer, struct err *e)
{
	X509 *leaf = sk_X509_shift(r->chain);
	EVP_PKEY *key = tls_remote_key(leaf, r->cert->key_id, signer, e);
	bool ok = false;

	if (key != NULL && has_kind(r->ctx, key))
		err_perm(e, "", "two certificates of one kind for %s: keep one, or make them RSA and ECDSA",
		    r->label[0] != '\0' ? r->label : "the default");
	else if (key != NULL && SSL_CTX_use_cert_and_key(r->ctx, leaf, key, r->chain, 0) != 1)
		err_perm(e, "", "OpenSSL refuses the certificate: %s", pem_reason());
	else
		ok = key != NULL;
	EVP_PKEY_free(key);
	X509_free(leaf);
	return ok;
}

/* The form in which names are compared: lower case, without a dot at the end. Empty for what is no name. */
static struct str
lower_name(struct str name, char out[static NAME_MAX_BYTES + 1])
{
	if (str_ends(name, STR(".")))
		name = str_sub(name, 0, name.n - 1);
	if (name.n > NAME_MAX_BYTES || str_has(name, '\0'))
		name.n = 0;
	for (size_t i = 0; i < name.n; i++)
		out[i] = ascii_lower(name.p[i]);
	out[name.n] = '\0';
	return str_from(out, name.n);
}

/* The first row that claims a name has it. */
static void
add_name(struct setup *s, struct str name, SSL_CTX *ctx)
{
	char lower[NAME_MAX_BYTES + 1];

	name = lower_name(name, lower);
	if (name.n == 0 || map_get(&s->names, name) != NULL)
		return;
	if (ctx != s->first)
		SSL_CTX_up_ref(ctx);
	map_put(&s->names, name, ctx);
}

/* Calls take for the DNS names in a certificate until it returns false. */
static void
each_name(X509 *leaf, bool (*take)(void *arg, struct str name), void *arg)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	bool more = true;

	for (int i = 0; i < sk_GENERAL_NAME_num(all) && i < TLS_CERT_NAMES_MAX && more; i++) {
		int type;
		const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &type);

		if (type == GEN_DNS)
			more = take(arg, str_from(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)));
	}
	GENERAL_NAMES_free(all);
}

static bool
take_label(void *arg, struct str name)
{
	struct row *r = arg;

	lower_name(name, r->label);
	return false;
}

struct naming {
	struct setup *setup;
	SSL_CTX *ctx;
};

static bool
take_name(void *arg, struct str name)
{
	const struct naming *n = arg;

	add_name(n->setup, name, n->ctx);
	return true;
}

static bool
read_row(struct row *r, const struct tls_cert *cert, struct err *e)
{
	r->cert = cert;
	if (cert->key_id.n == 0 || cert->key_id.n > TLS_KEY_ID_MAX)
		return err_perm(e, "", "a key id of %zu bytes", cert->key_id.n);
	r->chain = pem_read_chain(cert->chain, "certificate", e);
	if (r->chain == NULL)
		return false;
	if (cert->name.n > 0)
		lower_name(cert->name, r->label);
	else
		each_name(sk_X509_value(r->chain, 0), take_label, r);
	return true;
}

/* A row joins the context of an earlier one with its label, else gets its own. */
static void
place_row(struct row *rows, size_t i, const struct tls_profile *profile)
{
	for (size_t k = 0; k < i; k++) {
		if (strcmp(rows[k].label, rows[i].label) != 0)
			continue;
		rows[i].ctx = rows[k].ctx;
		SSL_CTX_up_ref(rows[i].ctx);
		return;
	}
	rows[i].ctx = new_ctx(profile);
}

static bool
add_row(struct setup *s, struct row *r, const struct tls_signer *signer, struct err *e)
{
	struct naming naming = { s, r->ctx };

	if (r->cert->name.n > 0)
		add_name(s, r->cert->name, r->ctx);
	else
		each_name(sk_X509_value(r->chain, 0), take_name, &naming);
	return use_chain(r, signer, e);
}

static bool
add_rows(struct setup *s, struct row *rows, const struct tls_profile *profile, const struct tls_cert *certs, size_t n,
    const struct tls_signer *signer, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!read_row(&rows[i], &certs[i], e))
			return err_at(e, "%.*s", STR_ARG(str_sub(certs[i].key_id, 0, TLS_KEY_ID_MAX)));
		place_row(rows, i, profile);
		if (i == 0)
			s->first = rows[0].ctx;
		if (!add_row(s, &rows[i], signer, e))
			return err_at(e, "%.*s", STR_ARG(certs[i].key_id));
	}
	return n > 0 || err_perm(e, "", "no certificate");
}

SSL_CTX *
setup_make(const struct tls_profile *profile, const struct tls_cert *certs, size_t n, const struct tls_signer *signer,
    struct err *e)
{
	struct setup *s = NEW(struct setup);
	struct row *rows = mem_array(n, sizeof *rows);
	SSL_CTX *first = NULL;

	map_init(&s->names);
	if (n > TLS_CERTS_MAX)
		err_perm(e, "", "more than %d certificates", TLS_CERTS_MAX);
	else if (add_rows(s, rows, profile, certs, n, signer, e))
		first = s->first;
	if (first != NULL) {
		SSL_CTX_up_ref(first);
		if (SSL_CTX_set_ex_data(first, setup_index(), s) != 1)
			log_fatal("TLS: %s", pem_reason());
	} else {
		setup_free(s);
	}
	for (size_t i = 0; i < n; i++) {
		pem_free_chain(rows[i].chain);
		SSL_CTX_free(rows[i].ctx);
	}
	free(rows);
	return first;
}

SSL_CTX *
setup_find(SSL_CTX *first, struct str server_name)
{
	const struct setup *s = SSL_CTX_get_ex_data(first, setup_index());
	char lower[NAME_MAX_BYTES + 1];
	struct str name = lower_name(server_name, lower);
	size_t dot = str_find(name, '.');
	SSL_CTX *ctx;

	/* no table: the choice was made already, this is the second hello after a retry (RFC 8446 4.1.2) */
	if (s == NULL || name.n == 0)
		return first;
	ctx = map_get(&s->names, name);
	if (ctx == NULL && dot > 0 && dot < name.n) {
		lower[dot - 1] = '*'; /* stands for one label and no more (RFC 9525 6.3) */
		ctx = map_get(&s->names, str_sub(name, dot - 1, name.n));
	}
	return ctx != NULL ? ctx : first;
}
