/*
 * login.c - who may look (session.h).
 *
 * TLS always.  A client that knows network-level authentication proves that
 * it has the password before anything else is said (NTLM, bound to the TLS
 * key); another sends user name and password through TLS, and they are
 * compared here.  Each wrong one is reported once, so that the supervisor can
 * count.
 */
#include "display/display.h"
#include "display/session.h"

#include <string.h>
#include <unistd.h>
#include <winpr/crt.h>
#include <winpr/ntlm.h>
#include <winpr/string.h>

static void report(enum report what)
{
	char byte = (char)what;

	if (write(SESSION_REPORT, &byte, 1) != 1)
		_exit(1); /* nobody is there to admit anyone */
}

static void refuse(struct session *s)
{
	if (!s->was_refused)
		report(REPORT_REFUSED);
	s->was_refused = true;
}

/* In a time that tells nothing of where they differ. */
static bool is_same(const char *a, const char *secret)
{
	size_t n = strlen(secret), given = strlen(a);
	unsigned differs = given != n;

	for (size_t i = 0; i < n; i++)
		differs |= (unsigned char)(i < given ? a[i] : 0) ^
			(unsigned char)secret[i];
	return !differs;
}

/* ---- network-level authentication --------------------------------------- */
static bool is_our_user(const struct session *s,
			const SEC_WINNT_AUTH_IDENTITY *id)
{
	char name[64] = "";

	if (!id->User || id->UserLength >= sizeof(name))
		return false;
	for (unsigned i = 0; i < id->UserLength; i++)
		name[i] = id->User[i] < 128 ? (char)id->User[i] : '?';
	return is_same(name, s->user);
}

/* The key that the client's proof must have been made with; not 0: there is
 * one (a truth value, whatever its type says).  Whoever does not go on from
 * here to be admitted had the wrong password. */
static SECURITY_STATUS compute_hash(void *client,
		const SEC_WINNT_AUTH_IDENTITY *id, const SecBuffer *proof,
		const BYTE *randkey, const BYTE *mic, const SecBuffer *mic_of,
		BYTE *hash)
{
	freerdp_peer *peer = client;
	struct session *s = (struct session *)peer->context;
	WCHAR password[64];
	size_t n = strlen(s->password);

	s->was_tried = true;
	if (!is_our_user(s, id) || n >= 64)
		return FALSE;
	for (size_t i = 0; i < n; i++)
		password[i] = (unsigned char)s->password[i];
	if (!NTOWFv2W(password, (UINT32)(n * sizeof(WCHAR)), id->User,
		      id->UserLength * sizeof(WCHAR), id->Domain,
		      id->DomainLength * sizeof(WCHAR), hash))
		return FALSE;
	return TRUE;
}

/* is_automatic: it has proved it already. */
static BOOL on_logon(freerdp_peer *peer, SEC_WINNT_AUTH_IDENTITY *identity,
		     BOOL is_automatic)
{
	struct session *s = (struct session *)peer->context;

	s->is_proved = is_automatic;
	return TRUE;
}

/* ---- the whole ---------------------------------------------------------- */
void login_failed(struct session *s)
{
	if (s->was_tried && !s->is_proved)
		refuse(s);
}

bool login_check(struct session *s)
{
	rdpSettings *set = s->peer->settings;
	const char *user = set->Username ? set->Username : "";
	const char *password = set->Password ? set->Password : "";

	if (!s->is_proved && (!is_same(user, s->user) ||
			      !is_same(password, s->password))) {
		refuse(s);
		return false;
	}
	s->is_admitted = true;
	report(REPORT_ADMITTED);
	return true;
}

bool login_prepare(struct session *s)
{
	rdpSettings *set = s->peer->settings;

	set->CertificateFile = _strdup(DISPLAY_CERTIFICATE);
	set->PrivateKeyFile = _strdup(DISPLAY_KEY);
	set->RdpSecurity = FALSE;
	set->TlsSecurity = TRUE;
	set->NlaSecurity = TRUE;
	s->peer->ComputeNtlmHash = compute_hash;
	s->peer->Logon = on_logon;
	return set->CertificateFile && set->PrivateKeyFile;
}
