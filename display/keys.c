/*
 * keys.c - see keys.h.
 *
 * The viewer repeats held keys itself, so the server's own repeat is off.
 * A character that comes without a key gets one of the keys that the keyboard
 * map leaves unused; which has had a character longest ago gets the next, so
 * that a program has time to learn of it.
 */
#include "display/keys.h"

#include <X11/XKBlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

enum { BUTTONS = 10, SPARE_MAX = 32 };

static bool is_down[KEYS], is_pressed[BUTTONS];
static struct { KeyCode code; KeySym symbol; } spare[SPARE_MAX];
static unsigned spare_count, spare_next;
static int wheel_rest[2];    /* vertical, horizontal: less than a step */

/* ---- keys --------------------------------------------------------------- */
void keys_press(Display *x, KeyCode code, bool is_press)
{
	if (is_press && is_down[code])
		XTestFakeKeyEvent(x, code, False, CurrentTime);
	else if (!is_press && !is_down[code])
		return;
	XTestFakeKeyEvent(x, code, is_press, CurrentTime);
	is_down[code] = is_press;
}

/* ---- characters --------------------------------------------------------- */
static void find_spare(Display *x)
{
	int min, max, per_code;
	KeySym *map;

	XDisplayKeycodes(x, &min, &max);
	map = XGetKeyboardMapping(x, (KeyCode)min, max - min + 1, &per_code);
	for (int c = max; map && c >= min && spare_count < SPARE_MAX; c--) {
		bool is_used = false;

		for (int i = 0; i < per_code; i++)
			is_used |= map[(c - min) * per_code + i] != NoSymbol;
		if (!is_used)
			spare[spare_count++].code = (KeyCode)c;
	}
	if (map)
		XFree(map);
}

KeySym keys_symbol(uint32_t character)
{
	switch (character) {
	case '\n': case '\r': return XK_Return;
	case '\t': return XK_Tab;
	case '\b': return XK_BackSpace;
	case 27: return XK_Escape;
	}
	if ((character >= 32 && character < 127) ||
	    (character >= 160 && character < 256))
		return character;
	return 0x1000000 | character;
}

KeyCode keys_spare(Display *x, KeySym symbol)
{
	KeySym both[2] = { symbol, symbol };
	unsigned i;

	for (i = 0; i < spare_count; i++)
		if (spare[i].symbol == symbol)
			return spare[i].code;
	if (!spare_count)
		return 0;
	i = spare_next++ % spare_count;
	spare[i].symbol = symbol;
	XChangeKeyboardMapping(x, spare[i].code, 2, both, 1);
	XSync(x, False);
	return spare[i].code;
}

void keys_lock(Display *x, bool is_caps, bool is_num)
{
	XkbLockModifiers(x, XkbUseCoreKbd, LockMask | Mod2Mask,
			 (is_caps ? LockMask : 0u) | (is_num ? Mod2Mask : 0u));
}

/* ---- the mouse ---------------------------------------------------------- */
void keys_move(Display *x, int to_x, int to_y)
{
	XTestFakeMotionEvent(x, -1, to_x, to_y, CurrentTime);
}

void keys_button(Display *x, unsigned number, bool is_press)
{
	if (is_pressed[number] == is_press)
		return;
	is_pressed[number] = is_press;
	XTestFakeButtonEvent(x, number, is_press, CurrentTime);
}

void keys_wheel(Display *x, int by, bool is_horizontal)
{
	unsigned up = is_horizontal ? 7 : 4, down = is_horizontal ? 6 : 5;
	int *rest = &wheel_rest[is_horizontal];

	*rest += by;
	for (; *rest >= WHEEL_STEP; *rest -= WHEEL_STEP) {
		keys_button(x, up, true);
		keys_button(x, up, false);
	}
	for (; *rest <= -WHEEL_STEP; *rest += WHEEL_STEP) {
		keys_button(x, down, true);
		keys_button(x, down, false);
	}
}

/* ---- the whole ---------------------------------------------------------- */
void keys_release_all(Display *x)
{
	for (unsigned i = 0; i < KEYS; i++)
		keys_press(x, (KeyCode)i, false);
	for (unsigned i = 1; i < BUTTONS; i++)
		keys_button(x, i, false);
	XFlush(x);
}

/* The next viewer finds the spare keys spare. */
void keys_close(Display *x)
{
	KeySym none[2] = { NoSymbol, NoSymbol };

	keys_release_all(x);
	for (unsigned i = 0; i < spare_count; i++)
		if (spare[i].symbol != NoSymbol)
			XChangeKeyboardMapping(x, spare[i].code, 2, none, 1);
	XSync(x, False);
}

bool keys_open(Display *x)
{
	int a, b, c, d;

	if (!XTestQueryExtension(x, &a, &b, &c, &d))
		return false;
	XTestGrabControl(x, True);
	XAutoRepeatOff(x);
	find_spare(x);
	return true;
}
