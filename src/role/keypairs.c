/* keypairs.c - certificate and key files: opened here, because keys has no files; watched here, for the same reason. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/core/buf.h>
#include <postern/core/io.h>
#include <postern/core/log.h>
#include <postern/role/state.h>
#include <postern/tls/keystore.h>
#include <postern/tls/selfsigned.h>

#include "parent.h"

/* Where the certificate is that we made ourselves. */
static void
own_paths(const struct conf *conf, char *cert, char *key, size_t size)
{
	snprintf(cert, size, "%s", state_path(conf, "keys/self-signed.pem"));
	snprintf(key, size, "%s", state_path(conf, "keys/self-signed.key"));
}

static bool
write_file(const char *path, struct str bytes, mode_t mode, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	bool ok = fd != -1 && io_write_all(fd, bytes) && fsync(fd) == 0;
	int kept = errno;

	io_close(&fd);
	return ok || err_perm(e, "", "cannot write %s: %s", path, strerror(kept));
}

bool
state_make_certificate(const struct conf *conf, struct err *e)
{
	char cert_path[4096];
	char key_path[4096];
	struct buf cert;
	struct buf key;
	bool ok;

	own_paths(conf, cert_path, key_path, sizeof cert_path);
	if (conf->tls.certificate.n > 0 || (access(cert_path, F_OK) == 0 && access(key_path, F_OK) == 0))
		return true;
	buf_init(&cert, KEYSTORE_FILE_MAX);
	buf_init(&key, KEYSTORE_FILE_MAX);
	ok = selfsigned_make(conf->hostname, &cert, &key, e) && write_file(key_path, buf_str(&key), 0600, e) &&
	    write_file(cert_path, buf_str(&cert), 0644, e);
	if (ok)
		log_say(LEVEL_INFO, "keys", "no certificate is configured: made a self-signed one, %s", cert_path);
	buf_fini(&cert);
	buf_wipe(&key);
	return ok;
}

static bool
hand_pair(struct proc *p, struct str id, struct str name, const char *cert, const char *key, struct err *e)
{
	int chain_fd = open(cert, O_RDONLY | O_CLOEXEC);
	int key_fd = open(key, O_RDONLY | O_CLOEXEC);
	bool ok = chain_fd != -1 && key_fd != -1;

	if (ok)
		say_keypair(p->chan, &(struct keypair_ask){ .id = id,
					 .names = { &name, name.n > 0 },
					 .fallback = name.n == 0,
					 .origin = str_of(key),
					 .chain = chain_fd,
					 .key = key_fd });
	else
		err_perm(e, "", "cannot open %s: %s", chain_fd == -1 ? cert : key, strerror(errno));
	io_close(&chain_fd);
	io_close(&key_fd);
	return ok;
}

bool
hand_keypairs(struct proc *p, bool reload, struct err *e)
{
	const struct conf_tls *tls = &p->server->conf->tls;
	char cert[4096];
	char key[4096];
	bool ok;

	own_paths(p->server->conf, cert, key, sizeof cert);
	ok = hand_pair(p, STR("default"), STR(""), tls->certificate.n > 0 ? tls->certificate.p : cert,
	    tls->certificate.n > 0 ? tls->key.p : key, e);
	for (size_t i = 0; i < tls->named.n; i++) {
		const struct conf_certificate *c = &tls->named.v[i];

		ok = hand_pair(p, c->name, c->name, c->certificate.p, c->key.p, e) && ok;
	}
	say_keypairs_end(p->chan, &(struct keypairs_end_ask){ .reload = reload });
	return ok;
}

static uint64_t
mix_file(uint64_t h, const char *path)
{
	struct stat st = { 0 };

	if (stat(path, &st) == -1)
		return h * 31 + 1;
	h = h * 31 + (uint64_t)st.st_ino;
	h = h * 31 + (uint64_t)st.st_size;
	h = h * 31 + (uint64_t)st.st_mtim.tv_sec;
	return h * 31 + (uint64_t)st.st_mtim.tv_nsec;
}

uint64_t
keypairs_fingerprint(const struct conf *conf)
{
	uint64_t h = 7;

	if (conf->tls.certificate.n > 0)
		h = mix_file(mix_file(h, conf->tls.certificate.p), conf->tls.key.p);
	for (size_t i = 0; i < conf->tls.named.n; i++)
		h = mix_file(mix_file(h, conf->tls.named.v[i].certificate.p), conf->tls.named.v[i].key.p);
	return h;
}
