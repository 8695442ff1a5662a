#!/usr/bin/python3
"""compare.py SHOW - our message parsers against Python's email package on the collections in $POSTERN_VECTORS, and
against the field values and expected results of one of them (mail-parser).

Compared where Python finds no defect (it is as lenient as we are elsewhere, but in other ways): the tree of
parts with the bodies of its leaves, addresses, dates, encoded words. Exit 0 when all agree, 77 without collections.
"""
import datetime
import email
import email.header
import email.utils
import json
import os
import subprocess
import sys

FOLDERS = ['mime-mail-parser', 'mime-mikel-mail', 'mime-mime4j']
# Where Python is known to be wrong, or to guess where we do not.
KNOWN = {
    ('bad_date_header2.eml', 'date'): 'a time of 59:10',
    ('raw_email_with_at_display_name.eml', 'addresses'): 'an unquoted @ in a display name',
    ('2002_06_12_doublebound.msg', 'tree'): 'two boundary lines in a row enclose an empty part (RFC 2046 5.1.1)',
    ('double-bound.msg', 'tree'): 'the same',
    ('intl.msg', 'text'): 'blanks between encoded words are dropped, also before US-ASCII (RFC 2047 6.2)',
}
# The same for the field values, by a part of them: URLs in angle brackets are no addresses to us, and these guesses we
# do not make.
KNOWN_FIELDS = {
    '20 11 (some': 'a month in digits',
    '4 8 15 16 23 42': 'a month in digits',
    '((invalid)': 'a value that ends at a line end inside a comment',
    'by 2002:aa7': 'the date of a Received field',
    "filename*1*=iso-8859-1'": 'a charset in every section (RFC 2231 4.1 (1))',
    'inva/lid; name="   ': 'blanks at the ends of a value',
    'key*9999=': 'sections behind a gap (RFC 2231 3)',
    'malicious/attempt': 'asterisks everywhere',
    'text/plain/format': 'a slash in a subtype',
    'test@test.com\ninvalid': 'a line end without a blank after it',
    '<http': 'a URL',
    '<mailto': 'a URL',
    'NO (': 'a word instead of an address',
}
ADDRESS_FIELDS = ['From', 'Sender', 'Reply-To', 'To', 'Cc', 'Bcc']


def show(program, mode, data):
    return subprocess.run([program, mode], input=data, stdout=subprocess.PIPE, check=True).stdout


def messages():
    for folder in FOLDERS:
        for path, _, names in os.walk(os.path.join(os.environ['POSTERN_VECTORS'], folder)):
            for name in sorted(names):
                if name.endswith(('.eml', '.msg')):
                    yield os.path.join(path, name)


def python_tree(part, depth=0):
    """The lines `show tree` prints, with bodies in place of offsets; None where Python sees a defect."""
    if part.defects:
        return None
    mine = [(depth, part.get_content_type(), None)]
    if part.get_content_maintype() in ('multipart', 'message') and part.is_multipart():
        if part.get_content_type() not in ('multipart/' + part.get_content_subtype(), 'message/rfc822'):
            return None
        for child in part.get_payload():
            tree = python_tree(child, depth + 1)
            if tree is None:
                return None
            mine += tree
    else:
        mine[0] = (depth, part.get_content_type(), part._payload)  # get_payload() would decode 8-bit
    return mine


def our_tree(program, data):
    lines = [line.split(' ') for line in show(program, 'tree', data).decode('latin-1').splitlines()]
    tree = []
    for i, (depth, kind, at, size) in enumerate(lines):
        leaf = i + 1 == len(lines) or int(lines[i + 1][0]) <= int(depth)
        body = data[int(at):int(at) + int(size)]
        tree.append((int(depth), kind, body.decode('ascii', 'surrogateescape') if leaf else None))
    return tree


def addresses(program, value):
    """Ours and Python's addresses without display names; None when the field is malformed to us."""
    lines = show(program, 'addresses', value).decode('utf-8', 'surrogateescape').splitlines()
    if 'malformed' in lines:
        return None
    ours = ['%s@%s' % tuple(line.split('\t')[1:]) for line in lines]
    text = value.decode('utf-8', 'surrogateescape')
    theirs = [address.replace(' ', '') for _, address in email.utils.getaddresses([text]) if '@' in address]
    unquoted = [a.replace('"', '').replace('\\', '') for a in theirs]
    return [a.replace(' ', '') for a in ours], unquoted


def date(program, value):
    ours = show(program, 'date', value).decode().split()
    parsed = email.utils.parsedate_tz(value.decode('latin-1'))
    theirs = [str(email.utils.mktime_tz(parsed)), str((parsed[9] or 0) // 60)] if parsed else []
    return ours, theirs


def text(program, value):
    """Ours and Python's reading of encoded words; None where Python knows no better than to give up."""
    try:
        pairs = email.header.decode_header(value.decode('ascii').replace('\r\n', '').replace('\n', ''))
        theirs = str(email.header.make_header(pairs)).strip()
    except (UnicodeError, LookupError, email.errors.HeaderParseError):
        return None
    return show(program, 'text', value).decode('utf-8'), theirs


def raw_fields(data, name):
    """Raw values of a field of the top header."""
    head = data.replace(b'\r\n', b'\n').split(b'\n\n')[0]
    value = None
    for line in head.split(b'\n') + [b':']:
        if line[:1] in (b' ', b'\t') and value is not None:
            value += b'\r\n' + line
            continue
        if value is not None:
            yield value
        value = line[len(name) + 1:] if line.lower().startswith(name.lower().encode() + b':') else None


def fields(name):
    path = os.path.join(os.environ['POSTERN_VECTORS'], 'mime-mail-parser', 'fields', name + '.json')
    with open(path, encoding='utf-8') as f:
        for row in json.load(f):
            value = row['header']
            for fold in ('\n\n', '\n \n'):
                value = value.split(fold)[0]
            yield value, row['expected']


def date_row(program, value, want):
    if want is None:
        return show(program, 'date', value.encode()).decode().split(), []
    zone = (want['tz_hour'] * 60 + want['tz_minute']) * (-1 if want['tz_before_gmt'] else 1)
    then = datetime.datetime(want['year'], want['month'], want['day'], want['hour'], want['minute'], want['second'],
                             tzinfo=datetime.timezone(datetime.timedelta(minutes=zone)))
    return show(program, 'date', value.encode()).decode().split(), [str(int(then.timestamp())), str(zone)]


def type_row(program, value, want):
    """Type, subtype and parameters; theirs have the language apart and no duplicates either."""
    lines = show(program, 'type', value.encode()).decode('utf-8').split('\n')[:-1]
    ours = [lines[0] if lines else None, {k.rstrip('*'): v for k, v in (line.split('=', 1) for line in lines[1:])}]
    if want is None or want['c_subtype'] is None:
        return ours, [None, {}]
    attributes = {k: v for k, v in want.get('attributes') or [] if not k.endswith('-language')}
    return ours, ['%s/%s' % (want['c_type'], want['c_subtype']), attributes]


def address_row(program, value, want):
    lists = [want] if 'Group' not in want else [{'List': g['addresses']} for g in want['Group']]
    theirs = [a['address'].split(':')[-1].replace(' ', '') for group in lists for a in group['List'] if a['address']]
    lines = show(program, 'addresses', value.encode()).decode('utf-8', 'surrogateescape').splitlines()
    return ['@'.join(line.split('\t')[1:]) for line in lines if line != 'malformed'], theirs


class Tally:
    def __init__(self):
        self.same, self.different = {}, 0

    def take(self, what, path, pair):
        if pair is None:
            return
        ours, theirs = pair
        if ours == theirs:
            self.same[what] = self.same.get(what, 0) + 1
            return
        if (os.path.basename(path), what) in KNOWN:
            return
        self.different += 1
        print('%s: %s\n  ours   %r\n  python %r' % (path, what, ours, theirs))


def main():
    if 'POSTERN_VECTORS' not in os.environ:
        return 77
    program, tally = sys.argv[1], Tally()
    for path in messages():
        with open(path, 'rb') as f:
            data = f.read()
        theirs = python_tree(email.message_from_bytes(data))
        if theirs is not None:
            tally.take('tree', path, (our_tree(program, data), theirs))
        for name in ADDRESS_FIELDS:
            for value in raw_fields(data, name):
                tally.take('addresses', path, addresses(program, value))
        for value in raw_fields(data, 'Date'):
            tally.take('date', path, date(program, value))
        for value in raw_fields(data, 'Subject'):
            tally.take('text', path, text(program, value))
    for name, row in (('date', date_row), ('content_type', type_row), ('address', address_row)):
        for value, want in fields(name):
            if not any(known in value for known in KNOWN_FIELDS):
                tally.take(name + '.json', repr(value), row(program, value, want))
    print('same:', tally.same, 'different:', tally.different)
    return 1 if tally.different or sum(tally.same.values()) < 200 else 0


if __name__ == '__main__':
    sys.exit(main())
