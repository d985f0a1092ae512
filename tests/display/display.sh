#!/bin/bash
# display.sh - the screen as a person uses it: a real RDP client under an X
# server of its own, keys and mouse through xdotool, and what it shows compared
# pixel by pixel with what the program's X server shows inside.
. tests/lib.sh
missing=
for p in Xvfb:xvfb xfreerdp:freerdp2-x11 xdotool:xdotool xclip:xclip \
	xwd:x11-apps xev:x11-utils xterm:xterm mousepad:mousepad \
	compare:imagemagick aplay:alsa-utils; do
	command -v "${p%:*}" >/dev/null || missing="$missing ${p#*:}"
done
[ -x "$B/display-programs/bailey-display-session" ] ||
	missing="$missing freerdp2-dev (and the rest of DEPS_DISPLAY)"
if [ -n "$missing" ]; then
	skip "the screen" "not installed:$missing"
	finish
	exit
fi

export XDG_RUNTIME_DIR=$TMP/run HOME=$TMP/home
mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$HOME"
own=() # what we have started
end() {
	for n in $("$BAILEY" ps -q); do "$BAILEY" rm -f "$n" >/dev/null; done
	[ ${#own[@]} = 0 ] || kill "${own[@]}" 2>/dev/null
	wait
	rm -rf "$TMP"
}
trap end EXIT
exec 7>"$TMP/number"
timeout -k 5 300 Xvfb -displayfd 7 -screen 0 900x700x24 -nolisten tcp -noreset \
	2>/dev/null &
own+=($!)

until_true 20 test -s "$TMP/number" || { fail "an X server outside"; exit 1; }
DISPLAY=:$(cat "$TMP/number")
export DISPLAY

field() { # SANDBOX FIELD
	"$BAILEY" inspect "$1" | sed -n "s/^ *\"$2\": \"\(.*\)\",*$/\1/p" |
		head -1
}
inside() { "$BAILEY" exec -e DISPLAY=:0 "$@"; }
start() { # NAME ARG...: a sandbox with a screen
	"$BAILEY" run -d -q --name "$@" >/dev/null
}
viewer() { # SANDBOX ARG...: its process is the last of own
	timeout -k 5 120 "$BAILEY" view "$1" >"$TMP/view" 2>&1 &
	own+=($!)
	until_true 20 is_shown "$1"
}
client() { # SANDBOX PASSWORD ARG...: without `view`
	timeout -k 5 60 xfreerdp "/v:$(field "$1" Address)" /u:bailey \
		"/p:$2" /size:800x600 /cert:ignore /log-level:OFF "${@:3}" >/dev/null 2>&1 \
		</dev/null
}
is_let_in() { # PASSWORD [CERTIFICATE]
	timeout -k 5 20 xfreerdp "/v:$(field keys Address)" /u:bailey \
		"/p:$1" "${2:-/cert:ignore}" +auth-only 2>&1 |
		grep -q 'exit status 0'
}
leave() { # end the newest viewer
	kill "${own[-1]}" 2>/dev/null
	wait "${own[-1]}" 2>/dev/null
	unset 'own[-1]'
}
# Is the client's picture the program's, to the last pixel?
is_shown() { # SANDBOX
	inside "$1" xwd -silent -root >"$TMP/in.xwd" &&
		xwd -silent -root >"$TMP/out.xwd" &&
		convert "xwd:$TMP/out.xwd" -crop "$(identify \
			-format %wx%h+0+0 "xwd:$TMP/in.xwd")" +repage \
			"$TMP/out.png" &&
		[ "$(compare -metric AE "xwd:$TMP/in.xwd" "$TMP/out.png" \
			null: 2>&1)" = 0 ] &&
		[ "$(convert "$TMP/out.png" -unique-colors -format %w info:)" \
			-gt 1 ]
}
fills() { # SANDBOX TITLE WIDTHxHEIGHT: the window fills a screen of that size
	inside "$1" xwininfo -root | grep -q -e "-geometry $3+0+0" &&
		inside "$1" xwininfo -name "$2" |
		grep -q -e "-geometry $3+0+0" && is_shown "$1"
}
has() { inside "$1" grep -qF "$2" /tmp/events; } # SANDBOX TEXT
types() { xdotool mousemove 200 200 type --delay 30 "$1"; }

# ---- keys, wheel, the log-in -----------------------------------------------
start keys --display --display-size 800x600 --clipboard both \
	sh -c 'exec xev -geometry 700x500+0+0 >/tmp/events'
same "inspect tells the address" 127.0.0.1 \
	"$(field keys Address | cut -d: -f1)"
check "view shows what the program shows" viewer keys
types 'aB'
check "a key" until_true 10 has keys 'keysym 0x61, a)'
check "a key with shift" until_true 10 has keys 'keysym 0x42, B)'
xdotool mousemove 210 220 click 4 click 5 click 3
for b in 4 5 3; do
	check "wheel and buttons: $b" until_true 10 has keys "button $b,"
done
check "the pointer's place" until_true 10 has keys '(210,220)'
secret=$(field keys Password)
check "the password is not among what programs see" eval \
	'! inside keys sh -c "cat /proc/[0-9]*/cmdline" | grep -qF "$secret"'
check "... and they are not told" eval \
	'! inside keys sh -c "/run/bailey/bailey-display --tell password" &&
	[ "$(inside keys /run/bailey/bailey-display --tell password)" = \
	"$secret" ]'
first=${own[-1]}
check "a second viewer is let in" viewer keys
check "... and the first one ends" until_true 10 eval "! kill -0 $first"
check "... with a password of its own" eval \
	'[ "$(field keys Password)" != "$secret" ] &&
	! is_let_in "$secret"'
leave
check "the program runs on without a viewer" \
	inside keys grep -q . /tmp/events
client keys "$(field keys Password)" /kbd:0x407 &
own+=($!)
until_true 20 is_shown keys
types 'y'
check "the client's keyboard layout" until_true 10 has keys '0x7a, z)'
leave
port=$(field keys Address)
check "a client that types characters" "$B/tests/rdp-type" 127.0.0.1 \
	"${port#*:}" bailey "$(field keys Password)" 'zß€😀'
check "... as they are" eval 'has keys "0x7a, z)" &&
	has keys "ssharp)" && has keys "U20AC)" && has keys "U0001F600)"'

# ---- text between the two ---------------------------------------------------
printf 'from outside: äß€' | xclip -i -selection clipboard
viewer keys
check "copied outside, pasted inside" until_true 10 eval \
	'[ "$(inside keys timeout 3 xclip -o -selection clipboard)" = \
	"from outside: äß€" ]'
inside keys sh -c 'printf "from inside: ñ😀" | xclip -i -selection clipboard' \
	>/dev/null 2>&1
check "copied inside, pasted outside" until_true 10 eval \
	'[ "$(timeout 3 xclip -o -selection clipboard)" = "from inside: ñ😀" ]'
leave
convert -size 61x43 gradient:red-blue -depth 8 -type TrueColor "$TMP/copied.png"
convert "$TMP/copied.png" -type TrueColor "BMP3:$TMP/copied.bmp"
convert -size 1300x1100 xc: +noise Random -depth 8 "$TMP/large.png"
timeout 60 xclip -i -selection clipboard -t image/bmp "$TMP/copied.bmp"
pasted() { # inside: the picture, as PNG
	inside keys timeout 5 xclip -o -selection clipboard -t image/png \
		>"$TMP/pasted.png" && [ "$(compare -metric AE \
		"$TMP/copied.png" "$TMP/pasted.png" null: 2>&1)" = 0 ]
}
got() { # PICTURE: outside
	timeout 10 xclip -o -selection clipboard -t image/bmp \
		>"$TMP/pasted.bmp" && [ "$(compare -metric AE "$1" \
		"$TMP/pasted.bmp" null: 2>&1)" = 0 ]
}
viewer keys
check "a picture copied outside, pasted inside" until_true 20 pasted
for p in copied large; do
	"$BAILEY" exec -i -e DISPLAY=:0 keys xclip -i -selection clipboard \
		-t image/png <"$TMP/$p.png" >/dev/null 2>&1
	check "a $p picture from inside, pasted outside" until_true 20 got \
		"$TMP/$p.png"
done
leave

# ---- sound --------------------------------------------------------------------
cat >"$HOME/.asoundrc" <<END
pcm.record {
	type plug
	slave { pcm { type file; slave.pcm { type null }
		file "$TMP/heard"; format raw }
		format S16_LE; rate 44100; channels 2 }
}
ctl_type.none { lib "$(realpath "$B")/tests/alsa-ctl.so" }
ctl.record { type none }
END
python3 tests/display/tone.py make "$TMP/tone.wav"
client keys "$(field keys Password)" /sound:sys:alsa,dev:record &
own+=($!)
until_true 20 is_shown keys
plays() { "$BAILEY" exec -i -e ALSA_CONFIG_PATH=/run/bailey/asound.conf keys \
	aplay -q - <"$TMP/tone.wav"; }
check "a program plays" plays
sleep 0.3
viewer keys # takes over, and the other one has written all
check "... and the viewer has heard it" until_true 10 \
	python3 tests/display/tone.py find "$TMP/tone.wav" "$TMP/heard"
leave
leave
check "... and plays on without one" plays

# ---- sizes --------------------------------------------------------------------
viewer keys
for size in 720x560 332x240 900x700; do
	sleep 0.5 # xfreerdp drops a size within 0.2 s of the last one
	xdotool search --name '^keys$' windowsize "${size%x*}" "${size#*x}"
	check "the viewer's window becomes $size" until_true 10 \
		fills keys 'Event Tester' "$size"
done
xdotool mousemove 880 690 click 1
check "... the mouse reaches its corner" until_true 10 has keys '(880,690)'
client keys "$(field keys Password)" /size:640x480 &
own+=($!)
check "another viewer brings its own size" until_true 20 \
	fills keys 'Event Tester' 640x480
leave
leave

# ---- strangers ----------------------------------------------------------------
cat >"$TMP/garbage.py" <<'PY'
import os, socket, sys
port = int(sys.argv[1])
hello = bytes.fromhex("030000130ee000000000000100080003000000")
for i in range(30):
    s = socket.create_connection(("127.0.0.1", port))
    try:
        s.sendall((hello if i % 2 else b"") + os.urandom(2000))
    except OSError:
        pass
    s.close()
silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
s = socket.create_connection(("127.0.0.1", port))
s.settimeout(20)
s.sendall(hello)
sys.exit(not s.recv(100))
PY
viewer keys
check "noise and silence leave room for others" \
	python3 "$TMP/garbage.py" "${port#*:}"
types 'q'
check "... and the viewer's work alone" until_true 10 has keys '0x71, q)'
leave

# ---- who may not look --------------------------------------------------------
check "the right password" is_let_in "$(field keys Password)"
"$BAILEY" view --rdp keys >"$TMP/keys.rdp" 2>"$TMP/keys.told"
check "a file for clients" eval 'timeout -k 5 20 xfreerdp "$TMP/keys.rdp" \
	/p:"$(grep -o "password [^,]*" "$TMP/keys.told" | cut -d" " -f2)" \
	/cert:ignore +auth-only 2>&1 | grep -q "exit status 0"'
print=$(inside keys /run/bailey/bailey-display --tell fingerprint)
check "... with the right certificate" is_let_in "$(field keys Password)" \
	"/cert:fingerprint:sha256:$print"
check "... with another" eval '! is_let_in "$(field keys Password)" \
	"/cert:fingerprint:sha256:${print:3}:00" </dev/null'
for i in 1 2 3; do
	check "a wrong password ($i)" eval '! is_let_in wrong'
done
for i in 4 5; do
	client keys wrong /sec:tls
done
check "locked after five" eval '! is_let_in "$(field keys Password)"'
check "... and said" eval '"$BAILEY" logs keys 2>&1 | grep -q "wrong log-ins"'
"$BAILEY" rm -f keys >/dev/null

# ---- saved and resumed -------------------------------------------------------
start editor --display --display-size 800x600 mousepad
check "an editor" viewer editor
types 'unsaved'
sleep 1
leave
secret=$(field editor Password)
print=$(inside editor /run/bailey/bailey-display --tell fingerprint)
check "saved" "$BAILEY" save -q editor --stop -o "$TMP/editor.bly"
check "resumed" "$BAILEY" resume -q -d "$TMP/editor.bly"
check "... with another password" eval \
	'[ "$(field editor Password)" != "$secret" ]'
check "... and another certificate" eval '[ "$(inside editor \
	/run/bailey/bailey-display --tell fingerprint)" != "$print" ]'
check "its windows are there" viewer editor
cp "$TMP/out.png" "$TMP/before.png"
types ' text'
sleep 1
check "it takes keys" until_true 10 is_shown editor
check "... and shows them" eval '! cmp -s "$TMP/before.png" "$TMP/out.png"'
cp "$TMP/out.png" "$TMP/before.png"
xdotool key ctrl+s
fits() { # SANDBOX TITLE: the window lies inside the screen
	inside "$1" xwininfo -name "$2" | awk '
		/Absolute upper-left/ { at[++n] = $NF }
		/^ *(Width|Height):/ { size[++m] = $NF }
		END { exit !(n == 2 && at[1] >= 0 && at[2] >= 0 &&
			at[1] + size[1] <= 800 && at[2] + size[2] <= 600) }'
}
check "a dialog lies inside the screen" until_true 10 fits editor 'Save As'
check "... and is shown" until_true 10 is_shown editor
xdotool key Escape
until_true 10 eval '! fits editor "Save As"'
xdotool key alt+F4
check "Alt-F4 asks whether to save" until_true 10 eval \
	'inside editor xwininfo -root -tree | grep -q "Save Changes"'
xdotool key Escape
printf 'secret' | inside editor xclip -i -selection clipboard >/dev/null 2>&1
sleep 1
check "nothing is copied out unless allowed" eval \
	'[ "$(timeout 3 xclip -o -selection clipboard)" != secret ]'
leave

# ---- moved: to another user's sandboxes, as it were ---------------------------
mkdir -p -m 700 "$TMP/there"
printf '#!/bin/sh\nshift\nXDG_RUNTIME_DIR=%s exec sh -c "$*"\n' "$TMP/there" \
	>"$TMP/ssh"
chmod +x "$TMP/ssh"
check "moved" "$BAILEY" move -q --ssh "$TMP/ssh" \
	--bailey "$(realpath "$BAILEY")" -p 127.0.0.1::3389 editor there
here=$XDG_RUNTIME_DIR XDG_RUNTIME_DIR=$TMP/there
check "its windows are there" viewer editor
same "at one port" 1 "$("$BAILEY" ps | grep -o 3389/tcp | wc -l)"
leave
"$BAILEY" rm -f editor >/dev/null
XDG_RUNTIME_DIR=$here

# ---- the program's end, and what is missing ----------------------------------
status "the program's exit status" 7 "$BAILEY" run --display sh -c 'exit 7'
status "no such program" 127 "$BAILEY" run --display no-such-program
check "a missing package is named" eval '"$BAILEY" run -e PATH=/nowhere \
	--display /bin/true 2>&1 | grep -q "apt install xvfb"'
finish
