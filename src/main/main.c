/* main.c - one program: the server, each of its roles, and the operator's commands. */
#include <postern/cli/cli.h>

int
main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
