/* main.c - one program: the server, each of its roles, and the operator's commands. */
#include <string.h>

#include <postern/cli/cli.h>
#include <postern/role/serve.h>

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--role") == 0)
		return role_child(argc, argv);
	return cli_main(argc, argv);
}
