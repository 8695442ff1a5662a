/* imapdata_wire.h - what writer and reader of the record agree on.
 *
 * The record: version, flags, size, then the parts in document order, each before its children. Numbers are LEB128; a list is its
 * length, then its items. A string is a number: 0 is "none"; else its length times two plus one, and its bytes follow, or its
 * length times two plus two, and its place in the lines follows. */
#ifndef MESSAGE_IMAPDATA_WIRE_H
#define MESSAGE_IMAPDATA_WIRE_H

enum { FLAG_NUL = 1, FLAG_8BIT = 2, FLAG_BARE_LF = 4, FLAG_LIMITED = 8, FLAGS = 15 };

#endif
