#!/bin/bash
# wayland.sh - programs that speak Wayland alone, on a sandbox's screen: keys,
# clipboard, menus, sizes, saved and resumed.  X programs pay nothing for it.
. tests/lib.sh
export LC_ALL=C.UTF-8 XDG_RUNTIME_DIR=$TMP/run
mkdir -p -m 700 "$XDG_RUNTIME_DIR"
own=() # what we have started
end() {
	local n
	for n in $("$BAILEY" ps -q 2>/dev/null); do
		"$BAILEY" rm -f "$n" >/dev/null
	done
	[ ${#own[@]} = 0 ] || kill "${own[@]}" 2>/dev/null
	wait
	rm -rf "$TMP"
}
trap end EXIT
has() { # NAME PROGRAM...
	local p
	for p in Xvfb xwd convert compare xdotool xclip xwininfo "${@:2}"; do
		command -v "$p" >/dev/null || { skip "$1" "no $p here"; return 1; }
	done
	[ -x "$B/display-programs/bailey-display-wayland" ] ||
		{ skip "$1" "built without the display"; return 1; }
}
start() { # NAME PROGRAM ARG...: inside, with a screen
	"$BAILEY" run -d -q --name "$1" -e LC_ALL=C.UTF-8 --clipboard both \
		--display --display-size 800x600 "${@:2}" >/dev/null </dev/null
}
inside() { "$BAILEY" exec -e DISPLAY=:0 -e LC_ALL=C.UTF-8 "$@" </dev/null; }
has_window() { inside "$1" xwininfo -name "$2"; } # SANDBOX TITLE
types() { inside "$1" xdotool type --delay 20 "$2"; } # SANDBOX TEXT
has_line() { [ "$(inside "$1" tail -n 1 "$2")" = "$3" ]; } # SANDBOX FILE LINE
runs() { inside "$1" pgrep -f "^/run/bailey/bailey-display-wayland"; }
look() { # SANDBOX PICTURE
	inside "$1" xwd -silent -root >"$TMP/$2.xwd" &&
		convert "xwd:$TMP/$2.xwd" "$TMP/$2.png"
}
colours() { convert "$TMP/$1.png" -unique-colors -format %w info:; }
alike() { # PICTURE PICTURE
	[ "$(compare -metric AE "$TMP/$1.png" "$TMP/$2.png" null: 2>&1)" = 0 ]
}
fills() { # SANDBOX TITLE WIDTHxHEIGHT
	inside "$1" xwininfo -name "$2" | grep -q -- "-geometry $3+0+0"
}
copied() { # SANDBOX
	inside "$1" timeout 3 xclip -o -selection clipboard
}
saved_and_resumed() { # SANDBOX
	"$BAILEY" save -q "$1" --stop -o "$TMP/$1.bly" &&
		"$BAILEY" resume -q -d "$TMP/$1.bly" </dev/null
}
field() { # SANDBOX FIELD
	"$BAILEY" inspect "$1" | sed -n "s/^ *\"$2\": \"\(.*\)\",*$/\1/p" |
		head -1
}

has Wayland foot wl-copy || { finish; exit; }

# ---- who does not use it ------------------------------------------------------
start x11 sh -c 'echo "$WAYLAND_DISPLAY $GDK_BACKEND" >/tmp/env; exec xev'
check "an X program" until_true 20 has_window x11 'Event Tester'
same "... may use Wayland" "wayland-0 x11,wayland" "$(inside x11 cat /tmp/env)"
check "... and pays nothing" eval '! runs x11'
"$BAILEY" rm -f x11 >/dev/null

# ---- keys -----------------------------------------------------------------------
start term foot
check "a terminal" until_true 20 has_window term foot
check "... fills the screen" until_true 10 fills term foot 800x600
types term $'cat >/tmp/typed\n'
types term $'aB~$\n'
check "keys" until_true 10 has_line term /tmp/typed 'aB~$'
port=$(field term Address)
check "a viewer that types characters" "$B/tests/rdp-type" 127.0.0.1 \
	"${port#*:}" bailey "$(field term Password)" 'zß€😀'
types term $'\n'
check "... as they are" until_true 10 has_line term /tmp/typed 'zß€😀'
inside term xdotool key ctrl+d

# ---- the clipboard -------------------------------------------------------------
inside term sh -c 'printf "from X: äß€" | xclip -i -selection clipboard' \
	>/dev/null 2>&1
types term $'wl-paste -n >/tmp/pasted\n'
check "copied by X, pasted by Wayland" until_true 10 \
	has_line term /tmp/pasted 'from X: äß€'
inside term sh -c 'seq 300000 | xclip -i -selection clipboard' \
	>/dev/null 2>&1
types term $'wl-paste -n >/tmp/pasted\n'
check "... in pieces" until_true 10 has_line term /tmp/pasted 300000
types term $'echo from Wayland | wl-copy\n'
check "copied by Wayland, pasted by X" until_true 10 eval \
	'[ "$(copied term)" = "from Wayland" ]'
types term $'wl-paste -n >/tmp/pasted\n'
check "... and by Wayland" until_true 10 has_line term /tmp/pasted \
	'from Wayland'
types term $'seq 100000 | wl-copy\n'
check "... much of it" until_true 10 eval \
	'[ "$(copied term | tail -n 1)" = 100000 ]'

inside term sh -c 'printf "selected in X" | xclip -i -selection primary' \
	>/dev/null 2>&1
types term $'wl-paste -p -n >/tmp/pasted\n'
check "selected in X, pasted by Wayland" until_true 10 \
	has_line term /tmp/pasted 'selected in X'
types term $'echo selected in Wayland | wl-copy -p\n'
check "selected in Wayland, pasted by X" until_true 10 eval \
	'[ "$(inside term timeout 3 xclip -o -selection primary)" = \
	"selected in Wayland" ]'
check "... what is copied is another thing" eval \
	'[ "$(copied term | tail -n 1)" = 100000 ]'

# ---- saved and resumed ------------------------------------------------------------
types term $'clear; echo unsaved text\n'
sleep 1
for generation in 1 2; do
	look term before
	check "saved and resumed ($generation)" saved_and_resumed term
	check "... with its window" eval 'look term after &&
		[ "$(colours after)" -gt 3 ] && alike before after'
	types term "echo $generation"$' >/tmp/typed\n'
	check "... and takes keys" until_true 10 has_line term /tmp/typed \
		"$generation"
	check "... and shows them" until_true 10 eval \
		'look term after && ! alike before after'
done

# ---- the screen gets another size -------------------------------------------------
if has "the screen's size" xfreerdp; then
	exec 7>"$TMP/number"
	timeout -k 5 60 Xvfb -displayfd 7 -nolisten tcp 2>/dev/null &
	own+=($!)
	until_true 20 test -s "$TMP/number"
	outside=:$(cat "$TMP/number")
	DISPLAY=$outside timeout -k 5 60 xfreerdp "/v:$(field term Address)" \
		/u:bailey "/p:$(field term Password)" /size:640x480 \
		/kbd:0x407 /cert:ignore >/dev/null 2>&1 </dev/null &
	own+=($!)
	check "a smaller screen" until_true 20 fills term foot 640x480
	types term $'stty size >/tmp/typed\n'
	check "... which the program knows" until_true 10 eval \
		'[ "$(inside term cut -d" " -f2 /tmp/typed)" -lt 95 ]'
	types term $'cat >/tmp/typed\n'
	check "the viewer's keyboard layout" until_true 10 eval \
		'DISPLAY=$outside xdotool mousemove 200 200 key Return key y \
		key Return; sleep 0.5; has_line term /tmp/typed z'
fi
"$BAILEY" rm -f term >/dev/null

# ---- it ends, by itself and not ----------------------------------------------------
start ends sh -c 'foot true; sleep 100'
check "the compositor starts" until_true 20 runs ends
check "... and ends with its last program" until_true 20 eval '! runs ends'
"$BAILEY" rm -f ends >/dev/null
start twice sh -c 'foot; foot -T second'
check "a terminal" until_true 20 has_window twice foot
inside twice pkill -9 -f "^/run/bailey/bailey-display-wayland"
check "the compositor was killed, and starts again" until_true 20 \
	has_window twice second
"$BAILEY" rm -f twice >/dev/null

# ---- toolkits, OpenGL, Vulkan --------------------------------------------------------
toolkit() { # NAME PROGRAM: a picture, a menu, a press outside ends it
	has "$1" "$2" || return
	start kit -e GDK_BACKEND=wayland -e QT_QPA_PLATFORM=wayland \
		-e HOME=/tmp "$2"
	check "$1 on Wayland" until_true 40 eval \
		'look kit kit && [ "$(colours kit)" -gt 50 ]'
	before=$(inside kit xwininfo -root -tree | grep -c '^ *0x')
	check "... a menu" until_true 20 eval 'inside kit xdotool mousemove \
		80 250 click 3; sleep 1; [ "$(inside kit xwininfo -root -tree |
		grep -c "^ *0x")" -gt "$before" ]'
	check "... and its end" until_true 10 eval 'inside kit xdotool key \
		Escape; sleep 1; [ "$(inside kit xwininfo -root -tree |
		grep -c "^ *0x")" = "$before" ]'
	check "... saved and resumed" eval 'saved_and_resumed kit &&
		look kit after && [ "$(colours after)" -gt 50 ]'
	"$BAILEY" rm -f kit >/dev/null
}
moves() { # SANDBOX
	look "$1" one && sleep 0.3 && look "$1" two &&
		[ "$(colours one)" -gt 3 ] && ! alike one two
}
animation() { # NAME PROGRAM
	has "$1" "$2" || return
	start move "$2"
	check "$1 on Wayland" until_true 30 moves move
	check "... saved and resumed" saved_and_resumed move
	check "... and draws on" until_true 20 moves move
	"$BAILEY" rm -f move >/dev/null
}
if has "dragging" gtk3-widget-factory; then
	start kit -e GDK_BACKEND=wayland gtk3-widget-factory
	until_true 40 eval 'look kit kit && [ "$(colours kit)" -gt 50 ]'
	inside kit xdotool mousemove 90 252 click 1
	sleep 0.5 # no double click
	inside kit xdotool key ctrl+a mousemove 35 252 mousedown 1
	for y in 230 200 170 140 110 80 75; do
		inside kit xdotool mousemove 60 $y
	done
	inside kit xdotool mouseup 1
	check "text is dragged from one field to another" until_true 10 eval \
		'inside kit xdotool mousemove 90 75 click 1 key ctrl+a ctrl+c;
		sleep 0.5
		[ "$(copied kit | wc -c)" -gt "$(printf comboboxentry | wc -c)" ]'
	"$BAILEY" rm -f kit >/dev/null
fi
toolkit "GTK 3" gtk3-widget-factory
toolkit "GTK 4" gtk4-widget-factory
if [ -e /usr/share/doc/qtwayland5 ]; then
	toolkit Qt featherpad
else
	skip "Qt on Wayland" "no qtwayland5 here"
fi
PATH=$PATH:/usr/games
if has "SDL on Wayland" toppler; then
	start game -e SDL_VIDEODRIVER=wayland /usr/games/toppler
	check "SDL on Wayland" until_true 30 eval \
		'look game game && [ "$(colours game)" -gt 50 ]'
	check "... takes keys" until_true 20 eval 'inside game xdotool key \
		Down && look game one && ! alike game one'
	"$BAILEY" rm -f game >/dev/null
fi
animation OpenGL es2gears_wayland
animation Vulkan vkcube-wayland
finish
