# Each target first sets up what is missing, and only that.
.PHONY: demo run test bench check fuzz clean-demo

# Rings an example business over real SIP and RTP and shows the call and its record.
demo:
	@packaging/setup run
	@cargo build --release --locked
	@packaging/demo

# The example business stays up, to be rung from a softphone.
run:
	@packaging/setup run
	@cargo build --release --locked
	@packaging/demo --stay

# All tests, in one profile, so that everything is built once.
test:
	@packaging/setup test
	@cargo fmt --check
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --locked; else cargo test --locked --all-targets; fi
	@cargo test --locked --doc
	@echo "make test: formatting, tests and documentation examples are in order."

# Tables on the screen, JSON in target/bench.
bench:
	@packaging/setup run
	@cargo bench --locked

# What a reviewer would otherwise have to say.
check:
	@packaging/setup build
	@cargo fmt --check
	@cargo clippy --locked --all-targets -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; else echo "make check: cargo-deny is not installed; licences and bans were not checked."; fi

# One minute for each target; FUZZ_SECONDS sets another time. Needs cargo-fuzz and a nightly Rust.
FUZZ_SECONDS ?= 60
fuzz:
	@packaging/setup build
	@for target in rtp sdp knowledge_file; do \
	    cargo +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

# Forgets the example business and its calls; models and builds stay.
clean-demo:
	@rm -rf target/demo
