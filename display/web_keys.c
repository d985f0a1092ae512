/*
 * web_keys.c - a browser's keys become the X server's (web.h).
 *
 * A browser tells which key it was and which character that makes in the
 * user's layout, which need not be the layout here.  So: the key itself, if it
 * makes that character here too; else a spare key that makes it.  In a
 * shortcut (Ctrl and Z) it is the key that makes that letter here, or else the
 * key itself.
 */
#include "display/keys.h"
#include "display/web.h"

#include <X11/XKBlib.h>
#include <X11/Xutil.h>

static KeyCode held[KEYS]; /* for the browser's key, the one here */

static void lock(Display *x, uint32_t flags)
{
	static uint32_t known = ~0u;
	uint32_t wanted = flags & (KEY_CAPS | KEY_NUM);

	if (wanted != known)
		keys_lock(x, flags & KEY_CAPS, flags & KEY_NUM);
	known = wanted;
}

static KeySym symbol_now(Display *x, KeyCode code)
{
	XkbStateRec s;
	unsigned used;
	KeySym symbol = NoSymbol;

	XkbGetState(x, XkbUseCoreKbd, &s);
	if (!code || !XkbLookupKeySym(x, code,
			XkbBuildCoreState(s.mods, s.group), &used, &symbol))
		return NoSymbol;
	return symbol;
}

static KeyCode key_of_letter(Display *x, KeySym symbol)
{
	KeySym lower, upper;

	XConvertCase(symbol, &lower, &upper);
	return XKeysymToKeycode(x, lower);
}

static KeyCode choose(Display *x, KeyCode code, uint32_t flags,
		      uint32_t character)
{
	KeySym symbol = keys_symbol(character);
	KeyCode other;

	if (!character || symbol_now(x, code) == symbol)
		return code;
	if (!(flags & KEY_SHORTCUT))
		return keys_spare(x, symbol);
	other = key_of_letter(x, symbol);
	return other ? other : code;
}

void web_type(Display *x, uint32_t character)
{
	KeyCode code = keys_spare(x, keys_symbol(character));

	if (!code || !character)
		return;
	keys_press(x, code, true);
	keys_press(x, code, false);
}

void web_key(Display *x, bool is_press, uint8_t code, uint32_t flags,
	     uint32_t character)
{
	KeyCode here;

	if (!is_press) {
		if (held[code])
			keys_press(x, held[code], false);
		held[code] = 0;
		return;
	}
	lock(x, flags);
	if (!code) {
		web_type(x, character);
		return;
	}
	here = choose(x, code, flags, character);
	if (held[code] && held[code] != here)
		keys_press(x, held[code], false);
	held[code] = here;
	if (here)
		keys_press(x, here, true);
}

void web_keys_release(Display *x)
{
	for (unsigned i = 0; i < KEYS; i++)
		held[i] = 0;
	keys_release_all(x);
}
