/*
 * keys.h - keys, buttons and wheel of a viewer become the X server's, through
 * XTEST.  One viewer in a process; what it holds down is remembered here.
 */
#ifndef BAILEY_DISPLAY_KEYS_H
#define BAILEY_DISPLAY_KEYS_H

#include <X11/Xlib.h>
#include <stdbool.h>
#include <stdint.h>

enum { KEYS = 256 };

bool keys_open(Display *x);
void keys_close(Display *x);

/* The viewer repeats held keys itself. */
void keys_press(Display *x, KeyCode code, bool is_press);
/* What X calls a character. */
KeySym keys_symbol(uint32_t character);
/* A key that means this and nothing else, whatever modifiers are held; 0 if
 * there is none. */
KeyCode keys_spare(Display *x, KeySym symbol);
void keys_lock(Display *x, bool is_caps, bool is_num);

void keys_move(Display *x, int to_x, int to_y);
void keys_button(Display *x, unsigned number, bool is_press);
/* WHEEL_STEP is one notch; up and right are positive. */
enum { WHEEL_STEP = 120 };
void keys_wheel(Display *x, int by, bool is_horizontal);

void keys_release_all(Display *x);

#endif
