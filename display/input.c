/*
 * input.c - keys, wheel and buttons of the client, handed on to the X server
 * (session.h, keys.h).
 */
#include "display/keys.h"
#include "display/session.h"

#include <freerdp/input.h>
#include <freerdp/scancode.h>
#include <winpr/input.h>

enum { KEYBOARD_TYPE = 4 }; /* as most clients say: IBM enhanced */

static uint16_t high_surrogate;

/* ---- keys --------------------------------------------------------------- */
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
		keys_press(s->x, (KeyCode)code, !(flags & KBD_FLAGS_RELEASE));
	XFlush(s->x);
	return TRUE;
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
	code = keys_spare(s->x, keys_symbol(character));
	if (code)
		keys_press(s->x, code, !(flags & KBD_FLAGS_RELEASE));
	XFlush(s->x);
	return TRUE;
}

/* The client's lock keys are these now; none of its others is held. */
static BOOL on_synchronize(rdpInput *input, UINT32 flags)
{
	struct session *s = (struct session *)input->context;

	if (!s->is_active)
		return TRUE;
	keys_release_all(s->x);
	keys_lock(s->x, flags & KBD_SYNC_CAPS_LOCK, flags & KBD_SYNC_NUM_LOCK);
	XFlush(s->x);
	return TRUE;
}

/* ---- the mouse ---------------------------------------------------------- */
static void turn(Display *x, UINT16 flags, bool is_horizontal)
{
	int by = flags & WheelRotationMask;

	if (flags & PTR_FLAGS_WHEEL_NEGATIVE)
		by -= 0x200; /* nine bits, two's complement */
	keys_wheel(x, by, is_horizontal);
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
		keys_move(s->x, px, py);
		if (flags & PTR_FLAGS_BUTTON1)
			keys_button(s->x, 1, is_press);
		if (flags & PTR_FLAGS_BUTTON2)
			keys_button(s->x, 3, is_press);
		if (flags & PTR_FLAGS_BUTTON3)
			keys_button(s->x, 2, is_press);
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
	keys_move(s->x, px, py);
	if (flags & PTR_XFLAGS_BUTTON1)
		keys_button(s->x, 8, is_press);
	if (flags & PTR_XFLAGS_BUTTON2)
		keys_button(s->x, 9, is_press);
	XFlush(s->x);
	return TRUE;
}

/* ---- the whole ---------------------------------------------------------- */
bool input_open(struct session *s)
{
	rdpInput *in = s->peer->input;

	if (!keys_open(s->x))
		return false;
	in->KeyboardEvent = on_key;
	in->UnicodeKeyboardEvent = on_character;
	in->SynchronizeEvent = on_synchronize;
	in->MouseEvent = on_mouse;
	in->ExtendedMouseEvent = on_more_mouse;
	return true;
}
