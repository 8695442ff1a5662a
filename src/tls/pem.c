/* pem.c - certificates and keys as text. */
#include "pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <postern/core/log.h>
#include <postern/tls/remote.h>
#include <postern/tls/server.h>

const char *
pem_reason(void)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return why != NULL ? why : "unknown reason";
}

static BIO *
open_text(struct str text)
{
	BIO *bio = text.n <= INT32_MAX ? BIO_new_mem_buf(text.n > 0 ? text.p : "", (int)text.n) : NULL;

	if (bio == NULL)
		log_fatal("TLS: out of memory");
	return bio;
}

/* The next certificate, or NULL at the end. */
static X509 *
read_cert(BIO *bio)
{
	X509 *x = X509_new_ex(tls_lib(), NULL);

	if (x == NULL)
		log_fatal("TLS: out of memory");
	if (PEM_read_bio_X509(bio, &x, NULL, NULL) != NULL)
		return x;
	X509_free(x);
	return NULL;
}

static bool
is_end_of_text(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static bool
read_certs(BIO *bio, STACK_OF(X509) * chain, const char *what, struct err *e)
{
	X509 *x;

	while ((x = read_cert(bio)) != NULL) {
		if (sk_X509_push(chain, x) > TLS_CHAIN_MAX)
			return err_perm(e, "", "%s: more than %d certificates: keep the server's and its issuers'",
			    what, TLS_CHAIN_MAX);
	}
	if (!is_end_of_text())
		return err_perm(e, "", "%s: damaged certificate (%s): write the file anew", what, pem_reason());
	ERR_clear_error();
	if (sk_X509_num(chain) == 0)
		return err_perm(e, "", "%s: no certificate in it: it must hold PEM blocks \"BEGIN CERTIFICATE\"", what);
	return true;
}

void
pem_free_chain(STACK_OF(X509) * chain)
{
	sk_X509_pop_free(chain, X509_free);
}

STACK_OF(X509) * pem_read_chain(struct str text, const char *what, struct err *e)
{
	BIO *bio = open_text(text);
	STACK_OF(X509) *chain = sk_X509_new_null();
	bool ok;

	ERR_clear_error();
	ok = read_certs(bio, chain, what, e);
	BIO_free(bio);
	if (ok)
		return chain;
	pem_free_chain(chain);
	return NULL;
}

/* OpenSSL asks for a passphrase: nobody is there to give it. */
static int
on_passphrase(char *to, int size, int writing, void *asked)
{
	(void)to;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

EVP_PKEY *
pem_read_key(struct str text, const char *what, struct err *e)
{
	BIO *bio = open_text(text);
	bool asked = false;
	EVP_PKEY *key;

	ERR_clear_error();
	key = PEM_read_bio_PrivateKey_ex(bio, NULL, on_passphrase, &asked, tls_lib(), NULL);
	BIO_free(bio);
	if (key != NULL)
		return key;
	if (asked)
		err_perm(
		    e, "", "%s: the key is encrypted: store it without a passphrase (openssl pkey -in … -out …)", what);
	else if (str_search(text, STR("PRIVATE KEY-----")) == text.n)
		err_perm(e, "", "%s: no private key in it: it must hold a PEM block \"BEGIN PRIVATE KEY\"", what);
	else
		err_perm(e, "", "%s: damaged private key (%s): write the file anew", what, pem_reason());
	ERR_clear_error();
	return NULL;
}

static void
take_text(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_add(out, str_from(p, n > 0 ? (size_t)n : 0));
	BIO_free(bio);
}

void
pem_write_chain(STACK_OF(X509) * chain, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	for (int i = 0; i < sk_X509_num(chain); i++)
		if (PEM_write_bio_X509(bio, sk_X509_value(chain, i)) != 1)
			log_fatal("TLS: out of memory");
	take_text(bio, out);
}

void
pem_write_key(EVP_PKEY *key, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_secmem());

	if (PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		log_fatal("TLS: out of memory");
	take_text(bio, out);
}
