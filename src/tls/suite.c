/* suite.c - tables of cipher suites and groups (IANA "TLS Parameters"), and what each is worth (RFC 7525, RFC 9325,
 * RFC 7465). A suite's name says what it is, so its worth follows from the name. */
#include <postern/tls/suite.h>

#include <string.h>

enum { SSL3 = 0x0300, TLS12 = 0x0303, TLS13 = 0x0304 };

/* The better first. */
static const struct tls_suite suites[] = {
	{ 0x1301, "TLS_AES_128_GCM_SHA256" },
	{ 0x1302, "TLS_AES_256_GCM_SHA384" },
	{ 0x1303, "TLS_CHACHA20_POLY1305_SHA256" },
	{ 0x1304, "TLS_AES_128_CCM_SHA256" },
	{ 0x1305, "TLS_AES_128_CCM_8_SHA256" },
	{ 0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
	{ 0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ 0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
	{ 0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ 0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ 0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ 0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM" },
	{ 0xc0ad, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM" },
	{ 0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8" },
	{ 0xc0af, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8" },
	{ 0xc05c, "TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256" },
	{ 0xc05d, "TLS_ECDHE_ECDSA_WITH_ARIA_256_GCM_SHA384" },
	{ 0xc060, "TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256" },
	{ 0xc061, "TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384" },
	{ 0xc086, "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256" },
	{ 0xc087, "TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384" },
	{ 0xc08a, "TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256" },
	{ 0xc08b, "TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384" },
	{ 0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ 0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ 0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ 0xc09e, "TLS_DHE_RSA_WITH_AES_128_CCM" },
	{ 0xc09f, "TLS_DHE_RSA_WITH_AES_256_CCM" },
	{ 0xc0a2, "TLS_DHE_RSA_WITH_AES_128_CCM_8" },
	{ 0xc0a3, "TLS_DHE_RSA_WITH_AES_256_CCM_8" },
	{ 0xc052, "TLS_DHE_RSA_WITH_ARIA_128_GCM_SHA256" },
	{ 0xc053, "TLS_DHE_RSA_WITH_ARIA_256_GCM_SHA384" },
	{ 0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" },
	{ 0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256" },
	{ 0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384" },
	{ 0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384" },
	{ 0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA" },
	{ 0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" },
	{ 0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA" },
	{ 0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" },
	{ 0xc072, "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_CBC_SHA256" },
	{ 0xc073, "TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_CBC_SHA384" },
	{ 0xc076, "TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256" },
	{ 0xc077, "TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384" },
	{ 0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256" },
	{ 0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256" },
	{ 0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA" },
	{ 0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA" },
	{ 0x0045, "TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA" },
	{ 0x0088, "TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA" },
	{ 0x00be, "TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA256" },
	{ 0x00c4, "TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA256" },
	{ 0x0032, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA" },
	{ 0x0038, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA" },
	{ 0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256" },
	{ 0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384" },
	{ 0xc09c, "TLS_RSA_WITH_AES_128_CCM" },
	{ 0xc09d, "TLS_RSA_WITH_AES_256_CCM" },
	{ 0xc0a0, "TLS_RSA_WITH_AES_128_CCM_8" },
	{ 0xc0a1, "TLS_RSA_WITH_AES_256_CCM_8" },
	{ 0xc050, "TLS_RSA_WITH_ARIA_128_GCM_SHA256" },
	{ 0xc051, "TLS_RSA_WITH_ARIA_256_GCM_SHA384" },
	{ 0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256" },
	{ 0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256" },
	{ 0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA" },
	{ 0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA" },
	{ 0x0041, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA" },
	{ 0x0084, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA" },
	{ 0x00ba, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256" },
	{ 0x00c0, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA256" },
	{ 0xc004, "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA" },
	{ 0xc005, "TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA" },
	{ 0xc00e, "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA" },
	{ 0xc00f, "TLS_ECDH_RSA_WITH_AES_256_CBC_SHA" },
	{ 0x009a, "TLS_DHE_RSA_WITH_SEED_CBC_SHA" },
	{ 0xc008, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA" },
	{ 0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA" },
	{ 0x0016, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA" },
	{ 0x0013, "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA" },
	{ 0x0096, "TLS_RSA_WITH_SEED_CBC_SHA" },
	{ 0x0007, "TLS_RSA_WITH_IDEA_CBC_SHA" },
	{ 0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA" },
	{ 0x00a6, "TLS_DH_anon_WITH_AES_128_GCM_SHA256" },
	{ 0x00a7, "TLS_DH_anon_WITH_AES_256_GCM_SHA384" },
	{ 0x006c, "TLS_DH_anon_WITH_AES_128_CBC_SHA256" },
	{ 0x006d, "TLS_DH_anon_WITH_AES_256_CBC_SHA256" },
	{ 0x0034, "TLS_DH_anon_WITH_AES_128_CBC_SHA" },
	{ 0x003a, "TLS_DH_anon_WITH_AES_256_CBC_SHA" },
	{ 0x0046, "TLS_DH_anon_WITH_CAMELLIA_128_CBC_SHA" },
	{ 0x0089, "TLS_DH_anon_WITH_CAMELLIA_256_CBC_SHA" },
	{ 0x001b, "TLS_DH_anon_WITH_3DES_EDE_CBC_SHA" },
	{ 0xc018, "TLS_ECDH_anon_WITH_AES_128_CBC_SHA" },
	{ 0xc019, "TLS_ECDH_anon_WITH_AES_256_CBC_SHA" },
	{ 0xc017, "TLS_ECDH_anon_WITH_3DES_EDE_CBC_SHA" },
	{ 0xc007, "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA" },
	{ 0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA" },
	{ 0xc016, "TLS_ECDH_anon_WITH_RC4_128_SHA" },
	{ 0x0005, "TLS_RSA_WITH_RC4_128_SHA" },
	{ 0x0004, "TLS_RSA_WITH_RC4_128_MD5" },
	{ 0x0018, "TLS_DH_anon_WITH_RC4_128_MD5" },
	{ 0x0015, "TLS_DHE_RSA_WITH_DES_CBC_SHA" },
	{ 0x0009, "TLS_RSA_WITH_DES_CBC_SHA" },
	{ 0x001a, "TLS_DH_anon_WITH_DES_CBC_SHA" },
	{ 0x0014, "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA" },
	{ 0x0008, "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA" },
	{ 0x0006, "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5" },
	{ 0x0003, "TLS_RSA_EXPORT_WITH_RC4_40_MD5" },
	{ 0x0017, "TLS_DH_anon_EXPORT_WITH_RC4_40_MD5" },
	{ 0x0019, "TLS_DH_anon_EXPORT_WITH_DES40_CBC_SHA" },
	{ 0xc006, "TLS_ECDHE_ECDSA_WITH_NULL_SHA" },
	{ 0xc010, "TLS_ECDHE_RSA_WITH_NULL_SHA" },
	{ 0xc015, "TLS_ECDH_anon_WITH_NULL_SHA" },
	{ 0x003b, "TLS_RSA_WITH_NULL_SHA256" },
	{ 0x0002, "TLS_RSA_WITH_NULL_SHA" },
	{ 0x0001, "TLS_RSA_WITH_NULL_MD5" },
};
enum { SUITES = sizeof suites / sizeof suites[0] };
_Static_assert(sizeof suites / sizeof suites[0] <= TLS_SUITES_MAX, "lists have room for the whole table");

/* The first part that a name has decides. */
static const struct {
	const char *part;
	enum tls_worth worth;
	const char *why;
} worths[] = {
	{ "_NULL_", TLS_WORTH_BROKEN, "nothing is encrypted" },
	{ "_EXPORT_", TLS_WORTH_BROKEN, "the key has 40 bits" },
	{ "_RC4_", TLS_WORTH_BROKEN, "RC4 can be read (RFC 7465)" },
	{ "_DES_CBC_", TLS_WORTH_BROKEN, "the key has 56 bits" },
	{ "_anon_", TLS_WORTH_ANON, "no certificate: anybody may be at the other end" },
	{ "_3DES_", TLS_WORTH_WEAK, "blocks of 64 bits (CVE-2016-2183)" },
	{ "_IDEA_", TLS_WORTH_WEAK, "blocks of 64 bits (CVE-2016-2183)" },
	{ "_SEED_", TLS_WORTH_WEAK, "a cipher that nobody looks after" },
	{ "TLS_RSA_", TLS_WORTH_WEAK, "no forward secrecy" },
	{ "TLS_ECDH_", TLS_WORTH_WEAK, "no forward secrecy" },
	{ "_CBC_", TLS_WORTH_OLD, "CBC with HMAC" },
};

const struct tls_suite *
tls_suite_find(uint16_t id)
{
	for (size_t i = 0; i < SUITES; i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

static bool
is_of_13(const struct tls_suite *s)
{
	return s->id >> 8 == 0x13;
}

/* Authenticated encryption and SHA-2 came with TLS 1.2 (RFC 5246). */
static bool
is_of_12(const struct tls_suite *s)
{
	return strstr(s->name, "_CBC_SHA256") != NULL || strstr(s->name, "_CBC_SHA384") != NULL ||
	       strstr(s->name, "_NULL_SHA256") != NULL || strstr(s->name, "_GCM_") != NULL ||
	       strstr(s->name, "_CCM") != NULL || strstr(s->name, "_POLY1305_") != NULL;
}

/* SSL 3 has no extensions, so no curve can be agreed on. */
static bool
knows(uint16_t version, const struct tls_suite *s)
{
	if (version == TLS13 || is_of_13(s))
		return version == TLS13 && is_of_13(s);
	if (version < TLS12 && is_of_12(s))
		return false;
	return version > SSL3 || strncmp(s->name, "TLS_ECDH", 8) != 0;
}

size_t
tls_suite_list(uint16_t version, uint16_t out[static TLS_SUITES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < SUITES; i++)
		if (knows(version, &suites[i]))
			out[n++] = suites[i].id;
	return n;
}

static size_t
find_worth(const struct tls_suite *s)
{
	size_t i = 0;

	while (i < sizeof worths / sizeof worths[0] && strstr(s->name, worths[i].part) == NULL)
		i++;
	return i;
}

enum tls_worth
tls_suite_worth(const struct tls_suite *s)
{
	size_t i = find_worth(s);

	return i < sizeof worths / sizeof worths[0] ? worths[i].worth : TLS_WORTH_GOOD;
}

const char *
tls_suite_why(const struct tls_suite *s)
{
	size_t i = find_worth(s);

	return i < sizeof worths / sizeof worths[0] ? worths[i].why : "";
}

/* RSA_EXPORT may send a short RSA key in its ServerKeyExchange: nothing that is looked at. */
enum tls_exchange
tls_suite_exchange(const struct tls_suite *s)
{
	if (strncmp(s->name, "TLS_ECDHE_", 10) == 0 || strncmp(s->name, "TLS_ECDH_anon_", 14) == 0)
		return TLS_EXCHANGE_ECDH;
	if (strncmp(s->name, "TLS_DHE_", 8) == 0 || strncmp(s->name, "TLS_DH_anon_", 12) == 0)
		return TLS_EXCHANGE_DH;
	return TLS_EXCHANGE_NONE;
}

enum { IN_12 = 1, IN_13 = 2, WEAK = 4 };
/* RFC 8422 5.1.1, RFC 7919, RFC 7027, RFC 8734; hybrids from IANA's table. */
static const struct {
	uint16_t id;
	const char *name;
	unsigned flags;
} groups[] = {
	{ 0x11ec, "X25519MLKEM768", IN_13 },
	{ 0x11eb, "SecP256r1MLKEM768", IN_13 },
	{ 0x001d, "x25519", IN_12 | IN_13 },
	{ 0x0017, "secp256r1", IN_12 | IN_13 },
	{ 0x0018, "secp384r1", IN_12 | IN_13 },
	{ 0x0019, "secp521r1", IN_12 | IN_13 },
	{ 0x001e, "x448", IN_12 | IN_13 },
	{ 0x001f, "brainpoolP256r1tls13", IN_13 },
	{ 0x0020, "brainpoolP384r1tls13", IN_13 },
	{ 0x0021, "brainpoolP512r1tls13", IN_13 },
	{ 0x001a, "brainpoolP256r1", IN_12 },
	{ 0x001b, "brainpoolP384r1", IN_12 },
	{ 0x001c, "brainpoolP512r1", IN_12 },
	{ 0x0016, "secp256k1", IN_12 },
	{ 0x0015, "secp224r1", IN_12 },
	{ 0x0013, "secp192r1", IN_12 | WEAK },
	{ 0x0100, "ffdhe2048", IN_13 },
	{ 0x0101, "ffdhe3072", IN_13 },
	{ 0x0102, "ffdhe4096", IN_13 },
	{ 0x0103, "ffdhe6144", IN_13 },
	{ 0x0104, "ffdhe8192", IN_13 },
};
enum { GROUPS = sizeof groups / sizeof groups[0] };
_Static_assert(sizeof groups / sizeof groups[0] <= TLS_GROUPS_MAX, "lists have room for the whole table");

static unsigned
group_flags(uint16_t id)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (groups[i].id == id)
			return groups[i].flags;
	return 0;
}

const char *
tls_group_name(uint16_t id)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (groups[i].id == id)
			return groups[i].name;
	return NULL;
}

bool
tls_group_is_weak(uint16_t id)
{
	return (group_flags(id) & WEAK) != 0;
}

size_t
tls_group_list(uint16_t version, uint16_t out[static TLS_GROUPS_MAX])
{
	unsigned flag = version == TLS13 ? IN_13 : IN_12;
	size_t n = 0;

	for (size_t i = 0; i < GROUPS; i++)
		if ((groups[i].flags & flag) != 0)
			out[n++] = groups[i].id;
	return n;
}

const char *
tls_version_name(uint16_t version)
{
	static const char *const names[] = { "SSL 3", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3" };

	return version >= SSL3 && version <= TLS13 ? names[version - SSL3] : "?";
}
