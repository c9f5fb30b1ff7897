# The targets, one line each, are what `make` alone prints.

GO       ?= go
PKG      ?= ./...
FUZZTIME ?= 60s
VERSION  ?= $(shell git describe --tags --dirty 2>/dev/null)
LDFLAGS   = $(if $(VERSION),-X main.version=$(VERSION))
CXXFLAGS ?= -O2

.DEFAULT_GOAL := help
.PHONY: help build demo test test-long lint fuzz bench bench-go model peers clean

help: ## print this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

build: ## bin/feedgate
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/feedgate ./cmd/feedgate

demo: build ## build it and see it work, ten seconds
	bin/feedgate demo

test: lint ## vet, gofmt, and all tests under the race detector, in their short form
	$(GO) test -race -short -timeout 5m $(PKG)

test-long: lint ## the same, in their long form
	$(GO) test -race -timeout 30m $(PKG)

lint: ## go vet and gofmt
	$(GO) vet $(PKG)
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then \
		printf 'not formatted, run gofmt -w on:\n%s\n' "$$unformatted" >&2; exit 1; \
	fi

fuzz: ## every fuzz target for FUZZTIME=60s
	@set -eu; for pkg in $$($(GO) list $(PKG)); do \
		targets=$$($(GO) test -list '^Fuzz' "$$pkg"); \
		for target in $$(printf '%s\n' "$$targets" | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$pkg"; \
		done; \
	done

bench: build ## the harness: feedgate beside what one would write instead; BENCHFLAGS='--size 64,1024'
	bin/feedgate bench $(BENCHFLAGS)

bench-go: ## the benchmarks of the packages, with allocations
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)

model: ## the wake-ups and the reply ring as models, checked by Spin (apt-get install spin)
	docs/models/check

CXXSRC = bench/peers/cpp/src
CXXBUILD = $(CXX) -std=c++17 -Wall -Wextra -Werror -pthread $(CXXFLAGS)

peers: ## the C++ subjects for bench, with Debian's libboost-dev
	@command -v $(CXX) >/dev/null || \
		{ echo 'make peers: there is no $(CXX): apt-get install g++ libboost-dev' >&2; exit 1; }
	@printf '#if !__has_include(<boost/asio.hpp>) || !__has_include(<boost/lockfree/spsc_queue.hpp>)\n#error\n#endif\n' | \
		$(CXX) -std=c++17 -E -x c++ -o /dev/null - 2>/dev/null || \
		{ echo 'make peers: there are no Boost headers: apt-get install libboost-dev' >&2; exit 1; }
	@mkdir -p bin
	$(CXXBUILD) -o bin/feedgate-asio $(CXXSRC)/asio.cc $(CXXSRC)/client.cc
	$(CXXBUILD) -o bin/feedgate-spsc $(CXXSRC)/spsc.cc

clean: ## remove what was built
	rm -rf bin
