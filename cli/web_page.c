/*
 * web_page.c - the files of the page (web.h), in the command itself.
 */
#include "cli/web.h"

#define EMBED(name, file) \
	__asm__(".section .rodata\n" #name "_start:\n" \
		".incbin \"cli/page/" file "\"\n" #name "_end:\n.previous\n"); \
	extern const char name##_start[], name##_end[]

EMBED(web_html, "page.html");
EMBED(web_script, "page.js");
EMBED(web_style, "page.css");

struct web_file web_file(enum web_kind kind)
{
	switch (kind) {
	case WEB_PAGE:
		return (struct web_file){ web_html_start, web_html_end };
	case WEB_SCRIPT:
		return (struct web_file){ web_script_start, web_script_end };
	case WEB_STYLE:
		return (struct web_file){ web_style_start, web_style_end };
	default:
		return (struct web_file){ "", "" };
	}
}
