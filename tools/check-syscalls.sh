#!/bin/sh
# Does syscalls.tbl tell the truth?  A call whose handler is only the weak
# one answers ENOSYS, so its level must be NONE, and the other way round.
# usage: check-syscalls.sh build/libos.elf libos/sys/syscalls.tbl
set -eu
elf=$1 table=$2
nm "$elf" | awk '
	NR == FNR { kind[$3] = $2; next }
	/^SYSCALL\(/ {
		line = $0
		sub(/^SYSCALL\(/, "", line)
		split(line, f, /, */)
		name = f[2]; handler = f[3]; level = f[4]
		k = kind[handler]
		if (k == "") {
			print name ": handler " handler " is not linked"
			bad = 1
		}
		weak = (k == "W" || k == "w")
		if (weak && level != "NONE") {
			print name ": is " level " but has no handler"
			bad = 1
		}
		if (!weak && level == "NONE") {
			print name ": is NONE but " handler " exists"
			bad = 1
		}
		if (level == "PARTIAL" || level == "STUB" || level == "NONE") {
			if (line ~ /, ""\)/) {
				print name ": " level " needs a note"
				bad = 1
			}
		}
		count++
	}
	END {
		if (count < 350) { print "only " count " lines read"; bad = 1 }
		exit bad
	}' - "$table"
