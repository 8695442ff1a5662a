/* probe_judge.c - tests of findings and grades: a port without fault, and one fault after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../../src/cli/probe_judge.h"

static struct tls_decision dane;
static struct sts_policy policy;

static void
accept_suites(struct port_facts *f, int version, const uint16_t *suites, size_t n)
{
	struct tls_trial *t = &f->versions[version];

	memcpy(t->chosen, suites, n * sizeof suites[0]);
	t->nchosen = n;
	t->first.secure_renegotiation = true;
	t->order = TLS_ORDER_SERVER;
}

/* A port of mail that lacks nothing. */
static struct port_facts
perfect(void)
{
	struct port_facts f = { .port = 25,
		.use = PORT_MAIL,
		.reached = PORT_TLS,
		.in_time = true,
		.injected = ANSWER_NO,
		.renegotiates = ANSWER_NO,
		.tickets = 2,
		.ticket_lifetime = 7200,
		.has_dane = true,
		.dane = &dane,
		.delivered = ANSWER_YES,
		.outcome = { .got = TLS_LEVEL_DANE, .words = "TLSA vouches" },
		.tlsa_fits = 1,
		.mx = TLS_DNS_SECURE,
		.address = TLS_DNS_SECURE };

	dane = (struct tls_decision){
		.connect = true, .level = TLS_LEVEL_DANE, .policy = TLSRPT_TLSA, .n_tlsa = 1, .why = "why"
	};
	policy = (struct sts_policy){ .mode = STS_ENFORCE };
	for (uint16_t v = 0; v < PORT_VERSIONS; v++)
		tls_trial_suites(&f.versions[v], (uint16_t)(0x0300 + v), STR(""));
	accept_suites(&f, 3, (const uint16_t[]){ 0xc02b, 0xc02c }, 2);
	accept_suites(&f, 4, (const uint16_t[]){ 0x1301, 0x1302 }, 2);
	f.groups.chosen[0] = 0x001d;
	f.groups.nchosen = 1;
	f.clear.asked = true;
	f.cert = (struct probe_cert){ .there = true,
		.name = "mx.d.test",
		.name_ok = true,
		.days_left = 80,
		.kind = "P-256",
		.bits = 256,
		.strength = 128,
		.count = 2 };
	return f;
}

static struct port_facts
perfect_client(void)
{
	struct port_facts f = perfect();

	f.port = 993;
	f.use = PORT_CLIENTS;
	f.protocol = TALK_IMAP;
	f.implicit = true;
	f.has_dane = false;
	f.delivered = ANSWER_UNKNOWN;
	f.injected = ANSWER_UNKNOWN;
	return f;
}

static bool
has(const struct judgement *j, const char *check, enum finding_level level)
{
	for (size_t i = 0; i < j->n; i++)
		if (strcmp(j->v[i].check, check) == 0 && j->v[i].level == level)
			return true;
	return false;
}

/* Nothing but good and notices. */
static void
no_faults(void **state)
{
	struct port_facts f[] = { perfect(), perfect_client() };
	struct judgement j;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		judge(&f[i], &j);
		assert_string_equal(grade_name(j.grade), "A+");
		for (size_t k = 0; k < j.n; k++)
			assert_int_equal(j.v[k].level, FINDING_GOOD);
	}
}

#define FAULT(name, ...)                                                                                               \
	static void name(struct port_facts *f)                                                                         \
	{                                                                                                              \
		(void)f;                                                                                               \
		__VA_ARGS__;                                                                                           \
	}
FAULT(stripped, f->reached = PORT_STOPPED; f->stop = TALK_NOT_OFFERED)
FAULT(no_handshake, f->reached = PORT_NO_TLS)
FAULT(injectable, f->injected = ANSWER_YES)
FAULT(clear_password, strcpy(f->clear.auth, "PLAIN LOGIN"))
FAULT(clear_challenge, strcpy(f->clear.auth, "CRAM-MD5"))
FAULT(imap_login, f->protocol = TALK_IMAP)
FAULT(ssl3, accept_suites(f, 0, (const uint16_t[]){ 0x002f }, 1))
FAULT(tls10, accept_suites(f, 1, (const uint16_t[]){ 0xc013 }, 1))
FAULT(no_tls13, f->versions[4].nchosen = 0)
FAULT(nothing_new, accept_suites(f, 1, (const uint16_t[]){ 0xc013 }, 1);
      f->versions[3].nchosen = f->versions[4].nchosen = 0)
FAULT(strange, f->versions[2].strange = true)
FAULT(rc4, accept_suites(f, 3, (const uint16_t[]){ 0xc02b, 0x0005 }, 2))
FAULT(anonymous, accept_suites(f, 3, (const uint16_t[]){ 0xc02b, 0xc018 }, 2))
FAULT(no_secrecy, accept_suites(f, 3, (const uint16_t[]){ 0xc02b, 0x009c }, 2))
FAULT(client_order, f->versions[4].order = TLS_ORDER_CLIENT)
FAULT(client_order_weak, no_secrecy(f); client_order(f))
FAULT(cbc, accept_suites(f, 3, (const uint16_t[]){ 0xc02b, 0xc009 }, 2))
FAULT(field_512, f->versions[3].dh_bits = 512)
FAULT(field_1024, f->versions[3].dh_bits = 1024)
FAULT(field_2048, f->versions[3].dh_bits = 2048)
FAULT(weak_group, f->groups.chosen[0] = 0x0013)
FAULT(renegotiates, f->renegotiates = ANSWER_YES)
FAULT(insecure_renegotiation, f->versions[3].first.secure_renegotiation = false)
FAULT(compresses, f->versions[3].first.compressed = true)
FAULT(early_data, f->early_data = true)
FAULT(long_tickets, f->ticket_lifetime = 30L * 86400)
FAULT(no_tickets, f->tickets = 0; f->ticket_lifetime = 0)
FAULT(no_certificate, f->cert.there = false)
FAULT(self_signed, f->cert.self_signed = true; f->cert.trust = "self-signed")
FAULT(unknown_ca, f->cert.trust = "unknown")
FAULT(other_name, f->cert.name_ok = false)
FAULT(no_name, f->cert.name = NULL)
FAULT(expired, f->cert.expired = true; f->cert.days_left = -3)
FAULT(early, f->cert.early = true)
FAULT(soon, f->cert.days_left = 5)
FAULT(short_key, f->cert.strength = 80)
FAULT(sha1, f->cert.weak_signature = "SHA-1")
FAULT(no_dane, dane.level = TLS_LEVEL_MAY; dane.policy = TLSRPT_NO_POLICY; f->delivered = ANSWER_UNKNOWN)
FAULT(no_dane_expired, no_dane(f); expired(f))
FAULT(mismatch, f->delivered = ANSWER_NO; f->outcome.words = "no TLSA record matches")
FAULT(dane_unknown, f->delivered = ANSWER_UNKNOWN)
FAULT(bogus, dane.connect = false)
FAULT(unusable, dane.level = TLS_LEVEL_ENCRYPT; f->delivered = ANSWER_UNKNOWN)
FAULT(rollover, dane.n_tlsa = 2)
FAULT(sts_good, no_dane(f); f->sts = NAMES_STS_RECORD; f->policy = &policy; f->sts_listed = true)
FAULT(sts_testing, sts_good(f); policy.mode = STS_TESTING)
FAULT(sts_none, sts_good(f); policy.mode = STS_NONE)
FAULT(sts_unlisted, sts_good(f); f->sts_listed = false)
FAULT(sts_bad_certificate, sts_good(f); other_name(f))
FAULT(sts_testing_unlisted, sts_testing(f); f->sts_listed = false)
FAULT(sts_broken, f->sts = NAMES_STS_BROKEN; f->sts_words = "broken")
FAULT(sts_unfetched, f->sts = NAMES_STS_RECORD; f->sts_words = "unfetched")
FAULT(late, f->in_time = false)

static const struct {
	void (*fault)(struct port_facts *f);
	const char *check;
	enum finding_level mail;
	const char *mail_grade;
	int clients; /* the level, -1: it is not looked at there */
	const char *clients_grade;
} rows[] = {
	{ stripped, "starttls", FINDING_BAD, "F", FINDING_BAD, "F" },
	{ no_handshake, "starttls", FINDING_BAD, "F", FINDING_BAD, "F" },
	{ injectable, "injection", FINDING_BAD, "F", FINDING_BAD, "F" },
	{ clear_password, "login", FINDING_BAD, "C", -1, "A+" },
	{ clear_challenge, "login", FINDING_WARN, "B", -1, "A+" },
	{ imap_login, "login", FINDING_BAD, "C", -1, "A+" },
	{ ssl3, "versions", FINDING_BAD, "D", FINDING_BAD, "D" },
	{ tls10, "versions", FINDING_WARN, "B", FINDING_WARN, "B" },
	{ no_tls13, "versions", FINDING_NOTICE, "A", FINDING_NOTICE, "A" },
	{ nothing_new, "versions", FINDING_BAD, "D", FINDING_BAD, "D" },
	{ nothing_new, "ciphers", FINDING_BAD, "D", FINDING_BAD, "D" },
	{ strange, "versions", FINDING_WARN, "B", FINDING_WARN, "B" },
	{ rc4, "ciphers", FINDING_BAD, "D", FINDING_BAD, "D" },
	{ anonymous, "ciphers", FINDING_NOTICE, "A+", FINDING_BAD, "D" },
	{ no_secrecy, "ciphers", FINDING_WARN, "B", FINDING_WARN, "B" },
	{ client_order, "order", FINDING_NOTICE, "A+", FINDING_NOTICE, "A+" },
	{ client_order_weak, "order", FINDING_NOTICE, "B", FINDING_NOTICE, "B" },
	{ cbc, "ciphers", FINDING_NOTICE, "A+", FINDING_NOTICE, "A" },
	{ field_512, "key exchange", FINDING_BAD, "D", FINDING_BAD, "D" },
	{ field_1024, "key exchange", FINDING_WARN, "C", FINDING_WARN, "C" },
	{ field_2048, "key exchange", FINDING_NOTICE, "A+", FINDING_NOTICE, "A+" },
	{ weak_group, "key exchange", FINDING_WARN, "C", FINDING_WARN, "C" },
	{ renegotiates, "renegotiation", FINDING_WARN, "B", FINDING_WARN, "B" },
	{ insecure_renegotiation, "renegotiation", FINDING_WARN, "C", FINDING_WARN, "C" },
	{ compresses, "compression", FINDING_WARN, "C", FINDING_WARN, "C" },
	{ early_data, "tickets", FINDING_WARN, "B", FINDING_WARN, "B" },
	{ long_tickets, "tickets", FINDING_NOTICE, "A", FINDING_NOTICE, "A" },
	{ no_tickets, "tickets", FINDING_NOTICE, "A+", FINDING_NOTICE, "A+" },
	{ no_certificate, "certificate", FINDING_BAD, "D", FINDING_BAD, "D" },
	{ self_signed, "certificate", FINDING_NOTICE, "A+", FINDING_BAD, "D" },
	{ unknown_ca, "certificate", FINDING_NOTICE, "A+", FINDING_BAD, "D" },
	{ other_name, "certificate", FINDING_NOTICE, "A+", FINDING_BAD, "D" },
	{ no_name, "certificate", FINDING_NOTICE, "A+", FINDING_NOTICE, "A+" },
	{ expired, "certificate", FINDING_NOTICE, "A+", FINDING_BAD, "D" },
	{ early, "certificate", FINDING_NOTICE, "A+", FINDING_BAD, "D" },
	{ soon, "certificate", FINDING_WARN, "A", FINDING_WARN, "A" },
	{ short_key, "certificate", FINDING_BAD, "D", FINDING_BAD, "D" },
	{ sha1, "certificate", FINDING_BAD, "D", FINDING_BAD, "D" },
	{ no_dane, "dane", FINDING_NOTICE, "A", -1, "A+" },
	{ no_dane_expired, "certificate", FINDING_WARN, "C", FINDING_BAD, "D" },
	{ mismatch, "dane", FINDING_BAD, "F", -1, "A+" },
	{ dane_unknown, "dane", FINDING_NOTICE, "A", -1, "A+" },
	{ bogus, "dane", FINDING_BAD, "F", -1, "A+" },
	{ unusable, "dane", FINDING_WARN, "B", -1, "A+" },
	{ rollover, "dane", FINDING_NOTICE, "A+", -1, "A+" },
	{ sts_good, "mta-sts", FINDING_GOOD, "A+", -1, "A+" },
	{ sts_testing, "mta-sts", FINDING_NOTICE, "A", -1, "A+" },
	{ sts_none, "mta-sts", FINDING_NOTICE, "A", -1, "A+" },
	{ sts_unlisted, "mta-sts", FINDING_BAD, "F", -1, "A+" },
	{ sts_bad_certificate, "mta-sts", FINDING_BAD, "F", -1, "D" },
	{ sts_testing_unlisted, "mta-sts", FINDING_WARN, "B", -1, "A+" },
	{ sts_broken, "mta-sts", FINDING_WARN, "B", -1, "A+" },
	{ sts_unfetched, "mta-sts", FINDING_WARN, "B", -1, "A+" },
	{ late, "time", FINDING_NOTICE, "A+", FINDING_NOTICE, "A+" },
};

static void
one_fault(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct port_facts mail = perfect();
		struct port_facts clients;
		struct judgement j;

		rows[i].fault(&mail);
		judge(&mail, &j);
		if (!has(&j, rows[i].check, rows[i].mail) || strcmp(grade_name(j.grade), rows[i].mail_grade) != 0)
			fail_msg("row %zu (%s): grade %s", i, rows[i].check, grade_name(j.grade));
		clients = perfect_client();
		rows[i].fault(&clients);
		judge(&clients, &j);
		if ((rows[i].clients >= 0 && !has(&j, rows[i].check, (enum finding_level)rows[i].clients)) ||
		    strcmp(grade_name(j.grade), rows[i].clients_grade) != 0)
			fail_msg("row %zu (%s) for clients: grade %s", i, rows[i].check, grade_name(j.grade));
	}
}

/* Several faults: the grade is that of the worst, and every one is told. */
static void
many_faults(void **state)
{
	struct port_facts f = perfect();
	struct judgement j;

	(void)state;
	tls10(&f);
	mismatch(&f);
	expired(&f);
	rc4(&f);
	judge(&f, &j);
	assert_string_equal(grade_name(j.grade), "F");
	assert_true(has(&j, "versions", FINDING_WARN) && has(&j, "dane", FINDING_BAD) &&
		    has(&j, "ciphers", FINDING_BAD) && has(&j, "certificate", FINDING_WARN));
}

static void
not_reached(void **state)
{
	struct port_facts f = perfect();
	struct judgement j;

	(void)state;
	f.reached = PORT_UNREACHED;
	judge(&f, &j);
	assert_int_equal(j.n, 0);
	assert_int_equal(j.grade, GRADE_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_faults),
		cmocka_unit_test(one_fault),
		cmocka_unit_test(many_faults),
		cmocka_unit_test(not_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
