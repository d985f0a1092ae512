#!/bin/sh
# Is there a host system call instruction outside .text.host?
# usage: check-calls.sh build/libos.elf
set -eu
start=$(nm "$1" | awk '$3 == "host_text_start" { print $1 }')
end=$(nm "$1" | awk '$3 == "host_text_end" { print $1 }')
objdump -d --no-show-raw-insn "$1" |
	awk -v start="$start" -v end="$end" '
	/\t(syscall|sysenter|int +\$0x80)/ {
		at = $1; sub(":", "", at)
		while (length(at) < length(start)) at = "0" at
		if (at < start || at >= end) { print; bad = 1 }
		count++
	}
	END { if (!count) print "no call found at all"; exit bad || !count }'
