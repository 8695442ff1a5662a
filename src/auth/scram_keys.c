/* scram_keys.c - the keys of SCRAM-SHA-256 (RFC 5802 3, RFC 7677). */
#include <postern/auth/verifier.h>

#include <sodium.h>

#include <openssl/evp.h>

#include <postern/auth/password.h>
#include <postern/core/mem.h>

static void
hmac(uint8_t out[static SCRAM_KEY_SIZE], const uint8_t *key, size_t nkey, struct str text)
{
	crypto_auth_hmacsha256_state h;

	crypto_auth_hmacsha256_init(&h, key, nkey);
	crypto_auth_hmacsha256_update(&h, (const unsigned char *)text.p, text.n);
	crypto_auth_hmacsha256_final(&h, out);
	mem_wipe(&h, sizeof h);
}

/* SaltedPassword := Hi(Normalize(password), salt, i); the rest follows from it. */
static bool
derive(struct scram_keys *k, struct str prepared)
{
	uint8_t salted[SCRAM_KEY_SIZE];
	uint8_t client[SCRAM_KEY_SIZE];

	if (PKCS5_PBKDF2_HMAC(prepared.p, (int)prepared.n, k->salt, SCRAM_SALT_SIZE, (int)k->iterations, EVP_sha256(),
		SCRAM_KEY_SIZE, salted) != 1)
		return false;
	hmac(client, salted, sizeof salted, STR("Client Key"));
	crypto_hash_sha256(k->stored, client, sizeof client);
	hmac(k->server, salted, sizeof salted, STR("Server Key"));
	mem_wipe(salted, sizeof salted);
	mem_wipe(client, sizeof client);
	return true;
}

bool
scram_keys_make(struct scram_keys *k, struct str password, struct str salt, uint32_t iterations)
{
	struct buf prepared;
	bool ok;

	*k = (struct scram_keys){ .iterations = iterations };
	if (salt.n != SCRAM_SALT_SIZE || iterations == 0 || iterations > INT32_MAX)
		return false;
	memcpy(k->salt, salt.p, SCRAM_SALT_SIZE);
	buf_init(&prepared, (size_t)PASSWORD_MAX * 20);
	ok = password_prepare_scram(&prepared, password, NULL) || password_prepare(&prepared, password, NULL);
	ok = ok && derive(k, buf_str(&prepared));
	buf_wipe(&prepared);
	return ok;
}

void
scram_keys_fake(struct scram_keys *k, struct str name, const uint8_t secret[static 32], uint32_t iterations)
{
	uint8_t salt[SCRAM_KEY_SIZE];

	*k = (struct scram_keys){ .iterations = iterations };
	hmac(salt, secret, 32, name);
	memcpy(k->salt, salt, SCRAM_SALT_SIZE);
	randombytes_buf(k->stored, sizeof k->stored);
	randombytes_buf(k->server, sizeof k->server);
}
