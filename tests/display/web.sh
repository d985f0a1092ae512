#!/bin/bash
# web.sh - the screen in a browser: a real headless Chromium (browser.py) types,
# clicks, copies and pastes on the page of `bailey view --web`, and what that
# shows is compared pixel by pixel with what the program's X server shows.
. tests/lib.sh
missing=
for p in xwd:x11-apps xev:x11-utils xclip:xclip mousepad:mousepad \
	compare:imagemagick python3:python3; do
	command -v "${p%:*}" >/dev/null || missing="$missing ${p#*:}"
done
command -v chromium-headless-shell >/dev/null || command -v chromium \
	>/dev/null || missing="$missing chromium-headless-shell"
[ -x "$B/display-programs/bailey-display-web" ] ||
	missing="$missing freerdp2-dev (and the rest of DEPS_DISPLAY)"
if [ -n "$missing" ]; then
	skip "the screen in a browser" "not installed:$missing"
	finish
	exit
fi

export XDG_RUNTIME_DIR=$TMP/run HOME=$TMP/home
mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$HOME"
own=()
end() {
	exec {to}>&-
	for n in $("$BAILEY" ps -q); do "$BAILEY" rm -f "$n" >/dev/null; done
	[ ${#own[@]} = 0 ] || kill "${own[@]}" 2>/dev/null
	wait
	rm -rf "$TMP"
}
trap end EXIT
coproc browser { exec timeout -k 5 400 python3 tests/display/browser.py; }
exec {to}>&"${browser[1]}" {from}<&"${browser[0]}" # subshells lose the others
eval "exec ${browser[1]}>&-"

b() { # COMMAND...: to the browser; its answer
	local answer line="$*"
	printf '%s\n' "${line//[$'\n\t']/ }" >&"$to"
	read -r -t 60 -u "$from" answer
	echo "$answer"
	[ "${answer#error}" = "$answer" ]
}
js() { b eval "$1"; }
is() { [ "$(js "$1")" = "$2" ]; } # JAVASCRIPT VALUE
says() { js "document.getElementById('words').textContent" | grep -q "$1"; }
inside() { "$BAILEY" exec -e DISPLAY=:0 "$@"; }
start() { # NAME ARG...
	"$BAILEY" run -d -q --name "$1" --display --display-size 800x600 \
		"${@:2}" >/dev/null
}
serve() { # SANDBOX [OPTION]: its page's address in $address
	rm -f "$TMP/$1.url"
	timeout -k 5 300 "$BAILEY" view --web "${@:2}" "$1" >"$TMP/$1.url" \
		2>"$TMP/$1.err" </dev/null &
	own+=($!)
	until_true 20 test -s "$TMP/$1.url"
	address=$(cat "$TMP/$1.url")
}
# Is the page's picture the program's, to the last pixel?
is_shown() { # SANDBOX
	inside "$1" xwd -silent -root >"$TMP/in.xwd" &&
		b canvas "$TMP/out.png" &&
		[ "$(compare -metric AE "xwd:$TMP/in.xwd" "$TMP/out.png" \
			null: 2>&1)" = 0 ] &&
		[ "$(convert "$TMP/out.png" -unique-colors -format %w info:)" \
			-gt 1 ]
}
has() { inside "$1" grep -qF "$2" /tmp/events; } # SANDBOX TEXT
viewers() { inside "$1" sh -c 'ps ax | grep -c "[d]isplay-web"'; }

# ---- the page ---------------------------------------------------------------
start keys --clipboard both sh -c \
	'exec xev -geometry 700x500+0+0 >/tmp/events'
check "an address" serve keys
b open "$address" >"$TMP/b"
check "the page shows what the program shows" until_true 30 is_shown keys
check "... in the window's size" until_true 10 is \
	"canvas.width + 'x' + canvas.height" 1000x760
check "... and asks for nothing elsewhere" is "performance.getEntriesByType(
	'resource').filter(r => !r.name.startsWith(location.origin)).length" 0
check "its policy lets it connect here only" is "fetch('http://127.0.0.1:1/')
	.then(() => 'let', e => document.title)" 'keys – bailey'

# ---- keys --------------------------------------------------------------------
b type 'aB' >"$TMP/b"
check "a key" until_true 10 has keys 'keysym 0x61, a)'
check "a key with shift" until_true 10 has keys 'keysym 0x42, B)'
b key ArrowLeft ArrowLeft >"$TMP/b"
b key F5 F5 >"$TMP/b"
check "keys without a character" until_true 10 eval \
	'has keys "Left)" && has keys "F5)"'
b key KeyY z >"$TMP/b"
b key Quote ä >"$TMP/b"
b key Digit7 / 8 >"$TMP/b"
check "another layout's keys" until_true 10 eval 'has keys "0x7a, z)" &&
	has keys "adiaeresis)" && has keys "slash)"'
b key KeyY z 2 >"$TMP/b"
check "... and its shortcuts" until_true 10 eval 'inside keys sh -c \
	"grep -A1 \"state 0x[0-9a-f]*, keycode 52\" /tmp/events" | grep -q z'
b text 'ñ😀' >"$TMP/b"
check "an input method's characters" until_true 10 eval \
	'has keys "ntilde)" && has keys "U0001F600)"'

# ---- the mouse ----------------------------------------------------------------
b wheel 210 220 0 -120 >"$TMP/b"
b wheel 210 220 0 120 >"$TMP/b"
for button in left right middle; do
	b mouse mousePressed 210 220 $button >"$TMP/b"
	b mouse mouseReleased 210 220 $button >"$TMP/b"
done
for n in 4 5 1 3 2; do
	check "wheel and buttons: $n" until_true 10 has keys "button $n,"
done
check "the pointer's place" until_true 10 has keys '(210,220)'
check "the pointer's shape" is "canvas.style.cursor.slice(0, 19)" \
	'url("data:image/png'
b size 640 480 >"$TMP/b"
check "the screen follows the window" until_true 10 eval 'is "canvas.width +
	\"x\" + canvas.height" 640x480 && is_shown keys'
js "document.getElementById('fit').click()" >"$TMP/b"
b size 320 240 >"$TMP/b"
check "... or is shown smaller" until_true 10 is "canvas.style.width" 320px
b mouse mousePressed 300 200 left >"$TMP/b"
b mouse mouseReleased 300 200 left >"$TMP/b"
check "... and takes the mouse" until_true 10 has keys '(600,400)'
js "document.getElementById('fit').click()" >"$TMP/b"
b size 1000 760 >"$TMP/b"

# ---- text between the two -------------------------------------------------------
b grant "${address%/*/*}" clipboardReadWrite clipboardSanitizedWrite >"$TMP/b"
js "navigator.clipboard.writeText('from outside: äß€')" >"$TMP/b"
b key KeyV v 2 paste >"$TMP/b"
check "copied outside, pasted inside" until_true 10 eval \
	'[ "$(inside keys timeout 3 xclip -o -selection clipboard)" = \
	"from outside: äß€" ]'
check "... with the key that pastes" until_true 10 has keys '0x76, v)'
inside keys sh -c 'printf "from inside: ñ😀" | xclip -i -selection clipboard' \
	>/dev/null 2>&1
check "copied inside, pasted outside" until_true 10 is \
	"navigator.clipboard.readText()" 'from inside: ñ😀'
inside keys sh -c 'yes "a long text" | head -c 3000000 |
	xclip -i -selection clipboard' >/dev/null 2>&1
check "a long text" until_true 20 is \
	"navigator.clipboard.readText().then(t => t.length)" 3000000

convert -size 60x40 plasma:red-blue -depth 8 -strip "PNG24:$TMP/picture.png"
inside -i keys sh -c 'cat >/tmp/p.png && xclip -i -selection clipboard -t image/png \
	/tmp/p.png' <"$TMP/picture.png" >/dev/null 2>&1
picture='(async () => {
	const [item] = await navigator.clipboard.read();
	const image = await createImageBitmap(await item.getType("image/png"));
	const c = new OffscreenCanvas(image.width, image.height);
	c.getContext("2d").drawImage(image, 0, 0);
	return [...c.getContext("2d").getImageData(0, 0, 60, 40).data].filter(
		(v, i) => i % 4 !== 3).join(" "); })()'
convert "$TMP/picture.png" -depth 8 rgb:- | od -An -v -tu1 | tr -s ' \n' ' ' |
	sed 's/^ //; s/ $//' >"$TMP/pixels"
check "a picture copied inside, pasted outside" until_true 20 eval \
	'[ "$(js "$picture")" = "$(cat "$TMP/pixels")" ]'
js "(async () => { const c = new OffscreenCanvas(30, 20);
	c.getContext('2d').fillStyle = '#1080f0';
	c.getContext('2d').fillRect(0, 0, 30, 20);
	await navigator.clipboard.write([new ClipboardItem({
		'image/png': await c.convertToBlob() })]); })()" >"$TMP/b"
b key KeyV v 2 paste >"$TMP/b"
check "a picture copied outside, pasted inside" until_true 10 eval \
	'inside keys timeout 3 xclip -o -selection clipboard -t image/png \
	>"$TMP/in.png" && [ "$(convert "$TMP/in.png" -format \
	"%wx%h %[hex:u.p{9,9}]" info:)" = "30x20 1080F0" ]'

# ---- several viewers --------------------------------------------------------------
b open "$address" >"$TMP/b"
check "a second page takes over" until_true 20 is_shown keys
b page 1 >"$TMP/b"
check "... and the first one says so" until_true 10 says 'taken over'
js "document.getElementById('again').click()" >"$TMP/b"
check "... and can take it back" until_true 20 is_shown keys
b page 2 >"$TMP/b"
check "... from the second" until_true 10 says 'taken over'
port=$("$BAILEY" inspect keys | sed -n 's/^ *"Address": ".*:\(.*\)",*$/\1/p')
password=$("$BAILEY" inspect keys | sed -n 's/^ *"Password": "\(.*\)",*$/\1/p')
"$B/tests/rdp-type" 127.0.0.1 "$port" bailey "$password" q >"$TMP/b" 2>&1
b page 1 >"$TMP/b"
check "an RDP client takes over, too" until_true 10 says 'taken over'
check "no viewer is left inside" until_true 10 eval '[ "$(viewers keys)" = 0 ]'
b page 2 >"$TMP/b"
b close >"$TMP/b"

# ---- strangers ----------------------------------------------------------------------
b page 1 >"$TMP/b"
js "document.getElementById('again').click()" >"$TMP/b"
check "seen again" until_true 20 is_shown keys
check "strangers and nonsense" python3 tests/display/web-strangers.py "$address"
b close >"$TMP/b"
check "without the page the program runs on" until_true 10 eval \
	'[ "$(viewers keys)" = 0 ] && inside keys grep -q . /tmp/events'
mkdir "$TMP/bin"
printf '#!/bin/sh\ncat "$1" >%s; stat -c %%a "$1" >>%s; sleep 3\n' \
	"$TMP/opened" "$TMP/opened" >"$TMP/bin/xdg-open"
chmod +x "$TMP/bin/xdg-open"
PATH=$TMP/bin:$PATH serve keys --open
check "a browser is opened, by a file that only its owner reads" \
	until_true 10 eval 'grep -qF "url=$address" "$TMP/opened" &&
	grep -qx 600 "$TMP/opened"'
cut -d/ -f4 <<<"$address" >"$TMP/token"
cat /proc/[0-9]*/cmdline >"$TMP/lines" 2>/dev/null
check "the token is in no command line" eval \
	'test -s "$TMP/token" && ! grep -aqF -f "$TMP/token" "$TMP/lines"'
"$BAILEY" rm -f keys >"$TMP/b"

# ---- moving pictures -----------------------------------------------------------------
convert -size 640x480 plasma:red-blue plasma:green-yellow plasma:tomato-navy \
	plasma:white-black "$TMP/film.miff"
start film -v "$TMP/film.miff:/film.miff:ro" animate -delay 4 /film.miff
serve film
b open "$address" >"$TMP/b"
count='window.jpegs ??= (f => (window.createImageBitmap = (...a) =>
	(window.jpegs++, f(...a)), 0))(createImageBitmap)'
check "moving pictures come as JPEG" until_true 30 eval \
	'js "$count" && [ "$(js jpegs)" -gt 20 ]'
inside film sh -c 'kill -STOP $(pidof animate-im6.q16 animate)' >"$TMP/b"
check "... and exactly when they stand still" until_true 20 is_shown film
b close >"$TMP/b"
"$BAILEY" rm -f film >"$TMP/b"

# ---- a hostile program inside ------------------------------------------------------------
start hostile --clipboard none -v "$PWD/tests/display:/t:ro" xterm
check "the page's partner is exchanged" inside hostile sh -c '
	cd /run/bailey && mv bailey-display-web bailey-display-web.real &&
	cp /t/web-hostile.py bailey-display-web && chmod 755 bailey-display-web'
serve hostile
b open "$address" >"$TMP/b"
b grant "${address%/*/*}" clipboardReadWrite clipboardSanitizedWrite >"$TMP/b"
js "navigator.clipboard.writeText('mine')" >"$TMP/b"
check "the page outlives what it sends, and shows the real one" \
	until_true 60 is_shown hostile
check "... all of it was sent" eval '[ "$(inside hostile cat /tmp/hostile)" = 24 ]'
check "... nothing of it was run" is "document.title" 'hostile – bailey'
check "... or copied" is "navigator.clipboard.readText()" mine
b close >"$TMP/b"
"$BAILEY" rm -f hostile >"$TMP/b"

# ---- saved and resumed -----------------------------------------------------------------
start editor mousepad
serve editor
b open "$address" >"$TMP/b"
check "an editor" until_true 30 is_shown editor
b type 'unsaved' >"$TMP/b"
sleep 1
check "... takes text" is_shown editor
cp "$TMP/out.png" "$TMP/before.png"
check "saved" "$BAILEY" save -q editor --stop -o "$TMP/editor.bly"
check "the page says that it is gone" until_true 10 says 'trying again'
check "resumed" "$BAILEY" resume -q -d "$TMP/editor.bly"
check "the viewer of before is not there any more" until_true 20 eval \
	'[ "$(viewers editor)" = 1 ]'
check "the page comes back by itself" until_true 20 eval \
	'is "document.getElementById(\"notice\").hidden" True && is_shown editor'
b type ' text' >"$TMP/b"
check "... and takes keys" until_true 10 eval 'is_shown editor &&
	! cmp -s "$TMP/before.png" "$TMP/out.png"'
printf 'secret' | inside editor xclip -i -selection clipboard >"$TMP/b" 2>&1
sleep 1
check "nothing is copied out unless allowed" eval \
	'! is "navigator.clipboard.readText()" secret'
"$BAILEY" rm -f editor >"$TMP/b"
finish
