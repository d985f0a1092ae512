#!/bin/bash
# density.sh - bench/density.py in small: 20 idle nginx from clones of one
# image and 20 from cold starts, each with its own port and files.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh


out=$TMP/density.json
if ! command -v nginx >/dev/null; then
	skip "density" "no nginx"
	finish
	exit
fi
check "idle web servers: every one answers with its own files" \
	timeout -k 5 200 /usr/bin/python3 bench/density.py --count 20 --step 10 \
	--idle 2 --bailey "$BAILEY" --json "$out" nginx
same "idle web servers: 20 clones and 20 cold starts" "20 20" \
	"$(/usr/bin/python3 -c 'import json, sys
print(*(r["count"] for r in json.load(open(sys.argv[1]))))' "$out")"
check "idle web servers: they use no processor" /usr/bin/python3 -c '
import json, sys
for r in json.load(open(sys.argv[1])):
    assert r["idle_share"] < 0.001, r["idle_share"]' "$out"
# what a small sandbox has to itself
"$BAILEY" run -d --name "small-$$" sleep 100 >/dev/null
"$BAILEY" inspect --memory "small-$$" >"$TMP/memory.json" 2>"$TMP/err"
# what the host says that its processes have dirtied, the heap apart
dirty=0
monitor=$(pgrep -f -- "--name small-$$ sleep" | head -n 1)
for p in $monitor $(pgrep -P "$monitor"); do
	dirty=$((dirty + $(awk '/^[0-9a-f]+-/ { heap = /memfd:bailey / }
		/^Private_Dirty/ && !heap { n += $2 } END { print n * 1024 }' \
		"/proc/$p/smaps" 2>/dev/null || echo 0)))
done
"$BAILEY" rm -f "small-$$" >/dev/null
if [ "$(id -u)" = 0 ]; then
	check "inspect --memory: the monitor's pages are at most 200 KB" \
		/usr/bin/python3 -c '
import json, sys
m = json.load(open(sys.argv[1]))[0]["Memory"]
by = {u["Purpose"].split()[0].split("\x27")[0]: u["Bytes"] for u in m["Unshared"][:2] +
      m["Unshared"][4:6]}
assert 500000 < m["Total"] < 1500000, m
assert 0 < by["monitor"] <= 200000, by
assert by["page"] > 40000, by
' "$TMP/memory.json"
	check "inspect --memory: no private page is left out" \
		/usr/bin/python3 -c '
import json, sys
m = json.load(open(sys.argv[1]))[0]["Memory"]
own = sum(u["Bytes"] for u in m["Unshared"] if "own pages" in u["Purpose"])
assert 0 < int(sys.argv[2]) <= own < int(sys.argv[2]) + 65536, (own, sys.argv[2])
' "$TMP/memory.json" "$dirty"
else
	check "inspect --memory: for root" grep -q "to root only" "$TMP/err"
fi
finish
