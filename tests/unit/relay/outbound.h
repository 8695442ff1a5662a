/* outbound.h - a relay, the servers it sends to, and a plan that says where they are: no DNS, sockets on loopback. */
#ifndef TESTS_UNIT_RELAY_OUTBOUND_H
#define TESTS_UNIT_RELAY_OUTBOUND_H

#include <postern/relay/plan.h>

#include "peer.h"

enum { OUT_HOSTS_MAX = 6, OUT_RCPTS_MAX = 4, OUT_JOBS_MAX = 8 };

/* What came of a job. */
struct out_result {
	bool done;
	enum queue_reach reach;
	size_t n, nhops;
	struct queue_relayed_rcpt rcpts[OUT_RCPTS_MAX];
	struct queue_hop hops[QUEUE_HOPS_MAX];
	char host[QUEUE_HOPS_MAX][64], ip[QUEUE_HOPS_MAX][64], why[QUEUE_HOPS_MAX][QUEUE_TEXT_SIZE],
	    reason[QUEUE_HOPS_MAX][64];
};

/* A job to be; zero: a plain message of a@example.test to b@remote.test. */
struct out_mail {
	const char *sender;
	const char *rcpts[OUT_RCPTS_MAX];
	const char *destination; /* NULL: remote.test */
	const char *sts;
	const char *body;        /* NULL: a short one */
	size_t body_n;           /* 0: a C string */
	unsigned flags;
	unsigned notify;
};

struct outbound {
	struct loop *loop;
	const struct conf *conf;
	struct tls_client *tls;
	struct relay *relay;
	struct peer *peers[OUT_HOSTS_MAX];
	unsigned npeers;
	const char *password;
	/* the plan for whoever asks */
	struct relay_plan plan;
	struct relay_host hosts[OUT_HOSTS_MAX];
	unsigned plans; /* how many asked */
	enum tls_message asked_message;
	struct out_result results[OUT_JOBS_MAX];
	unsigned njobs;
	bool idle;
};

/* Certificates of servers: there between the group's setup out_make_certs and its teardown out_free_certs. */
extern struct out_certs {
	struct pki_cert ca, mx /* mx.remote.test */, other /* other.test */;
} out_certs;
int out_make_certs(void **state);
int out_free_certs(void **state);

/* conf: more lines of the configuration, or "". */
void out_open(struct outbound *w, const char *conf);
/* The same, with the CA of out_certs as the one that is trusted. */
void out_open_trusting(struct outbound *w, const char *conf);
void out_close(struct outbound *w);
void out_configure(struct outbound *w, const char *conf);

/* Adds a host of that name without addresses to the plan: level `may', plain text after any failure of TLS. */
struct relay_host *out_host(struct outbound *w, const char *name);
/* A server at an address of loopback, and the host in the plan that has it. */
struct peer *out_server(struct outbound *w, const char *name, const struct peer_script *script);
void out_add_addr(struct relay_host *h, struct addr a);
/* The host's demand. */
void out_demand(struct relay_host *h, enum tls_level level);

/* Hands over a job; its number. */
unsigned out_send(struct outbound *w, const struct out_mail *m);
/* Runs until the job is done. */
struct out_result *out_wait(struct outbound *w, unsigned job);
/* Both. */
struct out_result *out_deliver(struct outbound *w, const struct out_mail *m);
/* Runs for so long. */
void out_run(struct outbound *w, int ms);

void assert_verdict(
    const struct out_result *r, size_t i, enum queue_verdict verdict, const char *status, const char *words);
/* The text holds the words. */
void assert_says(const char *text, const char *words);

#endif
