/* ciphers.h - lists of ciphers of TLS 1.2 and older, in OpenSSL's words, for servers and clients alike. */
#ifndef TLS_CIPHERS_H
#define TLS_CIPHERS_H

/* AEAD with ephemeral keys (RFC 9325 4.2); 128 bits first, they are enough and cheaper. */
#define CIPHERS_AEAD                                                                                                   \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                                   \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                                   \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
/* What hosts that were never updated still have; no worse than plain text. */
#define CIPHERS_CBC                                                                                                    \
	"ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:"         \
	"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"

#endif
