/*
 * framebuffer.c - see framebuffer.h: an XWD file that Xvfb draws into.
 */
#include "display/framebuffer.h"
#include "display/display.h"

#include <X11/XWDFile.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool framebuffer_map(struct framebuffer *f)
{
	int fd = open(DISPLAY_FRAMEBUFFER, O_RDONLY | O_CLOEXEC);
	struct stat st;
	XWDFileHeader h;
	uint64_t start;
	uint8_t *p;

	if (fd < 0 || fstat(fd, &st) || read(fd, &h, sizeof(h)) != sizeof(h))
		return false;
	f->width = ntohl(h.pixmap_width);
	f->height = ntohl(h.pixmap_height);
	f->stride = ntohl(h.bytes_per_line);
	start = ntohl(h.header_size) + (uint64_t)ntohl(h.ncolors) *
		SIZEOF(XWDColor);
	if (ntohl(h.bits_per_pixel) != 32 ||
	    start + (uint64_t)f->stride * f->height > (uint64_t)st.st_size)
		return false;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	f->pixels = p + start;
	return p != MAP_FAILED;
}
