# What the command needs generated: its version, manual pages, completions.
VERSION := 0.1.0
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

# Rewritten only when it changes, so that nothing is rebuilt for nothing.
$(B)/gen/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define BAILEY_VERSION "%s"\n#define BAILEY_COMMIT "%s"\n' \
	  '$(VERSION)' '$(COMMIT)' > $@.new
	@cmp -s $@.new $@ 2>/dev/null && rm $@.new || mv $@.new $@
$(B)/cli/version.o: $(B)/gen/version.h
.PHONY: FORCE
FORCE:
