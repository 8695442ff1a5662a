/* curl.c - the module: libcurl's multi interface on the host's loop.
 *
 * Everything that libcurl would look up by itself is given or turned off, since it runs in a closed root without the right to
 * make threads: addresses come by CURLOPT_RESOLVE into a cache of the transfer's own (the cache of the multi handle keeps such
 * entries for ever), trust comes as a store that was read at the start. */
#include <stdlib.h>
#include <string.h>

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "module.h"

struct curl {
	const struct fetch_host *host;
	void *ctx;
	CURLM *multi;
	CURL *model; /* has the options that all transfers share */
	X509_STORE *trusted;
};

struct fetch_transfer {
	struct curl *curl;
	void *get;
	CURL *easy;
	CURLSH *cache;
	struct curl_slist *resolve;
	char *host;
	size_t header_n;
	bool too_large;
	char error[CURL_ERROR_SIZE];
};

/* --- what all transfers share --- */

static const struct {
	CURLoption option;
	long value;
} numbers[] = {
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_FOLLOWLOCATION, 0 }, /* RFC 8461 3.3 */
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_HTTP09_ALLOWED, 0 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
	{ CURLOPT_SSL_SESSIONID_CACHE, 0 },
	{ CURLOPT_FRESH_CONNECT, 1 },
	{ CURLOPT_FORBID_REUSE, 1 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
};

static const struct {
	CURLoption option;
	const char *value;
} texts[] = {
	{ CURLOPT_PROTOCOLS_STR, "https" },
	{ CURLOPT_PROXY, "" }, /* none, and none from the environment */
	{ CURLOPT_USERAGENT, "postern" },
	{ CURLOPT_CAINFO, NULL },
	{ CURLOPT_CAPATH, NULL },
};

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct fetch_transfer *t = arg;

	(void)p;
	t->header_n += size * n;
	t->too_large = t->header_n > FETCH_HEADER_MAX;
	return t->too_large ? 0 : size * n;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct fetch_transfer *t = arg;

	t->too_large = !t->curl->host->body(t->get, str_from(p, size * n));
	return t->too_large ? 0 : size * n;
}

/* libcurl takes a common name where there is no DNS name; RFC 8461 3.3 does not. */
static CURLcode
on_ssl(CURL *easy, void *ssl_ctx, void *arg)
{
	const struct fetch_transfer *t = arg;
	X509_VERIFY_PARAM *p = SSL_CTX_get0_param(ssl_ctx);

	(void)easy;
	SSL_CTX_set1_cert_store(ssl_ctx, t->curl->trusted);
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(p, t->host, 0) == 1 ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static CURLcode
set_model(CURL *easy)
{
	CURLcode code = CURLE_OK;

	for (size_t i = 0; code == CURLE_OK && i < sizeof numbers / sizeof *numbers; i++)
		code = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
	for (size_t i = 0; code == CURLE_OK && i < sizeof texts / sizeof *texts; i++)
		code = curl_easy_setopt(easy, texts[i].option, texts[i].value);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl) : code;
}

/* --- the loop's side --- */

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	static const int wanted[] = { [CURL_POLL_IN] = LOOP_READ, [CURL_POLL_OUT] = LOOP_WRITE,
		[CURL_POLL_INOUT] = LOOP_READ | LOOP_WRITE, [CURL_POLL_REMOVE] = 0 };
	struct curl *c = arg;

	(void)easy;
	curl_multi_assign(c->multi, fd, c->host->watch(c->ctx, watch, fd, wanted[what]));
	return 0;
}

static int
on_timer(CURLM *multi, long ms, void *arg)
{
	struct curl *c = arg;

	(void)multi;
	c->host->timer(c->ctx, ms);
	return 0;
}

static void
free_transfer(struct fetch_transfer *t)
{
	if (t->easy != NULL)
		curl_easy_cleanup(t->easy);
	if (t->cache != NULL)
		curl_share_cleanup(t->cache);
	curl_slist_free_all(t->resolve);
	free(t->host);
	free(t);
}

static enum fetch_problem
problem_of(const struct fetch_transfer *t, CURLcode code)
{
	if (t->too_large)
		return FETCH_TOO_LARGE;
	switch (code) {
	case CURLE_OK:
		return FETCH_OK;
	case CURLE_FILESIZE_EXCEEDED:
		return FETCH_TOO_LARGE;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CERTPROBLEM:
		return FETCH_CERTIFICATE;
	default:
		return FETCH_UNREACHABLE;
	}
}

static void
end_transfer(struct fetch_transfer *t, CURLcode code)
{
	struct fetch_result r = { .problem = problem_of(t, code) };
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	r.code = (unsigned)status;
	r.content_type = str_of(type);
	r.words = str_of(t->error[0] != '\0' ? t->error : curl_easy_strerror(code));
	curl_multi_remove_handle(t->curl->multi, t->easy);
	t->curl->host->done(t->get, &r);
	free_transfer(t);
}

static void
end_finished(struct curl *c)
{
	const CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		CURLcode code = m->data.result;
		char *t = NULL;

		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		end_transfer((struct fetch_transfer *)(void *)t, code);
	}
}

static void
ready(void *module, int fd, int what)
{
	struct curl *c = module;
	int running;

	curl_multi_socket_action(c->multi, fd,
	    (what & LOOP_READ ? CURL_CSELECT_IN : 0) | (what & LOOP_WRITE ? CURL_CSELECT_OUT : 0), &running);
	end_finished(c);
}

static void
timeout(void *module)
{
	ready(module, CURL_SOCKET_TIMEOUT, 0);
}

/* --- one transfer --- */

static bool
set_transfer(struct fetch_transfer *t, const struct fetch_wanted *w)
{
	t->easy = curl_easy_duphandle(t->curl->model);
	t->cache = curl_share_init();
	t->resolve = curl_slist_append(NULL, w->resolve);
	t->host = strdup(w->host);
	return t->easy != NULL && t->cache != NULL && t->resolve != NULL && t->host != NULL &&
	    curl_share_setopt(t->cache, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_SHARE, t->cache) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_RESOLVE, t->resolve) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_URL, w->url) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, w->ms) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)w->max) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_SSL_CTX_DATA, t) == CURLE_OK &&
	    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
	    curl_multi_add_handle(t->curl->multi, t->easy) == CURLM_OK;
}

static struct fetch_transfer *
get(void *module, const struct fetch_wanted *w, void *of)
{
	struct fetch_transfer *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->curl = module;
	t->get = of;
	if (set_transfer(t, w))
		return t;
	free_transfer(t);
	return NULL;
}

static void
cancel(struct fetch_transfer *t)
{
	curl_multi_remove_handle(t->curl->multi, t->easy);
	free_transfer(t);
}

/* --- the module --- */

/* How many CAs were added; duplicates are fine. */
static unsigned
read_bundle(X509_STORE *store, struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	unsigned n = 0;
	X509 *x;

	while (bio != NULL && (x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	ERR_clear_error();
	BIO_free(bio);
	return n;
}

static void
close_curl(void *module)
{
	struct curl *c = module;

	if (c->model != NULL)
		curl_easy_cleanup(c->model);
	if (c->multi != NULL)
		curl_multi_cleanup(c->multi);
	X509_STORE_free(c->trusted);
	free(c);
	curl_global_cleanup();
}

/* NULL, or what is wrong. */
static const char *
fill(struct curl *c, struct str ca)
{
	c->multi = curl_multi_init();
	c->model = curl_easy_init();
	c->trusted = X509_STORE_new();
	if (c->multi == NULL || c->model == NULL || c->trusted == NULL)
		return "libcurl does not start";
	if (set_model(c->model) != CURLE_OK)
		return "libcurl lacks an option: it needs version 7.85 or later, with OpenSSL";
	if (read_bundle(c->trusted, ca) == 0)
		return "no certificate is in it";
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	return NULL;
}

static void *
open_curl(const struct fetch_host *host, void *ctx, struct str ca, char why[FETCH_WORDS_SIZE])
{
	struct curl *c = calloc(1, sizeof *c);
	const char *wrong = "out of memory";

	if (c != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		c->host = host;
		c->ctx = ctx;
		wrong = fill(c, ca);
		if (wrong == NULL)
			return c;
		close_curl(c);
		c = NULL;
	}
	free(c);
	strncpy(why, wrong, FETCH_WORDS_SIZE - 1);
	why[FETCH_WORDS_SIZE - 1] = '\0';
	return NULL;
}

/* The one name that is looked up. */
__attribute__((visibility("default"))) extern const struct fetch_module postern_fetch_module;
const struct fetch_module postern_fetch_module = {
	.version = FETCH_MODULE_VERSION,
	.open = open_curl,
	.close = close_curl,
	.get = get,
	.cancel = cancel,
	.ready = ready,
	.timeout = timeout,
};
