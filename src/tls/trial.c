/* trial.c - elimination of suites and groups, and whose preference counts. Ends after at most as many questions as
 * there are suites, and two more, whatever the server says. */
#include <postern/tls/trial.h>

#include <string.h>

void
tls_trial_suites(struct tls_trial *t, uint16_t version, struct str sni)
{
	*t = (struct tls_trial){ .of = TLS_TRIAL_SUITES, .version = version, .sni = sni };
	t->nsuites = tls_suite_list(version, t->suites);
	t->ngroups = tls_group_list(version, t->groups);
}

void
tls_trial_groups(struct tls_trial *t, uint16_t version, struct str sni, const uint16_t *suites, size_t n)
{
	*t = (struct tls_trial){ .of = TLS_TRIAL_GROUPS, .version = version, .sni = sni };
	for (size_t i = 0; i < n && t->nsuites < TLS_SUITES_MAX; i++) {
		const struct tls_suite *s = tls_suite_find(suites[i]);

		if (s != NULL && (version == 0x0304 || tls_suite_exchange(s) == TLS_EXCHANGE_ECDH))
			t->suites[t->nsuites++] = suites[i];
	}
	t->ngroups = tls_group_list(version, t->groups);
	if (t->nsuites == 0)
		t->step = TLS_TRIAL_OVER;
}

bool
tls_trial_offer(const struct tls_trial *t, struct tls_peek_offer *o)
{
	*o = (struct tls_peek_offer){ .version = t->version,
		.suites = t->suites,
		.nsuites = t->nsuites,
		.groups = t->groups,
		.ngroups = t->ngroups,
		.sni = t->sni,
		.compression = t->version != 0x0304 };
	return t->step != TLS_TRIAL_OVER;
}

/* False: it was not there. */
static bool
drop(uint16_t *v, size_t *n, uint16_t value)
{
	for (size_t i = 0; i < *n; i++)
		if (v[i] == value) {
			memmove(&v[i], &v[i + 1], (*n - i - 1) * sizeof v[0]);
			--*n;
			return true;
		}
	return false;
}

/* All that was accepted once more, the other way round: who insists on his own order chooses the same again. */
static void
reverse(struct tls_trial *t)
{
	t->step = TLS_TRIAL_OVER;
	if (t->of != TLS_TRIAL_SUITES || t->nchosen < 2)
		return;
	t->step = TLS_TRIAL_REVERSED;
	t->nsuites = t->nchosen;
	for (size_t i = 0; i < t->nchosen; i++)
		t->suites[i] = t->chosen[t->nchosen - 1 - i];
}

static void
eliminate(struct tls_trial *t, const struct tls_peek_answer *a)
{
	uint16_t choice = t->of == TLS_TRIAL_SUITES ? a->suite : a->group;

	if (t->nchosen == 0)
		t->first = *a;
	t->strange = a->version != t->version || !(t->of == TLS_TRIAL_SUITES ? drop(t->suites, &t->nsuites, choice)
									     : drop(t->groups, &t->ngroups, choice));
	if (t->strange) {
		t->step = TLS_TRIAL_OVER;
		return;
	}
	t->chosen[t->nchosen++] = choice;
	if (a->dh_bits > 0 && tls_suite_worth(tls_suite_find(a->suite)) != TLS_WORTH_ANON &&
	    (t->dh_bits == 0 || a->dh_bits < t->dh_bits))
		t->dh_bits = a->dh_bits;
	if (a->group > 0)
		t->curve = a->group;
	if (t->nsuites == 0 || t->ngroups == 0)
		tls_trial_refused(t);
}

void
tls_trial_chosen(struct tls_trial *t, const struct tls_peek_answer *a)
{
	if (t->step == TLS_TRIAL_ELIMINATES) {
		eliminate(t, a);
		return;
	}
	t->step = TLS_TRIAL_OVER;
	if (a->suite == t->chosen[0])
		t->order = TLS_ORDER_SERVER;
	else if (a->suite == t->chosen[t->nchosen - 1])
		t->order = TLS_ORDER_CLIENT;
}

void
tls_trial_refused(struct tls_trial *t)
{
	if (t->step == TLS_TRIAL_ELIMINATES) {
		t->complete = true;
		reverse(t);
	} else
		t->step = TLS_TRIAL_OVER;
}

void
tls_trial_lost(struct tls_trial *t)
{
	t->step = TLS_TRIAL_OVER;
}
