/* quota.h - how quotas are told (RFC 9208). */
#ifndef IMAP_QUOTA_H
#define IMAP_QUOTA_H

#include <stdint.h>

/* Octets in units of STORAGE: 1024, what is begun counts (RFC 9208 5.1). */
static inline uint64_t
quota_units(uint64_t bytes)
{
	return bytes / 1024 + (bytes % 1024 != 0);
}

#endif
