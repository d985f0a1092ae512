#!/bin/sh
# gen-absent.sh - libraries that do nothing, in place of those that FreeRDP is
# linked with and that the display has no use for: FFmpeg's (which bring eighty
# others) and systemd's.  They have the names, versions and functions that
# FreeRDP asks for; each function returns 0.
#
# usage: gen-absent.sh OUT_FOLDER COMPILER FREERDP_LIBRARY...
set -e
out=$1 cc=$2
shift 2
mkdir -p "$out"
for soname in $(readelf -d "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		sort -u); do
	case $soname in
	libavcodec.*|libavutil.*|libswresample.*|libswscale.*|libsystemd.*) ;;
	*) continue ;;
	esac
	node=$(echo "${soname%%.*}" | tr a-z A-Z)
	c=$out/${soname%%.*}.c map=$out/${soname%%.*}.map
	nm -D --undefined-only "$@" |
		sed -n "s/.* U \([a-zA-Z0-9_]*\)@\(${node}_[0-9]*\)\$/\2 \1/p" |
		sort -u >"$out/list"
	awk '{ print "long " $2 "(void);\nlong " $2 "(void) { return 0; }" }' \
		"$out/list" >"$c"
	awk '$1 != node { if (node) print "};"; node = $1; print node " {" }
		{ print $2 ";" } END { if (node) print "};" }' \
		"$out/list" >"$map"
	"$cc" -O2 -ffreestanding -nostdlib -shared -fPIC \
		-Wl,-soname,"$soname" -Wl,--version-script="$map" \
		-o "$out/$soname" "$c"
	rm "$c" "$map"
done
rm -f "$out/list"
touch "$out"
