# lib.sh - for the scripts that save and resume: sandboxes of their own, which
# are gone at the end, and the steps between READY and the end.
#
#   begin NAME ARG...    run -d with the small programs at /progs; until READY
#   go_on NAME           lets the program go on; ended NAME prints its status
#   save_stop NAME FILE, save_on NAME FILE, resume NAME FILE [OPTION...]
#   shows NAME TEXT      until the log has it, at most ten seconds
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
BAILEY=$(realpath "$BAILEY")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
progs=$(realpath -m "$B/tests/save")
mkdir -p "$progs"
export XDG_RUNTIME_DIR=$TMP/run XDG_CACHE_HOME=$TMP/cache NO_COLOR=1
mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_CACHE_HOME"
chmod 711 "$TMP"
hogs=
save_clean() {
	[ -z "$hogs" ] || kill $hogs
	"$BAILEY" rm -f -a >/dev/null 2>&1
	rm -rf "$TMP"
}
trap save_clean EXIT
# LOAD=1: two others take all the processor time they get.
if [ -n "$LOAD" ]; then
	for i in 1 2; do
		sh -c 'while :; do :; done' &
		hogs="$hogs $!"
	done
fi

by() { timeout -k 2 "${LIMIT:-60}" "$BAILEY" "$@"; }
errors=$TMP/errors
quietly() { by "$@" >/dev/null 2>>"$errors"; }
# tries TENTHS COMMAND...: until it succeeds
tries() {
	local i
	for ((i = 0; i < $1; i++)); do
		"${@:2}" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}
fails() { ! "$@"; }
log_has() { by logs "$1" 2>/dev/null | grep -qF -- "$2"; }
shows() { tries 100 log_has "$1" "$2"; }

compile() { # NAME
	[ "$progs/$1" -nt "$here/$1.c" ] && [ "$progs/$1" -nt "$here/save.h" ] ||
		${CC:-gcc} -O1 -pthread -w -o "$progs/$1" "$here/$1.c" -lrt -lm -lutil
}
begin() {
	quietly run -d --name "$1" -v "$progs:/progs:ro" -w /tmp "${@:2}" &&
		shows "$1" READY
}
go_on() { quietly kill -s USR1 "$1"; }
ended() { by wait "$1" 2>/dev/null; }
save_on() { quietly save "$1" -o "$2"; }
save_stop() { quietly save --stop "$1" -o "$2"; }
# What was granted to begin() is granted again; others set their own.
grants=(-v "$progs:/progs:ro")
resume() { # NAME FILE [OPTION...]
	quietly resume -d --name "$1" "${grants[@]}" "${@:3}" "$2"
}
why() { tail -n 3 "$errors" 2>/dev/null | tr '\n' ' '; }
