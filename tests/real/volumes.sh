#!/bin/bash
# volumes.sh - what the host does to a volume is seen inside at once.
. "$(dirname "$0")/../lib.sh"

mkdir "$TMP/volume"
echo secret >"$TMP/secret"
if command -v python3 >/dev/null; then
	timeout 120 python3 "$(dirname "$0")/volumes.py" "$(realpath "$BAILEY")" \
		"$TMP/volume" >"$TMP/steps" 2>&1
	while read -r word name; do
		case $word in
		ok) pass "volume: $name" ;;
		*) fail "volume: $word $name" ;;
		esac
	done <"$TMP/steps"
	same "volume: all steps" 36 "$(grep -c '^ok' "$TMP/steps")"
else
	skip "volumes" "no python3"
fi
finish
