/* account.h - the commands of accounts, aliases and domains that need more than their words. */
#ifndef POSTERN_CLI_ACCOUNT_H
#define POSTERN_CLI_ACCOUNT_H

#include "command.h"

int do_user_add(struct cli *c);
int do_user_passwd(struct cli *c);
int do_user_quota(struct cli *c);
int do_user_check(struct cli *c);
int do_domain_del(struct cli *c);

extern const struct cli_show show_users, show_user, show_aliases, show_domains, show_explained;

#endif
