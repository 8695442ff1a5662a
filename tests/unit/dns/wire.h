/* wire.h - DNS packets for tests: a reply is begun for a question, then records are added. */
#ifndef TEST_DNS_WIRE_H
#define TEST_DNS_WIRE_H

#include <postern/core/be.h>

enum { WIRE_REPLY = 0x8180, WIRE_NXDOMAIN = 3, WIRE_SERVFAIL = 2, WIRE_SOA = 6 };

/* "mx.test": each label behind its length. */
static inline void
wire_name(struct buf *b, const char *name)
{
	struct str rest = str_of(name);
	struct str label;

	while (str_cut(&rest, '.', &label)) {
		buf_add_be(b, 1, label.n);
		buf_add(b, label);
	}
	buf_add_be(b, 1, 0);
}

static inline void
wire_begin(struct buf *b, unsigned flags, const char *name, unsigned type)
{
	buf_init(b, 65535);
	buf_add_be(b, 2, 0);
	buf_add_be(b, 2, flags);
	buf_add_be(b, 2, 1);
	buf_add_be(b, 6, 0);
	wire_name(b, name);
	buf_add_be(b, 2, type);
	buf_add_be(b, 2, 1);
}

/* Counts one more record in the answer (6) or authority (8) section. */
static inline void
wire_count(struct buf *b, size_t at)
{
	be_store((uint8_t *)b->p + at, 2, be_load(b->p + at, 2) + 1);
}

static inline void
wire_head(struct buf *b, const char *owner, unsigned type, uint32_t ttl, size_t n)
{
	wire_name(b, owner);
	buf_add_be(b, 2, type);
	buf_add_be(b, 2, 1);
	buf_add_be(b, 4, ttl);
	buf_add_be(b, 2, n);
}

static inline void
wire_rr(struct buf *b, const char *owner, unsigned type, uint32_t ttl, struct str data)
{
	wire_count(b, 6);
	wire_head(b, owner, type, ttl, data.n);
	buf_add(b, data);
}

static inline void
wire_alias(struct buf *b, const char *owner, const char *target)
{
	struct buf data;

	buf_init(&data, 300);
	wire_name(&data, target);
	wire_rr(b, owner, 5, 300, buf_str(&data));
	buf_fini(&data);
}

/* A SOA record in the authority section: denials hold for ttl seconds. */
static inline void
wire_soa(struct buf *b, const char *owner, uint32_t ttl)
{
	wire_count(b, 8);
	wire_head(b, owner, WIRE_SOA, 3600, 2 + 20);
	buf_add_be(b, 2, 0); /* the root, twice */
	buf_add(b, str_from("\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 16));
	buf_add_be(b, 4, ttl);
}

#endif
