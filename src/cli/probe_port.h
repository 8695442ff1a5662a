/* probe_port.h - one port of one host: which questions are asked of it, a few at a time, and what came of them. */
#ifndef POSTERN_CLI_PROBE_PORT_H
#define POSTERN_CLI_PROBE_PORT_H

#include <postern/tls/client.h>
#include <postern/tls/facts.h>
#include <postern/tls/trial.h>

#include "probe_cert.h"
#include "probe_names.h"
#include "probe_shot.h"

enum {
	PORT_SHOTS_MAX = 3, /* connections at once; one, when the server has lost one */
	PORT_LOST_MAX = 5, /* a question is asked again so often when its connection is lost */
	PORT_AGAIN_MS = 300, /* after the first loss; twice as long after each further one */
	PORT_VERSIONS = 5, /* SSL 3 to TLS 1.3 */
};

enum port_use { PORT_MAIL, PORT_CLIENTS }; /* other servers; people's mail programs */

enum port_reached {
	PORT_UNREACHED, /* closed, filtered: words */
	PORT_STOPPED, /* it talks, but never gets to TLS: stop */
	PORT_NO_TLS, /* the handshake fails: words */
	PORT_TLS,
};

enum answer { ANSWER_UNKNOWN, ANSWER_NO, ANSWER_YES };

/* What was found out; for the judgement (probe_judge.h) and to be shown. */
struct port_facts {
	uint16_t port;
	enum port_use use;
	enum talk_protocol protocol;
	bool implicit; /* TLS comes first */
	enum port_reached reached;
	enum talk_stop stop;
	char words[SHOT_WORDS_SIZE];
	struct addr at;
	bool in_time; /* every question was answered */

	struct talk_caps clear, inside;
	enum answer injected; /* a command behind STARTTLS was carried out */
	enum answer renegotiates; /* when the client asks for it */
	struct tls_trial versions[PORT_VERSIONS];
	struct tls_trial groups;
	struct tls_facts tls; /* of an ordinary handshake */
	unsigned tickets;
	long ticket_lifetime;
	bool early_data;
	struct probe_cert cert;
	uint32_t tlsa_fits; /* bit i: record i of the first base with records fits what was shown */

	/* Mail: what DANE demands, and whether it is met. */
	bool has_dane; /* the decision is worth looking at: there is a name, and DNS answered */
	const struct tls_decision *dane;
	enum tls_dns mx, address; /* why there may be no DANE */
	enum answer delivered; /* tried with level dane */
	struct tls_outcome outcome;
	/* Mail for a domain: MTA-STS. */
	enum names_sts sts;
	const char *sts_words; /* why there is no policy; "" */
	const struct sts_policy *policy; /* NULL: none that is known */
	bool sts_listed;
};

/* What the ports of a probe share. */
struct port_world {
	struct loop *loop;
	struct str hostname;
	SSL_CTX *any; /* cert_ctx up to TLS 1.3 */
	SSL_CTX *old; /* up to TLS 1.2: there is no renegotiation in 1.3 */
	X509_STORE *store; /* NULL: no CA is known */
	struct tls_client *tls; /* as the relay has one */
};

struct probe_port;

/* done is called once, never from inside, when nothing more is to be asked. host and world outlive it. */
struct probe_port *port_start(
    const struct port_world *w, const struct names_host *host, uint16_t port, void (*done)(void *ctx), void *ctx);
/* Time is up: what is open stays unknown; done is not called any more. */
void port_stop(struct probe_port *p);
struct port_facts *port_facts(struct probe_port *p);
void port_free(struct probe_port *p);

#endif
