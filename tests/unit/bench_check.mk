# bench/check.py names what got worse, and only that.
run:
	@python3 tests/unit/bench_check.py
.PHONY: run
