# The targets, one line each, are what `make` alone prints.

GO       ?= go
PKG      ?= ./...
FUZZTIME ?= 60s
SEEDS    ?= 100000
FROM     ?= 1
VERSION  ?= $(shell git describe --tags --dirty 2>/dev/null)
REVISION ?= $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null)
LDFLAGS   = $(if $(VERSION),-X main.version=$(VERSION)) $(if $(REVISION),-X main.revision=$(REVISION))
CXXFLAGS ?= -O2
BIN      ?= bin
BUILD     = CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/feedgate ./cmd/feedgate

FAULTS = cmd/feedgate/e2e/faults
BENTHOS = bench/baselines/benthos

# Whether there is a browser for the tests of the page.
BROWSER = { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null

.DEFAULT_GOAL := help
.PHONY: help build demo demo-kafka test test-long lint fuzz bench bench-go model alerts chaos mutate soak sim mutants interop baselines rename clean

help: ## print this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

build: ## bin/feedgate and bin/feedgate-bench, statically linked
	$(BUILD)
	CGO_ENABLED=0 $(GO) build -C bench -trimpath -ldflags '$(LDFLAGS)' -o $(abspath $(BIN))/feedgate-bench ./cmd/feedgate-bench

demo: ## build it and see it work, ten seconds
	$(BUILD)
	$(BIN)/feedgate demo

demo-kafka: ## a feed into an embedded Kafka cluster, with a kill -9 in the middle
	$(BUILD)
	cd $(FAULTS) && $(GO) run ./kafkademo -feedgate $(abspath $(BIN))/feedgate

test: lint ## vet, gofmt, and all tests under the race detector, in their short form
	$(GO) test -race -short -timeout 5m $(PKG)
	cd $(FAULTS) && $(GO) test -race -short -p 1 -timeout 5m ./...
	cd bench && $(GO) test -race -short -timeout 5m ./...
	cd $(BENTHOS) && $(GO) test -race -short -timeout 5m ./...
	@$(BROWSER) || echo 'make test: NOT TESTED: the page in a browser: there is no chromium (apt-get install chromium)' >&2

test-long: lint ## the same, in their long form, and the binary's with the race detector in it
	$(GO) test -race -timeout 30m $(PKG)
	cd bench && $(GO) test -race -timeout 30m ./...
	cd $(BENTHOS) && $(GO) test -race -timeout 5m ./...
	FEEDGATE_TEST_RACE=1 $(GO) test -short -timeout 30m -count=1 ./cmd/feedgate/e2e
	cd bench && FEEDGATE_TEST_RACE=1 $(GO) test -short -timeout 30m -count=1 ./cmd/feedgate-bench
	@$(BROWSER) || echo 'make test-long: NOT TESTED: the page in a browser: there is no chromium (apt-get install chromium)' >&2

lint: ## go vet and gofmt
	$(GO) vet $(PKG)
	cd $(FAULTS) && $(GO) vet ./...
	cd bench && $(GO) vet ./...
	cd $(BENTHOS) && $(GO) vet ./...
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then \
		printf 'not formatted, run gofmt -w on:\n%s\n' "$$unformatted" >&2; exit 1; \
	fi

fuzz: ## every fuzz target for FUZZTIME=60s
	@set -eu; for module in . bench; do cd $(CURDIR)/$$module; for pkg in $$($(GO) list $(PKG)); do \
		targets=$$($(GO) test -list '^Fuzz' "$$pkg"); \
		for target in $$(printf '%s\n' "$$targets" | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$pkg"; \
		done; \
	done; done

bench: build ## the harness: feedgate beside what one would write instead; BENCHFLAGS='--size 64,1024'
	$(BIN)/feedgate bench $(BENCHFLAGS)

bench-go: ## the benchmarks of the packages, with allocations
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)

model: ## the wake-ups and the reply ring as models, checked by Spin (apt-get install spin)
	docs/models/check

alerts: ## the alert rules and the dashboard, with promtool (apt-get install prometheus) and against the binary
	@command -v promtool >/dev/null || { echo 'make alerts: there is no promtool: apt-get install prometheus' >&2; exit 1; }
	promtool check rules docs/alerts/feedgate.rules.yml
	promtool test rules docs/alerts/feedgate.test.yml
	cd $(FAULTS) && $(GO) test -count=1 -timeout 5m -v ./monitoring

chaos: ## every fault in its long form, those of a real nsqd and of sinks too, about ten minutes
	$(GO) test -count=1 -timeout 10m -v -run TestDefaultsInASmallControlGroup ./cmd/feedgate/e2e
	cd $(FAULTS) && $(GO) test -count=1 -timeout 30m -v -p 1 -skip TestSoak ./feed ./nsq ./http ./kafka

CONNECTIONS ?= 30000

mutate: ## CONNECTIONS=30000 of mutated bytes on every scheme, with the race detector and without, a quarter of an hour
	$(GO) test ./cmd/feedgate/e2e/mutate -count=1 -timeout 3h -v -mutate.connections=$(CONNECTIONS)
	$(GO) test ./cmd/feedgate/e2e/mutate -count=1 -timeout 3h -v -mutate.connections=$(CONNECTIONS) -mutate.plain

DURATION ?= 10m

soak: ## five gateways and a fault a second, for DURATION=10m
	cd $(FAULTS) && CHAOS_SOAK=$(DURATION) $(GO) test -count=1 -timeout 0 -v -run TestSoak ./feed

sim: ## SEEDS=100000 simulated runs of the gateway from FROM=1 on, on all cores
	$(GO) test ./gateway -run '^TestSimulation$$' -count=1 -timeout 2h -v -sim.seeds=$(SEEDS) -sim.from=$(FROM)

mutants: ## plant bugs in the gateway, one at a time, and see that each is caught
	$(GO) test ./gateway -run '^TestMutants$$' -count=1 -timeout 1h -v -sim.mutants=.

PYTHON ?= /usr/bin/python3

interop: ## against python3-websockets, plain and over TLS (apt-get install python3-websockets)
	@$(PYTHON) -c 'import websockets' 2>/dev/null || \
		{ echo 'make interop: there is no websockets for $(PYTHON): apt-get install python3-websockets' >&2; exit 1; }
	$(GO) test ./cmd/feedgate/e2e/interop -count=1 -timeout 5m -v -interop -python $(PYTHON)

.PHONY: pictures
pictures: ## docs/page: pictures of the page and texts of feedgate top, two minutes (apt-get install chromium)
	@$(BROWSER) || { echo 'make pictures: there is no chromium: apt-get install chromium' >&2; exit 1; }
	$(GO) test ./cmd/feedgate/e2e -run '^TestPictures$$' -count=1 -v -pictures=$(CURDIR)/docs/page

CXXSRC = bench/baselines/cpp/src
CXXBUILD = $(CXX) -std=c++17 -Wall -Wextra -Werror -pthread $(CXXFLAGS)

baselines: ## the baselines of bench that are programs of their own: Benthos, and C++ with Debian's libboost-dev
	CGO_ENABLED=0 $(GO) build -C $(BENTHOS) -trimpath -o $(CURDIR)/bin/feedgate-benthos .
	@command -v $(CXX) >/dev/null || \
		{ echo 'make baselines: there is no $(CXX): apt-get install g++ libboost-dev' >&2; exit 1; }
	@printf '#if !__has_include(<boost/asio.hpp>) || !__has_include(<boost/lockfree/spsc_queue.hpp>)\n#error\n#endif\n' | \
		$(CXX) -std=c++17 -E -x c++ -o /dev/null - 2>/dev/null || \
		{ echo 'make baselines: there are no Boost headers: apt-get install libboost-dev' >&2; exit 1; }
	@mkdir -p bin
	$(CXXBUILD) -o bin/feedgate-asio $(CXXSRC)/asio.cc $(CXXSRC)/client.cc
	$(CXXBUILD) -o bin/feedgate-spsc $(CXXSRC)/spsc.cc

# The path that the modules have now, so that rename works again.
OLDMODULE = $(shell sed -n 's/^module //p' go.mod)

rename: ## MODULE=example.com/you/feedgate: give all modules an importable path
	@part='[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*'; \
	if ! printf %s "$$MODULE" | tr '\n' ' ' | LC_ALL=C grep -Eqx "[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+(/$$part)+" || \
		printf '%s\n' "$$MODULE" | LC_ALL=C grep -Eq '/(v[0-9]+$$|vendor(/|$$))'; then \
		echo "make rename: MODULE='$$MODULE' is no module path: give a host and a path, without a version, as in MODULE=example.com/you/feedgate" >&2; \
		exit 2; \
	fi; \
	set -eu; \
	old=$$(printf '%s\n' '$(OLDMODULE)' | sed 's/[.]/\\./g'); \
	find . -name go.mod -exec sed -i -E \
		-e "s#^(module |replace |\t)$$old( |/|\$$)#\1$$MODULE\2#" {} +; \
	name="(^|[^[:alnum:]_./-])$$old/((ring|worker|gateway|cmd|bench|docs)\b|[\"\`])"; \
	files=$$(grep -rlE --include='*.go' --include='*.md' "$$name" .); \
	sed -i -E "s#$$name#\1$$MODULE/\2#g" $$files; \
	gofmt -w $$(printf '%s\n' $$files | grep '\.go$$'); \
	echo "The module's path is now $$MODULE."; \
	if [ "$$(printf '%s\n' "$$MODULE/" github.com/panjf2000/ | LC_ALL=C sort | head -n 1)" != "$$MODULE/" ]; then \
		echo "It sorts after github.com/panjf2000/gnet, before which ours must be initialised, so TestGnetIsInitialisedAfterItsEnvironmentIsHidden fails: see docs/decisions/0008-gnet-reads-no-environment.md." >&2; \
	fi

clean: ## remove what was built
	rm -rf bin
