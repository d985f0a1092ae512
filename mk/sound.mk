# The display's sound: the mixer, a library that programs load, and what names
# it to them.
display: $(DISPLAY_OUT)/bailey-display-sound $(DISPLAY_OUT)/asound.conf \
	$(DISPLAY_OUT)/libasound_module_pcm_bailey.so $(B)/tests/alsa-ctl.so
$(DISPLAY_OUT)/bailey-display: $(B)/display/sound_start.o
$(DISPLAY_OUT)/bailey-display-sound: $(B)/display/mixer.o
	@mkdir -p $(@D)
	$(CC) -o $@ $^
$(DISPLAY_OUT)/asound.conf: display/asound.conf
	@mkdir -p $(@D)
	cp $< $@

# ALSA's macros define functions that nothing declares.
ALSA_CFLAGS = $(filter-out -Wmissing-prototypes -Wshadow,$(DISPLAY_CFLAGS)) \
	-DPIC -fPIC -shared
$(DISPLAY_OUT)/libasound_module_pcm_bailey.so: display/alsa.c
	@mkdir -p $(@D) $(B)/display
	$(CC) $(ALSA_CFLAGS) -MF $(B)/display/alsa.d -o $@ $< -lasound
# For tests/display: a mixer for a client that does not play without one.
$(B)/tests/alsa-ctl.so: tests/display/alsa-ctl.c
	@mkdir -p $(@D) $(B)/display
	$(CC) $(ALSA_CFLAGS) -MF $(B)/display/alsa-ctl.d -o $@ $< -lasound
-include $(patsubst %,$(B)/display/%.d,sound_start mixer alsa alsa-ctl)
