# Each target first sets up what is missing, and only that.
.PHONY: demo run test bench check fuzz clean-demo

# $(call if-there,TOOL,COMMAND): runs it when `cargo TOOL` is installed, and says so when not.
if-there = if cargo $(1) --version >/dev/null 2>&1; then $(2); else echo "cargo $(1) is not installed: left out."; fi

# Rings an example business over real SIP and RTP and shows the call and its record.
# CLOUD=standin: the same call through the cloud's protocols, with a cable pulled half-way.
# LINE=gsm: somebody rings the clinic's SIM, and is sent a text message.
demo:
	@packaging/setup run
	@cargo build --release --locked --bins $(if $(filter standin,$(CLOUD)),--example providers) $(if $(filter gsm,$(LINE)),--example modem)
	@packaging/demo $(if $(filter standin,$(CLOUD)),--standin,$(if $(filter gsm,$(LINE)),--gsm))

# The example business stays up, to be rung from a softphone.
run:
	@packaging/setup run
	@cargo build --release --locked
	@packaging/demo --stay

# All tests, in one profile, so that everything is built once, and in a network of
# their own in which no packet may leave for anybody.
test:
	@packaging/setup test
	@$(call if-there,fmt,cargo fmt --check)
	@$(call if-there,clippy,cargo clippy --locked --all-targets -- -D warnings)
	@if cargo nextest --version >/dev/null 2>&1; then \
	    cargo nextest run --locked --no-run && packaging/walled cargo nextest run --locked --offline; \
	else \
	    cargo test --locked --no-run --lib --bins --tests && \
	    packaging/walled cargo test --locked --offline --lib --bins --tests; \
	fi
	@packaging/walled cargo test --locked --offline --doc
	@echo "make test: formatting, lints, tests and documentation examples are in order."

# Tables on the screen, JSON in target/bench.
bench:
	@packaging/setup run
	@cargo bench --locked

# What a reviewer would otherwise have to say.
check:
	@packaging/setup build
	@$(call if-there,fmt,cargo fmt --check)
	@$(call if-there,clippy,cargo clippy --locked --all-targets -- -D warnings)
	@$(call if-there,deny,cargo deny check licenses bans sources)

# One minute for each target; FUZZ_SECONDS sets another time. Needs cargo-fuzz and a nightly Rust.
FUZZ_SECONDS ?= 60
fuzz:
	@packaging/setup build
	@cargo +nightly fuzz --version >/dev/null || { echo "fuzzing needs: rustup toolchain install nightly && cargo install cargo-fuzz"; exit 1; }
	@for target in rtp sdp sip knowledge_file residency_policy deepgram_messages anthropic_events elevenlabs_messages wyoming_events redaction sms_pdu ussd_text at_rows; do \
	    cargo +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

# Forgets the example business and its calls; models and builds stay.
clean-demo:
	@rm -rf target/demo
