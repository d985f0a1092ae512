# Checks of image/: round trips, damage and hostile input, with sanitizers.
$(B)/image/encode.o: $(B)/gen/version.h
