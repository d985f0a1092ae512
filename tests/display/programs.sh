#!/bin/bash
# programs.sh - desktop programs of Debian: each on a sandbox's screen, seen and
# driven through a real RDP client, and beside it on an X server without bailey,
# driven by the same keys and clicks.  Both must show the same, to the last
# pixel, and save the same.  Then ten generations of some, saved and resumed.
# usage: tests/display/programs.sh [xterm mousepad gedit calculators writer gimp
#        qt firefox chromium generations ...]
. tests/lib.sh
export LC_ALL=C XDG_RUNTIME_DIR=$TMP/run HOME=$TMP/home
mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$HOME"
parts=${*:-xterm mousepad gedit calculators writer gimp qt firefox chromium
	generations}
own=() viewer= program= # processes that we have started
end() {
	local n
	for n in $("$BAILEY" ps -q 2>/dev/null); do
		"$BAILEY" rm -f "$n" >/dev/null
	done
	stop_natively
	leave
	[ ${#own[@]} = 0 ] || kill "${own[@]}" 2>/dev/null
	wait
	rm -rf "$TMP"
}
needs() { # NAME PROGRAM...: all of them are installed
	local p missing=
	for p in "${@:2}"; do
		command -v "$p" >/dev/null || missing="$missing $p"
	done
	[ -z "$missing" ] && return
	skip "$1" "not installed:$missing (make deps-all)"
	return 1
}

# ---- three X servers: the client's, the sandbox's, and one without bailey ------
xserver() { # VARIABLE SIZE
	local file=$TMP/number.$1
	exec 7>"$file"
	timeout -k 5 3000 Xvfb -displayfd 7 -screen 0 "$2x24" -dpi 96 \
		-nolisten tcp -noreset -s 0 2>/dev/null &
	own+=($!)
	exec 7>&-
	until_true 20 test -s "$file" || return 1
	declare -g "$1=:$(cat "$file")"
}
at_desk() { DISPLAY=$desk "$@"; }
outside() {
	env -i PATH="$PATH" HOME="$TMP/native" DISPLAY="$native" "$@"
}
inside() { "$BAILEY" exec -e DISPLAY=:0 "$@" </dev/null; }
both() { # XDOTOOL-ARG...: by the client, and without bailey
	at_desk xdotool "$@"
	DISPLAY=$native xdotool "$@"
}
types() { both mousemove 500 740 type --delay 40 "$1"; }
presses() { # KEY...
	local k
	for k; do
		both mousemove 500 740 key "$k"
		sleep 0.3
	done
}
clicks() { both mousemove "$1" "$2" click 1; }

leave() {
	[ -z "$viewer" ] || kill "$viewer" 2>/dev/null
	wait "$viewer" 2>/dev/null
	viewer=
}
view() { # SANDBOX
	at_desk timeout -k 5 600 "$BAILEY" view "$1" >"$TMP/view" 2>&1 &
	viewer=$!
	until_true 20 is_shown "$1"
}
stop_natively() {
	[ -z "$program" ] && return
	kill -- "-$program" 2>/dev/null
	sleep 0.2
	kill -9 -- "-$program" 2>/dev/null
	wait "$program" 2>/dev/null
	program=
}
start() { # SANDBOX ARG...: inside, and a viewer
	"$BAILEY" run -d -q --name "$1" --display --display-size 1024x768 \
		--clipboard both -v "$TMP/in:$TMP/out" -w "$TMP/out" "${@:2}" \
		>/dev/null </dev/null && view "$1"
}
start_both() { # SANDBOX PROGRAM ARG...: each has its own copy of $TMP/in
	rm -rf "$TMP/native" "$TMP/out"
	mkdir "$TMP/native"
	cp -r "$TMP/in" "$TMP/out"
	(cd "$TMP/out" && exec env -i PATH="$PATH" HOME="$TMP/native" \
		DISPLAY="$native" setsid timeout -k 5 600 "${@:2}" \
		>"$TMP/native.log" 2>&1 </dev/null) &
	program=$!
	# that both can paste: some programs show whether they can
	printf copied | at_desk xclip -i -selection clipboard >/dev/null 2>&1
	printf copied | outside xclip -i -selection clipboard >/dev/null 2>&1
	check "$1 starts" start "$@"
}
stop_both() { # SANDBOX
	[ -z "$KEEP" ] || cp "$TMP/view" "$KEEP/$1-view"
	[ -z "$KEEP" ] || "$BAILEY" logs "$1" >"$KEEP/$1-logs" 2>&1
	[ -z "$KEEP" ] || cp -r "$TMP/in" "$TMP/out" "$KEEP/"
	stop_natively
	leave
	"$BAILEY" rm -f "$1" >/dev/null 2>&1
	rm -rf "$TMP/in"
	mkdir "$TMP/in"
}

# ---- what is to be seen ------------------------------------------------------------
look() { # PICTURE COMMAND...
	"${@:2}" xwd -silent -root >"$TMP/$1.xwd" &&
		convert "xwd:$TMP/$1.xwd" -crop 1024x768+0+0 +repage \
			"$TMP/$1.png"
}
same_picture() {
	[ "$(compare -metric AE "$TMP/$1.png" "$TMP/$2.png" null: 2>&1)" = 0 ]
}
differs() { # the rectangle in which two pictures do
	convert "$TMP/$1.png" "$TMP/$2.png" -compose difference -composite \
		-threshold 0 -format '%@' info: 2>&1 | head -1
}
is_drawn() { # SANDBOX: more than a few colours
	look in inside "$1" &&
		[ "$(convert "$TMP/in.png" -unique-colors -format %w info:)" \
			-gt "${2:-8}" ]
}
is_shown() { # SANDBOX: the client shows what is there
	look in inside "$1" && look client at_desk && same_picture in client
}
is_alike() { # SANDBOX: ... which is what is there without bailey
	both mousemove 500 739 mousemove 500 740 # what lies below it knows
	is_drawn "$1" "$2" && look out outside && same_picture in out
}
alike() { # NAME SANDBOX [COLOURS]
	if until_true 30 is_alike "$2" $3; then
		pass "$1: the same as without bailey"
	else
		fail "$1: the same as without bailey" "not in $(differs in out)"
	fi
	[ -z "$KEEP" ] || cp "$TMP/in.png" "$KEEP/$2-in.png"
	[ -z "$KEEP" ] || cp "$TMP/out.png" "$KEEP/$2-out.png"
	check "... and what the client shows" until_true 20 is_shown "$2"
	[ -z "$KEEP" ] || cp "$TMP/client.png" "$KEEP/$2-client.png"
	[ -z "$KEEP" ] || cp "$TMP/in.png" "$KEEP/$2-in2.png"
}


# ---- the programs ------------------------------------------------------------------
part_xterm() {
	needs xterm xterm || return
	start_both terminal xterm -e env PS1='$ ' sh
	alike "a terminal" terminal 1
	types 'seq 3 | tac; echo $((6*7)) >saved'
	presses Return
	types "printf '\\033[31mred\\033[0m \\033[7mback\\033[0m\\n'; stty size"
	presses Return
	alike "... what a shell writes" terminal 1
	check "... and saves" cmp "$TMP/in/saved" "$TMP/out/saved"
	stop_both terminal
}
edit() { # PROGRAM
	needs "$1" "$1" || return
	printf 'first line\nsecond line\n' >"$TMP/in/notes.txt"
	start_both "$1" "$1" notes.txt
	alike "$1 with a file" "$1"
	presses ctrl+End
	types 'typed: aB 42'
	presses Return Up Home shift+End ctrl+c ctrl+End ctrl+v
	[ "$1" = gedit ] || alike "... edited" "$1"
	presses ctrl+s
	check "... saved" until_true 10 eval 'grep -q typed "$TMP/in/notes.txt" &&
		cmp "$TMP/in/notes.txt" "$TMP/out/notes.txt"'
	stop_both "$1"
}
part_mousepad() { edit mousepad; }
part_gedit() { edit gedit; }
part_qt() { edit featherpad; }
copied_is() { # TEXT
	[ "$(at_desk timeout 3 xclip -o -selection clipboard)" = "$1" ]
}
calculate() { # PROGRAM
	needs "$1" "$1" || return
	start_both "$1" "$1"
	alike "$1" "$1"
	types '6*7'
	presses Return
	alike "... 6*7" "$1"
	presses ctrl+c
	check "... and the result is copied to the client" \
		until_true 10 copied_is 42
	stop_both "$1"
}
part_calculators() {
	calculate gnome-calculator
	calculate kcalc
}
titles='env LC_ALL=C.UTF-8 xwininfo -root -tree'
has_window() { # SANDBOX NAME: inside, and outside
	inside "$1" $titles | grep -qF "$2" && outside $titles | grep -qF "$2"
}
text_of() { sed -n '/<text:p/s/<[^>]*>//gp' "$1"; }
part_writer() {
	needs "LibreOffice Writer" soffice xwininfo || return
	cat >"$TMP/in/a.fodt" <<-'XML'
	<?xml version="1.0" encoding="UTF-8"?>
	<office:document office:version="1.2"
	office:mimetype="application/vnd.oasis.opendocument.text"
	xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
	xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
	><office:body><office:text><text:p>A document.</text:p></office:text
	></office:body></office:document>
	XML
	start_both writer env -u WAYLAND_DISPLAY soffice --norestore --writer \
		a.fodt
	check "LibreOffice Writer opens a document" until_true 60 \
		has_window writer 'Tip of the Day'
	presses Escape ctrl+End
	types ' Typed.'
	alike "... and takes text" writer
	presses ctrl+s
	check "... saved" until_true 20 eval '
		text_of "$TMP/in/a.fodt" | grep -q Typed &&
		[ "$(text_of "$TMP/in/a.fodt")" = "$(text_of "$TMP/out/a.fodt")" ]'
	stop_both writer
}
part_gimp() {
	needs GIMP gimp || return
	start_both gimp gimp --new-instance --no-splash
	check "GIMP starts" until_true 60 has_window gimp 'GNU Image Manip'
	alike "... and shows itself" gimp
	presses ctrl+n
	check "... asks for a size" until_true 20 \
		has_window gimp 'Create a New Image'
	presses Return
	sleep 3
	presses ctrl+comma p x # filled black; a brush, and it is white
	clicks 400 300
	check "... fills a picture" until_true 20 is_shown gimp
	presses ctrl+shift+e
	check "... asks for a file" until_true 20 has_window gimp 'Export Image'
	presses ctrl+a
	types "$TMP/out/filled.png"
	presses Return
	sleep 3
	presses Return
	check "... saves it" until_true 20 eval 'same_files filled.png'
	stop_both gimp
}
same_files() { # NAME: two pictures
	[ "$(compare -metric AE "$TMP/in/$1" "$TMP/out/$1" null: 2>&1)" = 0 ]
}

# ---- browsers ------------------------------------------------------------------------
told() { # in | out
	sed -n 's/.*GET \/told?\([^ ]*\) .*/\1/p' "$TMP/$1/server.log"
}
title_is() { # SANDBOX TEXT: here and there
	has_window "$1" "$2"
}
port=$((20000 + $$ % 10000))
browse() { # NAME PROGRAM ARG...
	cp tests/display/web/* "$TMP/in/"
	mkdir -p "$TMP/in/profile"
	cp tests/display/web/user.js "$TMP/in/profile/"
	start_both "$1" sh serve.sh $port "${@:2}" \
		"http://localhost:$port/page.html"
	check "$1: a page and its scripts" until_true 120 eval \
		'[ -n "$(told in)" ] && [ -n "$(told out)" ]'
	same "... can do what it can without bailey" "$(told out)" "$(told in)"
	same "... which is all" "" "$(told in | grep -o 'failed[^"]*')"
	check "... shows its title" until_true 20 has_window "$1" '[] 0'
	types 'aB 42'
	check "... takes keys" until_true 20 has_window "$1" '[aB 42] 0'
}
press_button() { # SANDBOX: it is 300 wide, below the field
	local y
	for y in $(seq 100 20 400); do
		clicks 100 "$y"
	done
	check "... and clicks" until_true 20 was_clicked "$1"
}
was_clicked() { inside "$1" $titles | grep -qE '\] [1-9]'; } # SANDBOX
part_firefox() {
	needs Firefox firefox-esr python3 xwininfo || return
	browse firefox firefox-esr --no-remote --profile profile
	press_button firefox
	alike "... and shows the page" firefox
	stop_both firefox
}
part_chromium() {
	needs Chromium chromium python3 xwininfo || return
	browse chromium chromium --no-sandbox --no-first-run \
		--password-store=basic --user-data-dir=profile
	press_button chromium
	alike "... and shows the page" chromium
	stop_both chromium
}

# ---- ten generations -----------------------------------------------------------------
next_generation() { # SANDBOX
	leave
	"$BAILEY" save -q "$1" --stop -o "$TMP/$1.bly" &&
		"$BAILEY" resume -q -d -v "$TMP/in:$TMP/out" "$TMP/$1.bly" \
			>/dev/null </dev/null
}
generations() { # SANDBOX: in each, it is seen and takes text
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		check "$1, generation $i" next_generation "$1"
		check "... its windows are there" view "$1"
		types "$i "
	done
}
part_generations() {
	start_both editor mousepad
	alike "an editor" editor
	generations editor
	alike "ten generations of unsaved text" editor
	stop_both editor

	start_both terminal xterm -e sh -c 'echo ready; exec cat >lines'
	alike "a terminal" terminal 1
	generations terminal
	alike "ten generations of a terminal" terminal 1
	presses Return
	check "... its program got all lines" until_true 5 eval \
		'grep "1 2 .* 10" "$TMP/in/lines" &&
		cmp "$TMP/in/lines" "$TMP/out/lines"'
	stop_both terminal

	start animation ico
	check "an animation" until_true 10 moves animation
	for i in 1 2 3 4 5 6 7 8 9 10; do
		check "an animation, generation $i" next_generation animation
		check "... goes on" until_true 10 moves animation
	done
	stop_both animation

	needs Firefox firefox-esr python3 xwininfo || return
	browse firefox firefox-esr --no-remote --profile profile
	generations firefox
	alike "ten generations of a page" firefox
	stop_both firefox
}
moves() { # SANDBOX
	look in inside "$1" && sleep 0.3 && look next inside "$1" &&
		is_drawn "$1" 1 && ! same_picture in next
}

if needs "desktop programs" Xvfb xfreerdp xdotool xclip xwd convert compare; then
	trap end EXIT
	mkdir "$TMP/in"
	xserver desk 1100x800 && xserver native 1024x768 ||
		fail "X servers outside"
	outside timeout -k 5 3000 "$B/display-programs/bailey-display-windows" &
	own+=($!)
	for part in $parts; do
		"part_$part"
	done
fi
finish
