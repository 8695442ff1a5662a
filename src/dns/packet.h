/* packet.h - DNS messages as they come over the wire (RFC 1035 4). */
#ifndef DNS_PACKET_H
#define DNS_PACKET_H

#include <postern/dns/answer.h>

/* Reads the answer to the question for name (dns_name_valid) and type: the aliases are followed, the records of the
 * type at their end taken. status is INSECURE, NXDOMAIN or NODATA; security is not in a packet. Memory comes from
 * a, nothing points into packet. False with why: broken, not for this question, an error of the server's, or over a
 * limit. */
bool dns_packet_parse(
    struct str packet, enum dns_type type, struct str name, struct arena *a, struct dns_answer *out, const char **why);

#endif
