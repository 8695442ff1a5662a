/* envelope_wire.h - the numbers of the message file that its reader and its writer share. */
#ifndef POSTERN_MESSAGE_ENVELOPE_WIRE_H
#define POSTERN_MESSAGE_ENVELOPE_WIRE_H

/* The fixed header: magic 8, version 4, record length 4, recipients 4, targets 4, flags 4, zero 4, body length 8,
 * prefix length 8, zero to the end. */
#define ENVELOPE_MAGIC "\211postern"
enum { ENVELOPE_MAGIC_SIZE = 8, ENVELOPE_HEADER_PAD = 16 };

/* An item of the record: kind 1, length of its payload 2, payload. The head comes first and once. */
enum envelope_wire_kind { WIRE_HEAD = 1, WIRE_RECIPIENT = 2, WIRE_TARGET = 3 };
enum { WIRE_ITEM_HEAD = 3 };

#define ENVELOPE_NOTIFY_ALL                                                                                            \
	((unsigned)(ENVELOPE_NOTIFY_NEVER | ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY))

#endif
