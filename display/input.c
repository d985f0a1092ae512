/*
 * input.c - keys, wheel and buttons of the client become the X server's
 * (session.h), through XTEST.
 *
 * The client repeats held keys itself, so the server's own repeat is off.
 * A character that comes without a key (Unicode input) gets one of the keys
 * that the keyboard map leaves unused; which has had a character longest ago
 * gets the next, so that a program has time to learn of it.
 */
#include "display/session.h"

#include <X11/XKBlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>
#include <freerdp/input.h>
#include <freerdp/scancode.h>
#include <string.h>
#include <winpr/input.h>

enum { KEYS = 256, BUTTONS = 10, SPARE_MAX = 32, WHEEL_STEP = 120 };
enum { KEYBOARD_TYPE = 4 }; /* as most clients say: IBM enhanced */

static bool is_down[KEYS], is_pressed[BUTTONS];
static struct { KeyCode code; KeySym symbol; } spare[SPARE_MAX];
static unsigned spare_count, spare_next;
static int wheel_rest[2];    /* vertical, horizontal: less than a step */
static uint16_t high_surrogate;

/* ---- keys --------------------------------------------------------------- */
static void key(Display *x, KeyCode code, bool is_press)
{
	if (is_press && is_down[code])
		XTestFakeKeyEvent(x, code, False, CurrentTime);
	else if (!is_press && !is_down[code])
		return;
	XTestFakeKeyEvent(x, code, is_press, CurrentTime);
	is_down[code] = is_press;
}

static BOOL on_key(rdpInput *input, UINT16 flags, UINT16 scancode)
{
	struct session *s = (struct session *)input->context;
	bool is_extended = flags & KBD_FLAGS_EXTENDED;
	DWORD vk, code;

	if (!s->is_active)
		return TRUE;
	vk = GetVirtualKeyCodeFromVirtualScanCode(scancode |
			(is_extended ? KBDEXT : 0), KEYBOARD_TYPE);
	code = GetKeycodeFromVirtualKeyCode(vk | (is_extended ? KBDEXT : 0),
					    KEYCODE_TYPE_EVDEV);
	if (code >= 8 && code < KEYS)
		key(s->x, (KeyCode)code, !(flags & KBD_FLAGS_RELEASE));
	XFlush(s->x);
	return TRUE;
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

static KeySym symbol_of(uint32_t character)
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

static KeyCode code_of(Display *x, KeySym symbol)
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

static BOOL on_character(rdpInput *input, UINT16 flags, UINT16 unit)
{
	struct session *s = (struct session *)input->context;
	uint32_t character = unit;
	KeyCode code;

	if (!s->is_active)
		return TRUE;
	if (unit >= 0xd800 && unit < 0xdc00) {
		high_surrogate = unit;
		return TRUE;
	}
	if (unit >= 0xdc00 && unit < 0xe000)
		character = 0x10000u + ((high_surrogate - 0xd800u) << 10) +
			(unit - 0xdc00u);
	code = code_of(s->x, symbol_of(character));
	if (code)
		key(s->x, code, !(flags & KBD_FLAGS_RELEASE));
	XFlush(s->x);
	return TRUE;
}

/* The client's lock keys are these now; none of its others is held. */
static BOOL on_synchronize(rdpInput *input, UINT32 flags)
{
	struct session *s = (struct session *)input->context;
	unsigned on = (flags & KBD_SYNC_CAPS_LOCK ? LockMask : 0) |
		(flags & KBD_SYNC_NUM_LOCK ? Mod2Mask : 0);

	if (!s->is_active)
		return TRUE;
	input_release_all(s);
	XkbLockModifiers(s->x, XkbUseCoreKbd, LockMask | Mod2Mask, on);
	XFlush(s->x);
	return TRUE;
}

/* ---- the mouse ---------------------------------------------------------- */
static void button(Display *x, unsigned number, bool is_press)
{
	if (is_pressed[number] == is_press)
		return;
	is_pressed[number] = is_press;
	XTestFakeButtonEvent(x, number, is_press, CurrentTime);
}

static void turn(Display *x, UINT16 flags, bool is_horizontal)
{
	int by = flags & WheelRotationMask, *rest = &wheel_rest[is_horizontal];
	unsigned up = is_horizontal ? 7 : 4, down = is_horizontal ? 6 : 5;

	if (flags & PTR_FLAGS_WHEEL_NEGATIVE)
		by -= 0x200; /* nine bits, two's complement */
	*rest += by;
	for (; *rest >= WHEEL_STEP; *rest -= WHEEL_STEP) {
		button(x, up, true);
		button(x, up, false);
	}
	for (; *rest <= -WHEEL_STEP; *rest += WHEEL_STEP) {
		button(x, down, true);
		button(x, down, false);
	}
}

static BOOL on_mouse(rdpInput *input, UINT16 flags, UINT16 px, UINT16 py)
{
	struct session *s = (struct session *)input->context;
	bool is_press = flags & PTR_FLAGS_DOWN;

	if (!s->is_active)
		return TRUE;
	if (flags & (PTR_FLAGS_WHEEL | PTR_FLAGS_HWHEEL)) {
		turn(s->x, flags, flags & PTR_FLAGS_HWHEEL);
	} else {
		XTestFakeMotionEvent(s->x, -1, px, py, CurrentTime);
		if (flags & PTR_FLAGS_BUTTON1)
			button(s->x, 1, is_press);
		if (flags & PTR_FLAGS_BUTTON2)
			button(s->x, 3, is_press);
		if (flags & PTR_FLAGS_BUTTON3)
			button(s->x, 2, is_press);
	}
	XFlush(s->x);
	return TRUE;
}

static BOOL on_more_mouse(rdpInput *input, UINT16 flags, UINT16 px, UINT16 py)
{
	struct session *s = (struct session *)input->context;
	bool is_press = flags & PTR_XFLAGS_DOWN;

	if (!s->is_active)
		return TRUE;
	XTestFakeMotionEvent(s->x, -1, px, py, CurrentTime);
	if (flags & PTR_XFLAGS_BUTTON1)
		button(s->x, 8, is_press);
	if (flags & PTR_XFLAGS_BUTTON2)
		button(s->x, 9, is_press);
	XFlush(s->x);
	return TRUE;
}

/* ---- the whole ---------------------------------------------------------- */
void input_release_all(struct session *s)
{
	for (unsigned i = 0; i < KEYS; i++)
		key(s->x, (KeyCode)i, false);
	for (unsigned i = 1; i < BUTTONS; i++)
		button(s->x, i, false);
	XFlush(s->x);
}

/* The next viewer finds the spare keys spare. */
void input_close(struct session *s)
{
	KeySym none[2] = { NoSymbol, NoSymbol };

	input_release_all(s);
	for (unsigned i = 0; i < spare_count; i++)
		if (spare[i].symbol != NoSymbol)
			XChangeKeyboardMapping(s->x, spare[i].code, 2, none, 1);
	XSync(s->x, False);
}

bool input_open(struct session *s)
{
	rdpInput *in = s->peer->input;
	int a, b, c, d;

	if (!XTestQueryExtension(s->x, &a, &b, &c, &d))
		return false;
	XTestGrabControl(s->x, True);
	XAutoRepeatOff(s->x);
	find_spare(s->x);
	in->KeyboardEvent = on_key;
	in->UnicodeKeyboardEvent = on_character;
	in->SynchronizeEvent = on_synchronize;
	in->MouseEvent = on_mouse;
	in->ExtendedMouseEvent = on_more_mouse;
	return true;
}
