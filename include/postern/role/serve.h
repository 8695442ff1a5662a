/* serve.h - the server: the parent process, and the roles that it starts. */
#ifndef POSTERN_ROLE_SERVE_H
#define POSTERN_ROLE_SERVE_H

/* `postern serve`: runs the server in the foreground with the configuration file until SIGTERM or `postern stop`; returns the
 * exit status. */
int role_serve(const char *conf_path);

/* `postern --role NAME INDEX`: one role, started by the parent with its channel as descriptor 3; arguments as main has them. Returns the exit status. */
int role_child(int argc, char **argv);

#endif
