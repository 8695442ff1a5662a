/* man_main.c - writes postern.conf(5) to standard output; runs while postern is built. */
#include <stdio.h>

#include <postern/conf/conf.h>

int
main(void)
{
	struct buf man;
	int status;

	buf_init(&man, SIZE_MAX);
	conf_doc_man(&man);
	status = fputs(buf_cstr(&man), stdout) == EOF || fflush(stdout) == EOF;
	buf_fini(&man);
	return status;
}
