/* front.h - what smtp and imap have in common: certificates and tickets for TLS, doors with limits, session ids. */
#ifndef ROLE_FRONT_H
#define ROLE_FRONT_H

#include <postern/auth/sasl.h>
#include <postern/net/conn.h>
#include <postern/net/listen.h>
#include <postern/tls/facts.h>
#include <postern/tls/server.h>

#include "env.h"

struct front;

enum {
	FRONT_DOORS_MAX = 32,
	FRONT_REFUSED_MS = 1000,           /* between two lines about refused connections */
	FRONT_SOURCE_PER_MINUTE = 1200,    /* new connections of one source to one service */
	SID_SIZE = 17,
};

/* The process's one; made on first use. Doors open when the first certificates are there and start was called. */
struct front *front_of(struct env *env);
/* A listening socket from the parent, kept until the doors open; ctx goes to on_accept. */
void front_add_door(struct front *f, struct str service, int fd, const struct listen_ops *ops, void *ctx);
void front_start(struct front *f);
/* No new connections from now on. */
void front_close_doors(struct front *f);
/* New limits from the configuration in env. */
void front_reload(struct front *f);
/* The connection has ended. */
void front_left(struct front *f, enum conf_service service, const struct addr *peer);
/* 0 to 100: how full the fullest of the doors is. */
unsigned front_fill(const struct front *f);

/* TLS state for a new connection of the service; NULL when there is no certificate. */
SSL *front_tls(struct front *f, enum conf_service service);

/* The SASL mechanisms to offer under this configuration, best first; returns how many. */
size_t front_mechanisms(const struct conf *conf, struct str out[static SASL_MECHANISMS_MAX]);

/* What SASL may bind to: both empty without TLS. */
struct front_bindings {
	struct str exporter;
	struct str end_point;
	uint8_t exporter_bytes[TLS_BINDING_MAX];
	uint8_t end_point_bytes[TLS_BINDING_MAX];
};
void front_bindings(const struct conn *c, struct front_bindings *b);

/* A connection is over: one line if it was a TLS handshake that failed. */
void front_log_end(enum conf_service service, const char *sid, const char *client, const struct conn *c, enum conn_end why);

/* A new session id: 16 characters. */
void front_sid(char sid[static SID_SIZE]);

/* Handlers for the role's table. */
void front_on_certificate(void *env, struct ipc_chan *from, const struct certificate_ask *said);
void front_on_certificates_end(void *env, struct ipc_chan *from, const struct certificates_end_ask *said);
void front_on_ticket_key(void *env, struct ipc_chan *from, const struct ticket_key_ask *said);

/* Ends the process when the time for draining is over. */
void front_drain_limit(struct env *env, unsigned seconds);
/* A refused connection's log line, with the number of those that had none before it: for listen_ops.on_refuse. */
void front_log_refused(void *ctx, const struct addr *peer, const char *why);

#endif
