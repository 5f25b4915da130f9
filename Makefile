# Two commands on a fresh Debian machine with Swift 6: `make demo` and `make test`. Each does its own set-up, and
# both are safe to run again. The packages need root or sudo, and only the first time.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test faults fuzz sanitize interop bench bench-retrieval build setup lint clean need-swift

concierge := .build/release/concierge

help:                   ## this list
	@awk -F ' *## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup build       ## a conference, a question, its cited answer, and an answer that changes at once
	@$(concierge) dev up
	@$(concierge) migrate
	@$(concierge) demo

test: setup build       ## every test there is; the last line is the sum
	@$(concierge) dev up
	@.ci/test

faults: setup build     ## whatever can happen to daemons, servers and migrators; `make test` has a sample (an hour)
	@$(concierge) dev up
	@CONCIERGE_FAULTS=all swift test --no-parallel --filter 'CrashTests|FaultTests'

fuzz: setup build       ## every parser, five minutes each or FUZZ_SECONDS: Tests/fuzz/README.md (an hour)
	@$(concierge) dev up
	@$(concierge) migrate
	@DATABASE_URL=$$($(concierge) dev url) Tests/fuzz/run

sanitize: setup build   ## the Swift tests and the extension under sanitizers for memory and threads
	@$(concierge) dev up
	@Tests/sanitize/run

interop: setup          ## our readers of models' answers against the litellm proxy and transformers serve: Tests/interop/README.md
	@.ci/step 'Swift tests, build' swift build --build-tests
	@Tests/interop/run

bench: setup build      ## every figure we claim, beside a peer's
	@$(concierge) dev up
	@bench/run

bench-retrieval: setup build  ## how good, exact, fast and fresh search is, beside its peers (two hours)
	@$(concierge) dev up
	@bench/run retrieval

# The Swift libraries go into the file: it runs where there is no Swift, and where a unit may not read the toolchain.
build: need-swift       ## the concierge command, in .build/release
	@.ci/step 'concierge, release build' swift build -c release --static-swift-stdlib --product concierge

setup:                  ## PostgreSQL, its extensions and the headers, as Debian packages
	@extensions/install.sh

lint: build             ## the shell scripts, by shellcheck (a Debian package); migrations and sql/, by our own rules
	@shellcheck extensions/install.sh .ci/run .ci/step .ci/test bench/run Tests/interop/run
	@$(concierge) migrate lint

clean:                  ## what was built; the development database stays (concierge dev reset)
	@rm -rf .build

need-swift:
	@command -v swift >/dev/null || { \
	    echo 'There is no swift in PATH: install Swift 6 from swift.org/install/linux and put its usr/bin there.' >&2; \
	    exit 1; }
