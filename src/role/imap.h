/* imap.h - a client of the imap role: connection, the dialogue before the login, the stream after it. */
#ifndef ROLE_IMAP_H
#define ROLE_IMAP_H

#include <postern/auth/sasl.h>
#include <postern/imap/front.h>
#include <postern/net/pump.h>

#include "sessions.h"

struct imap_role {
	struct sessions all;
	uint64_t logins;
};

struct asked;

struct client {
	struct session session;
	struct imap_role *role;
	char *user; /* of the login; NULL before */
	struct str mechs[SASL_MECHANISMS_MAX];
	struct imap_front *front; /* until the login */
	struct asked *asked;
	uint64_t exchange;
	struct id ticket; /* of the login that is being handed over */
	struct ipc_call *opening;
	struct pump *pump;        /* after the login */
	int stream;               /* our end, until the pump has it */
	struct ipc_call *taking;  /* back from the store, after UNAUTHENTICATE */
	bool taken;               /* the store has answered, rest is what it did not take … */
	bool ended;               /* … and has said its last in the stream */
	struct buf rest;          /* comes before what the connection holds */
};

/* imap.c */
void imap_client_close(struct client *c);
void imap_client_free(struct client *c);

/* The connection's callbacks before the login. */
extern const struct conn_ops imap_client_ops;
/* Before the login; again: the greeting has been said. */
void imap_client_begin(struct client *c, bool tls, bool again);

/* imap_back.c: UNAUTHENTICATE. */
void imap_on_unauthenticated(void *env, struct ipc_chan *from, const struct unauthenticated_ask *said);
void imap_back_ended(void *client, bool eof);
/* Gives the front what came back from the store; true when all of it is taken. */
bool imap_back_feed(struct client *c);

/* imap_login.c: what the dialogue asks for; ctx is the struct client. */
extern const struct imap_front_ops imap_login_ops;
/* Forgets the question to auth and the exchange. */
void imap_login_withdraw(struct client *c);

#endif
