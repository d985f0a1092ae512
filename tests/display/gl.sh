#!/bin/bash
# gl.sh - OpenGL and Vulkan in software, WebGL in a browser, and an SDL game, on
# a sandbox's screen: what they draw is what they draw on the same X server
# outside, and they draw on after a save and a resume.
. tests/lib.sh
export LC_ALL=C XDG_RUNTIME_DIR=$TMP/run
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
	for p in Xvfb xwd convert compare "${@:2}"; do
		command -v "$p" >/dev/null || { skip "$1" "no $p here"; return 1; }
	done
	[ -x "$B/display-programs/bailey-display-windows" ] ||
		{ skip "$1" "built without the display"; return 1; }
}
start() { # NAME PROGRAM ARG...: inside, with a screen
	"$BAILEY" run -d -q --name "$1" --display --display-size 800x600 \
		"${@:2}" >/dev/null </dev/null
}
inside() { "$BAILEY" exec -e DISPLAY=:0 "$@"; } # SANDBOX PROGRAM ARG...
outside() { DISPLAY=$outside_display "$@"; }
look() { # PICTURE COMMAND...: what the screen shows there
	"${@:2}" xwd -silent -root >"$TMP/$1.xwd" &&
		convert "xwd:$TMP/$1.xwd" "$TMP/$1.png"
}
colours() { convert "$TMP/$1.png" -unique-colors -format %w info:; }
# Something is drawn, and something else a moment later?
moves() { # SANDBOX
	look one inside "$1" && sleep 0.3 && look two inside "$1" &&
		[ "$(colours one)" -gt 3 ] && [ "$(colours two)" -gt 3 ] &&
		! cmp -s "$TMP/one.png" "$TMP/two.png"
}
alike() { # SANDBOX: to the last pixel what is drawn outside, and no blank
	look in inside "$1" && look out outside && [ "$(colours in)" -gt 1 ] &&
		[ "$(compare -metric AE "$TMP/in.png" "$TMP/out.png" null: \
			2>&1)" = 0 ]
}
saved_and_resumed() { # SANDBOX RESUME-OPTION...
	"$BAILEY" save -q "$1" --stop -o "$TMP/$1.bly" &&
		"$BAILEY" resume -q -d "${@:2}" "$TMP/$1.bly" </dev/null
}
goes_on() { # NAME PROGRAM ARG...: an animation, over two generations
	check "$1 starts" start "$@"
	check "... and draws" until_true 20 moves "$1"
	check "$1 is saved and resumed" saved_and_resumed "$1"
	check "... and draws on" until_true 20 moves "$1"
	check "... is saved and resumed again" saved_and_resumed "$1"
	check "... and draws on" until_true 20 moves "$1"
	"$BAILEY" rm -f "$1" >/dev/null 2>&1
}

has "OpenGL, Vulkan, SDL" xdpyinfo || { finish; exit; }
exec 7>"$TMP/number"
timeout -k 5 400 Xvfb -displayfd 7 -screen 0 800x600x24 -nolisten tcp \
	-noreset 2>/dev/null &
own+=($!)
until_true 20 test -s "$TMP/number" || { fail "an X server outside"; exit 1; }
outside_display=:$(cat "$TMP/number")
outside timeout -k 5 400 "$B/display-programs/bailey-display-windows" &
own+=($!)

# ---- OpenGL ------------------------------------------------------------------
if has OpenGL glxinfo glxgears glxdemo; then
	outside glxinfo | tail -n +3 >"$TMP/out.txt"
	timeout 60 "$BAILEY" run -q --display --display-size 800x600 \
		glxinfo 2>"$TMP/in.err" </dev/null | tail -n +3 >"$TMP/in.txt"
	check "what OpenGL can do" cmp "$TMP/out.txt" "$TMP/in.txt"
	check "... is Mesa's llvmpipe" grep -q 'renderer string: llvmpipe' \
		"$TMP/in.txt"
	outside timeout -k 5 60 glxdemo >/dev/null 2>&1 &
	start demo glxdemo
	check "a picture, to the last pixel" until_true 20 alike demo
	kill $! 2>/dev/null
	"$BAILEY" rm -f demo >/dev/null
	goes_on gears glxgears
fi

# ---- Vulkan ------------------------------------------------------------------
if has Vulkan vulkaninfo vkcube; then
	check "Vulkan is Mesa's lavapipe" eval 'timeout 60 "$BAILEY" run -q \
		--display vulkaninfo --summary </dev/null 2>/dev/null |
		grep -q DRIVER_ID_MESA_LLVMPIPE'
	status "a cube of 200 frames" 0 timeout 60 "$BAILEY" run -q --display \
		vkcube --c 200
	goes_on cube vkcube
fi

# ---- WebGL ---------------------------------------------------------------------
if has WebGL firefox-esr; then
	mkdir -m 755 "$TMP/page"
	cat >"$TMP/page/page.html" <<-'A'
	<!doctype html><body><canvas id=c width=600 height=400></canvas><script>
	const g = c.getContext('webgl');
	document.title = 'WebGL by ' + g.getParameter(g.RENDERER);
	function shader(type, text) {
		const s = g.createShader(type);
		g.shaderSource(s, text);
		g.compileShader(s);
		return s;
	}
	const p = g.createProgram();
	g.attachShader(p, shader(g.VERTEX_SHADER,
		'attribute vec2 a; uniform float t; varying vec2 v;' +
		'void main() { v = a; gl_Position = vec4(' +
		'a.x * cos(t) - a.y * sin(t), a.x * sin(t) + a.y * cos(t),' +
		'0, 1); }'));
	g.attachShader(p, shader(g.FRAGMENT_SHADER,
		'precision mediump float; varying vec2 v;' +
		'void main() { gl_FragColor = vec4(v * 0.5 + 0.5, 0.6, 1); }'));
	g.bindAttribLocation(p, 0, 'a');
	g.linkProgram(p);
	g.useProgram(p);
	g.bindBuffer(g.ARRAY_BUFFER, g.createBuffer());
	g.bufferData(g.ARRAY_BUFFER,
		new Float32Array([-.7, -.7, .7, -.7, 0, .8]), g.STATIC_DRAW);
	g.enableVertexAttribArray(0);
	g.vertexAttribPointer(0, 2, g.FLOAT, false, 0, 0);
	const t = g.getUniformLocation(p, 't');
	let n = 0;
	(function draw() {
		g.clear(g.COLOR_BUFFER_BIT);
		g.uniform1f(t, n++ / 60);
		g.drawArrays(g.TRIANGLES, 0, 3);
		requestAnimationFrame(draw);
	})();
	</script>
	A
	is_llvmpipe() { # the window's name is the page's title
		inside web xwininfo -root -tree | grep 'WebGL by llvmpipe'
	}
	start web -e HOME=/tmp -e LC_ALL=C.UTF-8 -v "$TMP/page:/page:ro" \
		firefox-esr file:///page/page.html
	check "WebGL in a browser is llvmpipe" until_true 60 is_llvmpipe
	check "... and draws" until_true 30 moves web
	check "... is saved and resumed" saved_and_resumed web \
		-v "$TMP/page:/page:ro"
	check "... and draws on" until_true 30 moves web
	"$BAILEY" rm -f web >/dev/null
fi

# ---- SDL -----------------------------------------------------------------------
PATH=$PATH:/usr/games
if has "an SDL game" toppler xdotool; then
	start game /usr/games/toppler
	check "a game starts" until_true 20 eval \
		'look one inside game && [ "$(colours one)" -gt 50 ]'
	check "... takes keys" until_true 20 eval 'inside game xdotool key \
		Down && look two inside game && ! cmp "$TMP/one.png" \
		"$TMP/two.png"'
	check "... is saved and resumed" saved_and_resumed game
	check "... with its picture" eval \
		'look one inside game && [ "$(colours one)" -gt 50 ]'
	check "... and takes keys" until_true 20 eval 'inside game xdotool key \
		Down && look two inside game && ! cmp "$TMP/one.png" \
		"$TMP/two.png"'
	"$BAILEY" rm -f game >/dev/null
fi
finish
