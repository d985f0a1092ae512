/*
 * web_message.c - what the page says (web.h).  Strangers' bytes: every size
 * is checked before anything is read.
 */
#include "display/keys.h"
#include "display/size.h"
#include "display/web.h"

enum { KEY_SIZE = 8, POINTER_SIZE = 6, WHEEL_SIZE = 6, SHOWN_SIZE = 8,
       ROOM_SIZE = 6,
       TEXT_HEAD = 4, CHARACTER = 4, TYPED_MAX = 4096,
       CHARACTER_MAX = 0x10ffff, DELAY_MAX_MS = 500 };

static void take_key(struct web *w, const uint8_t *p)
{
	uint32_t character = get32(p + 4);

	if (character <= CHARACTER_MAX)
		web_key(w->x, p[1], p[2], p[3], character);
}

static void take_text(struct web *w, const uint8_t *p, size_t size)
{
	for (size_t i = TEXT_HEAD; i + CHARACTER <= size &&
	     i < TYPED_MAX * CHARACTER; i += CHARACTER)
		if (get32(p + i) <= CHARACTER_MAX)
			web_type(w->x, get32(p + i));
}

static void take_pointer(struct web *w, const uint8_t *p)
{
	static const unsigned numbers[] = { 1, 3, 2, 8, 9 };

	keys_move(w->x, get16(p + 2), get16(p + 4));
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		keys_button(w->x, numbers[i], p[1] & 1u << i);
}

static void take_wheel(struct web *w, const uint8_t *p)
{
	enum { TURN_MAX = 20 * WHEEL_STEP };
	int by[2] = { (int16_t)get16(p + 2), (int16_t)get16(p + 4) };

	for (int i = 0; i < 2; i++) {
		by[i] = by[i] > TURN_MAX ? TURN_MAX :
			by[i] < -TURN_MAX ? -TURN_MAX : by[i];
		keys_wheel(w->x, by[i], i);
	}
}

static void take_shown(struct web *w, uint32_t number)
{
	if (w->frame - number >= w->frame - w->shown)
		return; /* older than what is known, or none */
	w->shown = number;
	w->delay_ms = clock_ms() - w->sent_ms[number % FRAMES_AHEAD];
	if (w->delay_ms > DELAY_MAX_MS)
		w->delay_ms = DELAY_MAX_MS;
}

void web_message(void *ctx, const uint8_t *p, size_t size)
{
	struct web *w = ctx;
	unsigned kind = size ? p[0] : 0;

	if (kind == PAGE_KEY && size == KEY_SIZE)
		take_key(w, p);
	else if (kind == PAGE_TEXT)
		take_text(w, p, size);
	else if (kind == PAGE_POINTER && size == POINTER_SIZE)
		take_pointer(w, p);
	else if (kind == PAGE_WHEEL && size == WHEEL_SIZE)
		take_wheel(w, p);
	else if (kind == PAGE_SHOWN && size == SHOWN_SIZE)
		take_shown(w, get32(p + 4));
	else if (kind == PAGE_VISIBLE && size > 1)
		w->is_visible = p[1];
	else if (kind == PAGE_RELEASE)
		web_keys_release(w->x);
	else if ((kind == PAGE_COPIED || kind == PAGE_PICTURE) &&
		 w->can_copy_in)
		copied_take(w, kind == PAGE_PICTURE, p + 1, size - 1);
	else if (kind == PAGE_ROOM && size == ROOM_SIZE)
		size_set(w->x, get16(p + 2), get16(p + 4));
	XFlush(w->x);
}
