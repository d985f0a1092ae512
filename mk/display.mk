# The display: three guest programs beside the command, in display/.  Built only
# where the libraries' headers are (DEPS_DISPLAY); without them `bailey run
# --display` says what is missing.
DEPS_DISPLAY := freerdp2-dev libx11-dev libxtst-dev libxdamage-dev \
	libxfixes-dev libxrandr-dev libssl-dev pkg-config
DISPLAY_PC := freerdp-server2 freerdp2 winpr2 x11 xtst xdamage xfixes xrandr libcrypto
DISPLAY_FOUND := $(shell pkg-config --exists $(DISPLAY_PC) 2>/dev/null && echo yes)
# Headers of others: their warnings are not ours.
DISPLAY_INC = $(subst -I/,-isystem /,$(shell pkg-config --cflags \
	$(DISPLAY_PC) 2>/dev/null))
DISPLAY_OUT := $(B)/display-programs
DISPLAY_CFLAGS := -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -I. -MMD -MP
SESSION_OBJ := $(patsubst %,$(B)/display/%.o,session login screen pointer \
	input layout clipboard certificate keys framebuffer turn resize size)

ifeq ($(DISPLAY_FOUND),yes)
all: display
else
all: display-missing
endif

display: $(B)/tests/rdp-type $(DISPLAY_OUT)/bailey-display $(DISPLAY_OUT)/bailey-display-session \
	$(DISPLAY_OUT)/bailey-display-windows
display-missing:
	@echo "without a display: needs the packages $(DEPS_DISPLAY)"

$(DISPLAY_OUT)/bailey-display: $(B)/display/supervisor.o $(B)/display/access.o
	@mkdir -p $(@D)
	$(CC) -o $@ $^
$(DISPLAY_OUT)/bailey-display-windows: $(B)/display/windows.o $(B)/display/size.o
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(shell pkg-config --libs x11 xrandr 2>/dev/null)
$(DISPLAY_OUT)/bailey-display-session: $(SESSION_OBJ)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(shell pkg-config --libs $(DISPLAY_PC) 2>/dev/null)
$(B)/tests/rdp-type: tests/display/rdp-type.c
	@mkdir -p $(@D) $(B)/display
	$(CC) $(DISPLAY_CFLAGS) -MF $(B)/display/rdp-type.d \
	  $(DISPLAY_INC) -o $@ $< $(shell pkg-config --libs freerdp-client2 \
	  freerdp2 winpr2 2>/dev/null)
$(B)/display/%.o: display/%.c
	@mkdir -p $(@D)
	$(CC) $(DISPLAY_CFLAGS) $(DISPLAY_INC) -c -o $@ $<
.PHONY: display display-missing
-include $(SESSION_OBJ:.o=.d) $(B)/display/supervisor.d $(B)/display/access.d \
	$(B)/display/windows.d
