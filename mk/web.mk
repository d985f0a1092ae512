# The viewer in a browser: its guest program, built where its libraries'
# headers are and the rest of the display is (mk/display.mk).
DEPS_DISPLAY += libjpeg62-turbo-dev zlib1g-dev
WEB_PC := x11 xtst xdamage xfixes xrandr libjpeg zlib
WEB_FOUND := $(shell pkg-config --exists $(WEB_PC) 2>/dev/null && echo yes)
WEB_OBJ := $(patsubst %,$(B)/display/%.o,web web_message web_keys web_picture \
	web_tiles web_jpeg web_cursor web_copied websocket keys framebuffer \
	turn size)
ifeq ($(DISPLAY_FOUND)$(WEB_FOUND),yesyes)
display: $(DISPLAY_OUT)/bailey-display-web
endif
$(DISPLAY_OUT)/bailey-display-web: $(WEB_OBJ)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(shell pkg-config --libs $(WEB_PC) 2>/dev/null)
-include $(WEB_OBJ:.o=.d)

# What reads strangers' bytes, fuzzed under sanitizers.
FUZZ_WEB_SRC := cli/web_head.c lib/sha1.c display/websocket.c \
	display/web_message.c
$(B)/tests/fuzz-web: tests/fuzz/web.c $(FUZZ_WEB_SRC) cli/web.h display/web.h \
		display/websocket.h
	@mkdir -p $(@D)
	$(CC) $(UNIT_CC_FLAGS) -std=gnu11 -D_GNU_SOURCE -I. -o $@ $< \
	  $(FUZZ_WEB_SRC)
fuzz-web: $(B)/tests/fuzz-web
	$(B)/tests/fuzz-web 100000
.PHONY: fuzz-web
