# The front door. `make` alone lists what there is; the logic is in .ci/ and in `cargo xtask`.

# Passed on to `corkboard demo`, for example DEMO_ARGS="--listen 127.0.0.1:9000 --dir /tmp/board".
DEMO_ARGS ?=
# Passed on to the benches, for example BENCH_ARGS=feed.
BENCH_ARGS ?=
# Cases per property test in `make soak`; an ordinary run takes 256.
SOAK_CASES ?= 20000
# Kills of a node in `make soak`; an ordinary run makes 200.
SOAK_KILLS ?= 1000
# Requests of `make soak` that look for another user's card; an ordinary run makes 12,000.
SOAK_MARKERS ?= 10000000
# Rows that one statement changes behind an origin in `make soak`; an ordinary run changes 20,000.
SOAK_BULK ?= 1000000

DENY_CHECKS := bans licenses sources
# Crates that stand outside of the workspace, because they need what the product must not.
OUTSIDE := fuzz/Cargo.toml bench/engines/Cargo.toml

.DEFAULT_GOAL := help
.PHONY: help demo test check check-advisories bench soak fmt

help: ## this list
	@echo "make <target>:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 20

demo: ## build and run the demo: everything in one process, sample data, ready to try
	@.ci/need-rust
	@.ci/need cc:build-essential
	@echo "Building corkboard (a few minutes the first time), then serving the demo until Ctrl-C." >&2
	cargo run --release --locked -p corkboard -- demo $(DEMO_ARGS)

test: ## run every test
	@.ci/need-rust
	@.ci/need cc:build-essential
	@.ci/test

check: ## format, lints, documentation links, tidy, dependency policy (without advisories)
	@.ci/need-rust
	@.ci/need cc:build-essential c++:build-essential
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	for crate in $(OUTSIDE); do \
		cargo fmt --manifest-path $$crate --check && \
		cargo clippy --manifest-path $$crate --target-dir "$${CARGO_TARGET_DIR:-target}" --all-targets --locked -- -D warnings || exit 1; \
	done
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --locked --quiet
	cargo xtask tidy
	@# Rooms that are not built yet already have their bans: no warning about those.
	deny=$$(.ci/need-cargo-deny) && "$$deny" --locked check --allow unused-wrapper --hide-inclusion-graph $(DENY_CHECKS)

check-advisories: ## known vulnerabilities in dependencies; fetches the RustSec database from github.com
	@.ci/need-rust
	deny=$$(.ci/need-cargo-deny) && "$$deny" --locked check advisories

bench: ## the reproducible comparisons: writes bench/results/
	@.ci/need-rust
	@.ci/need cc:build-essential wrk:wrk nginx:nginx sqlite3:sqlite3 psql:postgresql-client "$$(.ci/postgres program):postgresql-15" \
		redis-server:redis-server python3:python3-venv /usr/lib/nginx/modules/ngx_http_lua_module.so:libnginx-mod-http-lua \
		/usr/share/lua/5.1/nginx/redis.lua:lua-nginx-redis
	cargo xtask bench $(BENCH_ARGS)

soak: ## every test in a release build, with many more kills, requests, and cases per property
	@.ci/need-rust
	@.ci/need cc:build-essential
	PROPTEST_CASES=$(SOAK_CASES) CORKBOARD_KILLS=$(SOAK_KILLS) CORKBOARD_MARKER_REQUESTS=$(SOAK_MARKERS) \
		CORKBOARD_BULK=$(SOAK_BULK) .ci/test --release
	fuzz/differential/run $(SOAK_CASES)

fmt: ## format the code
	cargo fmt --all
	for crate in $(OUTSIDE); do cargo fmt --manifest-path $$crate || exit 1; done
