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

# The page of `view --web` is in the command.
$(B)/cli/web_page.o: $(wildcard cli/page/*)

# Manual pages and completions, from the same tables as the parser.
$(B)/gen-options: tools/gen-options.c cli/commands.tbl cli/options.tbl
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O1 $(WARN) -I. -o $@ $<
$(B)/man/bailey.1: docs/man/bailey.1.in $(B)/gen-options
	@mkdir -p $(@D)
	$(B)/gen-options man $< > $@
$(B)/man/%.5: docs/man/%.5
	@mkdir -p $(@D)
	cp $< $@
$(B)/completions/bailey.bash: $(B)/gen-options
	@mkdir -p $(@D)
	$< bash > $@
$(B)/completions/_bailey: $(B)/gen-options
	@mkdir -p $(@D)
	$< zsh > $@
$(B)/completions/bailey.fish: $(B)/gen-options
	@mkdir -p $(@D)
	$< fish > $@
docs: $(B)/man/bailey.1 $(B)/man/bailey-manifest.5 $(B)/man/bailey-image.5 \
	$(B)/completions/bailey.bash $(B)/completions/_bailey \
	$(B)/completions/bailey.fish
.PHONY: docs
all: docs
