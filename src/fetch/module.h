/* module.h - between fetch.c and the module with libcurl (curl.c).
 *
 * The module links libcurl and OpenSSL and nothing of postern; what it needs of the loop comes as function pointers. One name is
 * looked up in it: FETCH_MODULE_SYMBOL, a struct fetch_module. A change of these structs is a new FETCH_MODULE_VERSION. */
#ifndef FETCH_MODULE_H
#define FETCH_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/fetch/fetch.h>

#define FETCH_MODULE_FILE "postern-fetch.so"
#define FETCH_MODULE_SYMBOL "postern_fetch_module"

enum { FETCH_MODULE_VERSION = 1, FETCH_WORDS_SIZE = 256 };

/* What the module asks of its host. get is the host's own name of a transfer. */
struct fetch_host {
	/* Watches fd for LOOP_READ, LOOP_WRITE or both, 0: no longer. watch: what the call before gave for this descriptor, NULL
	 * the first time; gives what the next one shall have. */
	void *(*watch)(void *ctx, void *watch, int fd, int what);
	/* timeout() is to be called in ms milliseconds; -1: not at all. */
	void (*timer)(void *ctx, long ms);
	/* A piece of the body. False: that is too much, the transfer ends as FETCH_TOO_LARGE. */
	bool (*body)(void *get, struct str piece);
	/* The transfer has ended and is gone after this. r has no body; words as libcurl says them. */
	void (*done)(void *get, const struct fetch_result *r);
};

struct fetch_transfer;

struct fetch_wanted {
	const char *url;
	const char *host;
	const char *resolve; /* "host:port:address,address" */
	size_t max;
	long ms;
};

struct fetch_module {
	unsigned version; /* FETCH_MODULE_VERSION */
	/* ca: PEM. NULL with words: no CA in it, or libcurl cannot do what is needed. */
	void *(*open)(const struct fetch_host *host, void *ctx, struct str ca, char why[FETCH_WORDS_SIZE]);
	/* No transfer may be under way. */
	void (*close)(void *module);
	/* NULL: out of memory. done() never comes from inside. */
	struct fetch_transfer *(*get)(void *module, const struct fetch_wanted *w, void *get);
	void (*cancel)(struct fetch_transfer *t);
	/* What was watched for has come. */
	void (*ready)(void *module, int fd, int what);
	void (*timeout)(void *module);
};

#endif
