/* man.c - postern.conf(5) in mdoc, made from the table. */
#include "doc.h"

static const char head[] = ".Dd November 20, 2026\n"
			   ".Dt POSTERN.CONF 5\n"
			   ".Os\n"
			   ".Sh NAME\n"
			   ".Nm postern.conf\n"
			   ".Nd configuration of the postern mail server\n"
			   ".Sh DESCRIPTION\n"
			   "The file consists of keys with values and of sections that hold keys:\n"
			   ".Bd -literal -offset indent\n"
			   "hostname = \"mx.example.org\"\n"
			   "domains  = { \"example.org\", \"example.net\" }   # a list\n"
			   "limits { message_size = 50M  recipients = 1000 }\n"
			   "route \"partner.example\" { tls = verify }       # a section with a title\n"
			   ".Ed\n"
			   ".Pp\n"
			   "Every key has a default;\n"
			   ".Ic hostname\n"
			   "and\n"
			   ".Ic domains\n"
			   "alone make a working server.\n"
			   "A word of letters, digits and the characters . : _ - needs no quotes, everything else "
			   "stands in \"double\" or 'single' ones.\n"
			   "In quotes, a backslash stands before a quote or a backslash.\n"
			   "Comments start with # or // and end with the line, or stand between /* and */.\n"
			   "Environment variables are not looked at and other files are not included.\n"
			   ".Pp\n"
			   "A key or section that is not known, given twice or wrong is an error.\n"
			   "A server that is told to reload a file with errors keeps the configuration it has.\n"
			   ".Sh TYPES\n"
			   ".Bl -tag -width Ds\n";

static const char tail[] =
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa /etc/postern/postern.conf\n"
    "The file that is read when neither\n"
    ".Fl c\n"
    "nor\n"
    ".Ev POSTERN_CONF\n"
    "names another.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    "A server for one domain, with a certificate, and with a second one for the clients that know it by another name:\n"
    ".Bd -literal -offset indent\n"
    "hostname = \"mx.example.org\"\n"
    "domains  = { \"example.org\" }\n"
    "tls {\n"
    "  certificate = \"/etc/postern/mx.pem\"\n"
    "  key         = \"/etc/postern/mx.key\"\n"
    "  server_name \"mail.example.org\" {\n"
    "    certificate = \"/etc/postern/mail.pem\"\n"
    "    key         = \"/etc/postern/mail.key\"\n"
    "  }\n"
    "}\n"
    ".Ed\n"
    ".Pp\n"
    "All mail for other hosts through a smarthost:\n"
    ".Bd -literal -offset indent\n"
    "route \"*\" {\n"
    "  to            = \"smtp.provider.example:587\"\n"
    "  user          = \"us\"\n"
    "  password_file = \"/etc/postern/provider.pw\"\n"
    "}\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr postern 8\n";

/* Plain text for roff: a new sentence begins a new line, nothing is taken for a request. */
static void
add_text(const char *text, struct buf *out)
{
	if (*text == '.' || *text == '\'')
		buf_add_cstr(out, "\\&");
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			buf_add_cstr(out, "\\e");
		else if (text[0] == '.' && text[1] == ' ')
			buf_add_cstr(out, *++text == ' ' ? ".\n" : ".");
		else
			buf_add_char(out, *text);
	}
	buf_add_char(out, '\n');
}

/* A value as one argument of a macro. */
static void
add_argument(struct str text, struct buf *out)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '"')
			buf_add_cstr(out, "\\(dq");
		else
			buf_add_char(out, text.p[i]);
	buf_add_char(out, '"');
}

static void
add_key(const struct conf_key *k, struct buf *out)
{
	struct buf text;

	buf_init(&text, 4096);
	conf_doc_default(k, &text);
	buf_addf(out, ".It Ic %s No = ", k->name);
	add_argument(buf_str(&text), out);
	buf_add_char(out, '\n');
	buf_clear(&text);
	conf_doc_kind(k, &text);
	buf_addf(out, ".Pq %s", buf_cstr(&text));
	buf_add_char(out, '\n');
	add_text(k->help, out);
	if (k->restart)
		buf_add_cstr(out, "A change needs a restart.\n");
	if (k->rfc != NULL)
		buf_addf(out, "See RFC %s.\n", k->rfc);
	buf_fini(&text);
}

static void
add_section(const struct conf_section *s, struct buf *out)
{
	if (*s->name == '\0')
		buf_add_cstr(out, ".Ss The top of the file\n");
	else
		buf_addf(out, ".Ss %s%s\n", s->name, s->title != NULL ? " title" : "");
	add_text(s->help, out);
	if (s->title != NULL)
		buf_addf(out, "The title is %s.\n", s->title->syntax);
	buf_add_cstr(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < conf_nkeys; i++)
		if (strcmp(conf_keys[i].section, s->name) == 0)
			add_key(&conf_keys[i], out);
	buf_add_cstr(out, ".El\n");
}

static void
add_type(const struct conf_type *t, struct buf *out)
{
	buf_addf(out, ".It %s\n", t->name);
	add_text(t->syntax, out);
}

void
conf_doc_man(struct buf *out)
{
	static const struct conf_type *const types[] = { &type_address, &type_bool, &type_choice, &type_domain,
		&type_host, &type_letter, &type_listen, &type_servers, &type_domains, &type_networks, &type_number,
		&type_path, &type_size, &type_string, &type_time };

	buf_add_cstr(out, head);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		add_type(types[i], out);
	buf_add_cstr(out, ".El\n.Sh KEYS\n");
	for (size_t i = 0; i < conf_nsections; i++)
		add_section(&conf_sections[i], out);
	buf_add_cstr(out, tail);
}
