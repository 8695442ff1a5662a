/* sniff.c - what kind of client is this, by its first bytes? */
#include <postern/net/sniff.h>

#include <postern/core/str.h>

/* RFC 9110 9 and WebDAV's few that scanners use; each with the space behind it. */
static const struct str http_verb[] = {
	STR_INIT("GET "),
	STR_INIT("HEAD "),
	STR_INIT("POST "),
	STR_INIT("PUT "),
	STR_INIT("DELETE "),
	STR_INIT("CONNECT "),
	STR_INIT("OPTIONS "),
	STR_INIT("TRACE "),
	STR_INIT("PATCH "),
	STR_INIT("PROPFIND "),
	STR_INIT("PRI "),
};

static enum sniff
sniff_http(struct str bytes)
{
	bool more = false;

	for (size_t i = 0; i < sizeof http_verb / sizeof *http_verb; i++) {
		if (str_starts(bytes, http_verb[i]))
			return SNIFF_HTTP;
		more |= str_starts(http_verb[i], bytes);
	}
	return more ? SNIFF_MORE : SNIFF_OTHER;
}

enum sniff
sniff_first(struct str bytes)
{
	/* a handshake record: type 22, version 3.x (RFC 8446 5.1) */
	static const char record[] = { 0x16, 0x03 };

	if (bytes.n == 0)
		return SNIFF_MORE;
	if (bytes.p[0] != record[0])
		return sniff_http(bytes);
	if (bytes.n > 1 && bytes.p[1] != record[1])
		return SNIFF_OTHER;
	if (bytes.n < 3)
		return SNIFF_MORE;
	return (unsigned char)bytes.p[2] <= 4 ? SNIFF_TLS : SNIFF_OTHER;
}
