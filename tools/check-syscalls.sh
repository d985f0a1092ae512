#!/bin/sh
# Does syscalls.tbl tell the truth?  A call whose handler is only the weak
# one answers ENOSYS, so its level must be NONE; and whatever is not FULL says
# why in its note (NONE: with the errno that it returns).
# usage: check-syscalls.sh build/libos.elf libos/sys/syscalls.tbl
set -eu
elf=$1 table=$2
nm "$elf" | awk '
	function check(entry,    f, name, handler, level, k, note) {
		sub(/^SYSCALL\(/, "", entry)
		split(entry, f, /, */)
		name = f[2]; handler = f[3]; level = f[4]
		k = kind[handler]
		note = entry
		sub(/"\)$/, "", note)
		sub(/.*"/, "", note)
		if (k == "")
			complain(name ": handler " handler " is not linked")
		if ((k == "W" || k == "w") && level != "NONE")
			complain(name ": is " level " but has no handler")
		if (level == "NONE" && note !~ /^E[A-Z]+/)
			complain(name ": NONE needs an errno in its note")
		if (level != "FULL" && note == "")
			complain(name ": " level " needs a note")
		count++
	}
	function complain(text) { print text; bad = 1 }
	NR == FNR { kind[$3] = $2; next }
	/^SYSCALL\(/ { entry = "" }
	/^SYSCALL\(/ || entry != "" {
		sub(/^[ \t]+/, "")
		entry = entry $0
		if (entry ~ /\)$/) { check(entry); entry = "" }
	}
	END {
		if (count < 350) complain("only " count " lines read")
		exit bad
	}' - "$table"
