/* server.h - the TLS server of one service: its profile, its certificates by name, its tickets.
 *
 * Certificates are public here; signatures come from a tls_signer. tls_server_replace takes new certificates whole
 * or not at all; handshakes and connections that began with the old ones end with them. A tls_server lives as long
 * as the connections made from it. */
#ifndef POSTERN_TLS_SERVER_H
#define POSTERN_TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/types.h>

#include <postern/core/err.h>
#include <postern/core/str.h>
#include <postern/tls/profile.h>
#include <postern/tls/remote.h>
#include <postern/tls/ticket.h>

enum {
	TLS_CERTS_MAX = 1000,     /* of one service */
	TLS_CERT_NAMES_MAX = 200, /* taken from one certificate */
	TLS_CHAIN_MAX = 10,       /* certificates of one chain */
};

/* One certificate as the configuration names it. */
struct tls_cert {
	/* The server name (RFC 6066 3) it is for: "mail.example.test", or "*.example.test" for one label. Empty:
	 * for the DNS names in the certificate. Several rows with one name and keys of different kinds (RSA and
	 * ECDSA) form a pair of which the client's abilities choose. */
	struct str name;
	struct str key_id; /* for the signer */
	struct str chain;  /* PEM, leaf first */
};

struct tls_server;

/* certs[0] (and what pairs with it) is the default: for clients without a name, and for names that nobody has.
 * Everything is copied but signer->ctx. NULL with words in e. Before tls_server_tickets nothing is resumed. */
struct tls_server *tls_server_new(enum tls_service service, const struct tls_cert *certs, size_t n,
    const struct tls_signer *signer, struct err *e);
void tls_server_free(struct tls_server *s);

/* Other certificates for handshakes that begin from now on; false with words in e leaves all as it was. */
bool tls_server_replace(struct tls_server *s, const struct tls_cert *certs, size_t n, struct err *e);
/* The keys that seal and open session tickets from now on; copied. */
void tls_server_tickets(struct tls_server *s, const struct tls_ticket_ring *ring);

/* From now on clients are asked for a certificate, or not (the profile's choice before). None is demanded or
 * verified: it is for the log and for whoever compares its key. */
void tls_server_ask_client(struct tls_server *s, bool ask);

/* State for one connection, for conn_secure. */
SSL *tls_server_session(struct tls_server *s);

/* The host name in a ClientHello's server_name extension (its body; RFC 6066 3); false if malformed. Empty if there
 * is none of type host_name. */
bool tls_server_parse_sni(struct str extension, struct str *name);

#endif
