/*
 * certificate.c - the sandbox's own key and self-signed certificate
 * (session.h).  ECDSA on P-256: each sandbox that goes on from an image makes
 * another when somebody first connects, and an RSA key takes 0.1 to 0.5 s of
 * processor time.
 */
#include "display/display.h"
#include "display/session.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>

enum { DAYS = 3650, DAY_SECONDS = 86400 };

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	unsigned char serial[8];

	RAND_bytes(serial, sizeof(serial));
	serial[0] = (serial[0] & 0x7f) | 1;
	X509_set_version(x, 2);
	ASN1_STRING_set(X509_get_serialNumber(x), serial, sizeof(serial));
	X509_gmtime_adj(X509_getm_notBefore(x), -DAY_SECONDS);
	X509_gmtime_adj(X509_getm_notAfter(x), (long)DAYS * DAY_SECONDS);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		(const unsigned char *)"bailey-display", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	if (!X509_sign(x, key, EVP_sha256()))
		return NULL;
	return x;
}

static int write_fingerprint(const X509 *x)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	FILE *f = fopen(DISPLAY_FINGERPRINT, "w");

	if (!f || !X509_digest(x, EVP_sha256(), digest, &size))
		return -1;
	for (unsigned i = 0; i < size; i++)
		fprintf(f, "%s%02x", i ? ":" : "", digest[i]);
	fputc('\n', f);
	return fclose(f);
}

int certificate_make(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? make_certificate(key) : NULL;
	FILE *f;

	umask(077);
	f = x ? fopen(DISPLAY_KEY, "w") : NULL;
	if (!f || !PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL,
					     NULL) || fclose(f))
		return -1;
	f = fopen(DISPLAY_CERTIFICATE, "w");
	if (!f || !PEM_write_X509(f, x) || fclose(f))
		return -1;
	return write_fingerprint(x);
}
