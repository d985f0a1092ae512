/*
 * x-video.c - a window of 1280x720 that shows a noisy picture that moves, so
 * many frames a second:  x-video FRAMES_PER_SECOND SECONDS.  Each frame is
 * put whole, through shared memory, and bears its number in two corners, as
 * BITS blocks of black and white.
 */
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <time.h>

enum { WIDTH = 1280, HEIGHT = 720, BLOCK = 16, BITS = 16, PICTURES = 12,
       NOISE = 8 };

static uint32_t *pictures[PICTURES];

static unsigned noise(void)
{
	static uint32_t x = 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return (x >> 16) % NOISE;
}

static uint32_t pixel(int x, int y, int f)
{
	unsigned n = noise(), a = (unsigned)((x + f * 5) / 5) + n;
	unsigned b = (unsigned)((y + f * 3) / 3) + n;
	unsigned c = (unsigned)((x - 640) * (x - 640) +
				(y - 360) * (y - 360)) / 2000 + n;

	return (a & 255) << 16 | (b & 255) << 8 | (c & 255);
}

static void paint(void)
{
	for (int f = 0; f < PICTURES; f++) {
		pictures[f] = malloc(WIDTH * HEIGHT * 4);
		for (int y = 0; y < HEIGHT; y++)
			for (int x = 0; x < WIDTH; x++)
				pictures[f][y * WIDTH + x] = pixel(x, y, f);
	}
}

static void put_number(uint32_t *p, unsigned number, int left, int top)
{
	for (int y = top; y < top + BLOCK; y++)
		for (int x = 0; x < BITS * BLOCK; x++)
			p[y * WIDTH + left + x] =
				number >> x / BLOCK & 1 ? 0xffffff : 0;
}

static XImage *make_image(Display *d, XShmSegmentInfo *shm)
{
	XImage *i = XShmCreateImage(d, DefaultVisual(d, 0), 24, ZPixmap, NULL,
				    shm, WIDTH, HEIGHT);

	shm->shmid = shmget(IPC_PRIVATE, WIDTH * HEIGHT * 4, IPC_CREAT | 0600);
	shm->shmaddr = i->data = shmat(shm->shmid, NULL, 0);
	shm->readOnly = False;
	if (!XShmAttach(d, shm))
		return NULL;
	XSync(d, False);
	shmctl(shm->shmid, IPC_RMID, NULL);
	return i;
}

static void show(Display *d, Window w, XImage *image, int fps, int seconds)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	for (int f = 1; f < fps * seconds; f++) {
		uint32_t *to = (uint32_t *)(void *)image->data;

		memcpy(to, pictures[f % PICTURES], WIDTH * HEIGHT * 4);
		put_number(to, (unsigned)f, 0, 0);
		put_number(to, (unsigned)f, WIDTH - BITS * BLOCK,
			   HEIGHT - BLOCK);
		XShmPutImage(d, w, DefaultGC(d, 0), image, 0, 0, 0, 0, WIDTH,
			     HEIGHT, False);
		XSync(d, False);
		at.tv_nsec += 1000000000 / fps;
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
}

int main(int argc, char **argv)
{
	Display *d = XOpenDisplay(NULL);
	XShmSegmentInfo shm;
	XImage *image;
	XEvent e;
	Window w;

	if (argc != 3 || !d || !XShmQueryExtension(d))
		return 1;
	paint();
	w = XCreateSimpleWindow(d, DefaultRootWindow(d), 0, 0, WIDTH, HEIGHT,
				0, 0, 0);
	XStoreName(d, w, "x-video");
	XSelectInput(d, w, ExposureMask);
	XMapWindow(d, w);
	do
		XNextEvent(d, &e);
	while (e.type != Expose);
	image = make_image(d, &shm);
	if (!image)
		return 1;
	show(d, w, image, atoi(argv[1]), atoi(argv[2]));
	return 0;
}
