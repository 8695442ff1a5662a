/* show.c - prints what our parsers make of standard input, for compare.py: `show tree`, `show addresses`, `show date`,
 * `show text`, `show type`. */
#include <stdio.h>
#include <stdlib.h>

#include <postern/core/io.h>
#include <postern/message/addrlist.h>
#include <postern/message/charset.h>
#include <postern/message/date.h>
#include <postern/message/header.h>
#include <postern/message/mime.h>
#include <postern/message/word.h>

static void
show_tree(struct str in)
{
	struct arena a;
	const struct mime *m;

	arena_init(&a);
	m = mime_parse(&a, in, 0);
	for (const struct mime_part *p = m->root; p != NULL; p = mime_next(p)) {
		unsigned depth = 0;

		for (const struct mime_part *up = p->parent; up != NULL; up = up->parent)
			depth++;
		printf("%u %.*s/%.*s %llu %llu\n", depth, STR_ARG(p->type), STR_ARG(p->subtype),
		    (unsigned long long)p->body_at, (unsigned long long)p->body_size);
	}
	arena_fini(&a);
}

static void
show_addresses(struct str in)
{
	struct addrlist list = { 0 };
	struct arena a;

	arena_init(&a);
	addrlist_parse(&a, in, 10000, &list);
	if (list.malformed)
		printf("malformed\n");
	for (const struct addrlist_item *i = list.first; i != NULL; i = i->next)
		if (i->kind == ADDRLIST_MAILBOX)
			printf("%.*s\t%.*s\t%.*s\n", STR_ARG(i->display), STR_ARG(i->local), STR_ARG(i->domain));
	arena_fini(&a);
}

static void
show_date(struct str in)
{
	struct date d;

	if (date_parse_mail(in, &d))
		printf("%lld %d\n", (long long)d.seconds, d.zone);
}

static void
show_text(struct str in)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 16);
	word_decode(&b, in);
	fputs(buf_cstr(&b), stdout);
	buf_fini(&b);
}

static void
show_type(struct str in)
{
	struct str type, subtype;
	const struct param *p = NULL;
	struct arena a;
	struct buf b;

	arena_init(&a);
	buf_init(&b, SIZE_MAX / 16);
	if (param_parse_type(&a, in, &type, &subtype, &p))
		buf_addf(&b, "%.*s/%.*s\n", STR_ARG(type), STR_ARG(subtype));
	for (; p != NULL; p = p->next) {
		buf_add(&b, p->name);
		buf_add_char(&b, '=');
		param_decode(&b, p);
		buf_add_char(&b, '\n');
	}
	if (b.n > 0)
		fwrite(b.p, 1, b.n, stdout);
	buf_fini(&b);
	arena_fini(&a);
}

static const struct {
	const char *name;
	void (*show)(struct str in);
} modes[] = { { "tree", show_tree }, { "addresses", show_addresses }, { "date", show_date }, { "text", show_text },
	{ "type", show_type } };

int
main(int argc, char **argv)
{
	struct buf in;
	char chunk[4096];
	size_t n;

	charset_init();
	buf_init(&in, 1 << 26);
	while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0)
		buf_add(&in, str_from(chunk, n));
	for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
		if (str_eq(str_of(argv[1]), str_of(modes[i].name)))
			modes[i].show(buf_str(&in));
	buf_fini(&in);
	charset_fini();
	return 0;
}
